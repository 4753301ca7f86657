"""Verdicts: whether a number of the paper was reproduced, and whether a claim holds.

The rules:
- A number is *reproduced* if two one-sided tests at 5 % put our mean within the declared margin of the
  paper's; else *different* if a two-sided test at 5 % tells them apart; else *undecided*. It is *not
  comparable* at any scale but the paper's.
- A claim is *supported* if every comparison that it consists of is significant in its favour, *contradicted*
  if one of them is significant against it, both at 5 % after Holm's correction over all claims of a document
  at one scale; else *undecided*, with the number of seeds that would settle it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clopbench.statistics import summaries
from clopbench.statistics.comparisons import Comparison, Hypothesis
from clopbench.statistics.power import MOST_SEEDS
from clopbench.statistics.summaries import ALPHA, Summary, holm

TOO_FEW = 3
"""Below so many seeds a spread is hardly known, and no number of seeds is derived from it."""


@dataclass(frozen=True)
class NumberVerdict:
    """verdict: reproduced, different, undecided, not comparable, not run, or paper's number not known."""

    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Evidence:
    """A claim's comparisons. It holds only if all of them do; None where two rows share no seed."""

    hypothesis: Hypothesis
    comparisons: Sequence[Comparison | None]
    left_out: int = 0
    """Cells that ended without a value, so that their seed could not be compared."""

    @property
    def known(self) -> list[Comparison]:
        return [found for found in self.comparisons if found is not None]

    @property
    def p_for(self) -> float | None:
        """That all hold: the largest of their p values (intersection-union test, Berger 1982)."""
        p_values = [found.p_for for found in self.known]
        if not p_values or all(p is None for p in p_values):
            return None
        complete = len(p_values) == len(self.comparisons)
        return max(1.0 if p is None else p for p in p_values) if complete else 1.0

    @property
    def p_against(self) -> float | None:
        """That one of them fails: the smallest p of the opposite, times their number (Bonferroni)."""
        p_values = [found.p_against for found in self.known if found.p_against is not None]
        return min(1.0, len(self.comparisons) * min(p_values)) if p_values else None

    @property
    def p(self) -> float | None:
        """The p value of the claim before Holm's correction."""
        if self.p_for is None or self.p_against is None:
            return None
        return min(1.0, self.hypothesis.sides * min(self.p_for, self.p_against))

    @property
    def weakest(self) -> int | None:
        """Position of the comparison that the claim hangs on: the one with the largest p."""
        at = [i for i, found in enumerate(self.comparisons) if found is not None]
        return max(at, key=self._doubt) if at else None

    def _doubt(self, position: int) -> float:
        found = self.comparisons[position]
        return -1.0 if found is None or found.p_for is None else found.p_for

    def seeds_needed(self, alpha: float, cautious: bool = False) -> int | None:
        """Seeds at which the claim would be settled with 80 % power, at the effects seen so far.

        For all comparisons to hold the hardest counts; where one goes against the claim, the easiest of these.
        """
        if len(self.known) < len(self.comparisons) or any(found.n < TOO_FEW for found in self.known):
            return None
        contrary = [found for found in self.known if not self.hypothesis.favours(found)]
        share = alpha / len(self.comparisons) if contrary else alpha
        needed = [self.hypothesis.seeds_needed(found, share, cautious) for found in contrary or self.known]
        counts = [n for n in needed if n is not None]
        if contrary:
            return min(counts, default=None)
        return max(counts) if len(counts) == len(needed) else None


@dataclass(frozen=True)
class ClaimVerdict:
    """verdict: supported, contradicted, undecided or not run. family: claims that Holm's correction covers."""

    verdict: str
    p: float | None = None
    p_holm: float | None = None
    family: int = 0
    reason: str = ""

    @property
    def text(self) -> str:
        return f"{self.verdict} ({self.reason})" if self.reason else self.verdict

    @property
    def alpha(self) -> float:
        """The level that a claim must reach whatever the others do: Holm's first step."""
        return ALPHA / max(1, self.family)


NOT_RUN = ClaimVerdict("not run")


def judge_number(
    ours: Summary | None,
    paper_mean: float | None,
    paper_sd: float | None,
    paper_n: int | None,
    margin: float | None,
    comparable: bool,
) -> NumberVerdict:
    """Set our mean beside the paper's. Without its sd and n, the paper's number counts as exact."""
    if ours is None:
        return NumberVerdict("not run")
    if paper_mean is None:
        return NumberVerdict("paper's number not known")
    if not comparable:
        return NumberVerdict("not comparable")
    if ours.sd is None or margin is None:
        missing = "one seed" if ours.sd is None else "no margin declared"
        return NumberVerdict("undecided", missing)
    if ours.sd == 0:
        within = abs(ours.mean - paper_mean) < margin
        return NumberVerdict("reproduced" if within else "different", "no spread over seeds")
    if paper_sd is not None and paper_n is not None:
        theirs = (paper_mean, paper_sd, paper_n)
        equivalence = summaries.equivalence_p(ours.mean, ours.sd, ours.n, *theirs, margin)
        _, difference = summaries.welch(ours.mean, ours.sd, ours.n, *theirs)
        reason = ""
    else:
        equivalence = summaries.equivalence_p_to_constant(ours.mean, ours.sd, ours.n, paper_mean, margin)
        difference = summaries.one_sample_p(ours.mean, ours.sd, ours.n, paper_mean)
        reason = "the paper's uncertainty is not known"
    if equivalence < ALPHA:
        return NumberVerdict("reproduced", reason)
    return NumberVerdict("different" if difference < ALPHA else "undecided", reason)


def judge_claims(tested: Sequence[Evidence]) -> list[ClaimVerdict]:
    """The verdicts of claims that belong together (all of one document at one scale), corrected by Holm."""
    p_values = [claim.p for claim in tested]
    present = [p for p in p_values if p is not None]
    adjusted = iter(holm(present))
    return [
        _judge(claim, p, None if p is None else next(adjusted), len(present))
        for claim, p in zip(tested, p_values, strict=True)
    ]


def _judge(claim: Evidence, p: float | None, p_holm: float | None, family: int) -> ClaimVerdict:
    if not claim.known:
        without = "no seed has a value on both sides: see the diverged cells"
        return ClaimVerdict("undecided", reason=without) if claim.left_out else NOT_RUN
    verdict = ClaimVerdict("undecided", p, p_holm, family)
    missing = len(claim.comparisons) - len(claim.known)
    if p_holm is not None and p_holm < ALPHA:
        holds = (claim.p_for or 0.0) <= (claim.p_against or 0.0)
        return replace(verdict, verdict="supported" if holds else "contradicted")
    if missing:
        return replace(verdict, reason=f"{missing} of {len(claim.comparisons)} comparisons not run")
    return replace(verdict, reason=_why_undecided(claim, verdict.alpha))


def _why_undecided(claim: Evidence, alpha: float) -> str:
    fewest = min(found.n for found in claim.known)
    if fewest == 1:
        return "one seed says nothing about spread"
    if fewest < TOO_FEW:
        return f"{fewest} seeds are too few to say how many would settle it"
    needed = claim.seeds_needed(alpha)
    if needed is None:
        return f"more than {MOST_SEEDS} seeds would be needed"
    return f"about {needed} seeds would settle it"
