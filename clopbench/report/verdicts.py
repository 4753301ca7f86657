"""Verdicts: whether a number of the paper was reproduced, and whether a claim holds.

The rules:
- A number is *reproduced* if two one-sided tests at 5 % put our mean within the declared margin of the
  paper's; else *different* if a two-sided test at 5 % tells them apart; else *undecided*. It is *not
  comparable* at any scale but the paper's.
- A claim 'better beats than' is *supported* or *contradicted* if the paired t test over seeds is
  significant at 5 % in that direction, else *undecided*, with the number of seeds that would settle it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from clopbench.report import statistics
from clopbench.report.statistics import ALPHA, Paired, Summary

Values = Mapping[int, float]
"""Seed → metric."""


@dataclass(frozen=True)
class NumberVerdict:
    """verdict: reproduced, different, undecided, not comparable, not run, or paper's number not known."""

    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class ClaimVerdict:
    """verdict: supported, contradicted, undecided or not run. `seeds` are those that both rows have."""

    verdict: str
    seeds: tuple[int, ...] = ()
    paired: Paired | None = None
    needed: int | None = None

    @property
    def text(self) -> str:
        """The verdict in words, with the seeds that would settle it where it is undecided."""
        if self.verdict != "undecided" or self.paired is None:
            return self.verdict
        if self.paired.sd is None:
            return "undecided (one seed says nothing about spread)"
        if self.needed is None:
            return f"undecided (more than {statistics.MOST_SEEDS} seeds would be needed)"
        return f"undecided (about {self.needed} seeds would settle it)"


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
        equivalence = statistics.equivalence_p(ours.mean, ours.sd, ours.n, *theirs, margin)
        _, difference = statistics.welch(ours.mean, ours.sd, ours.n, *theirs)
        reason = ""
    else:
        equivalence = statistics.equivalence_p_to_constant(ours.mean, ours.sd, ours.n, paper_mean, margin)
        difference = statistics.one_sample_p(ours.mean, ours.sd, ours.n, paper_mean)
        reason = "the paper's uncertainty is not known"
    if equivalence < ALPHA:
        return NumberVerdict("reproduced", reason)
    return NumberVerdict("different" if difference < ALPHA else "undecided", reason)


def judge_claim(better: Values, than: Values, direction: str = "higher") -> ClaimVerdict:
    """Compare two rows over the seeds that both have. direction: whether a higher or a lower metric wins."""
    seeds = tuple(sorted(better.keys() & than.keys()))
    if not seeds:
        return ClaimVerdict("not run")
    sign = 1.0 if direction == "higher" else -1.0
    paired = statistics.compare_paired(
        [sign * better[seed] for seed in seeds], [sign * than[seed] for seed in seeds]
    )
    if paired.p is not None and paired.p < ALPHA:
        return ClaimVerdict("supported" if paired.difference > 0 else "contradicted", seeds, paired)
    needed = statistics.seeds_needed(paired.difference, paired.sd) if paired.sd is not None else None
    return ClaimVerdict("undecided", seeds, paired, needed)
