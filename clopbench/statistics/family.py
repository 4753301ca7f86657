"""Verdicts on a family of claims over shared seeds, with at most 5 % families in which any verdict is false.

A claim is a set of comparisons. It is *supported* if all of them are significant in its favour, *contradicted*
if one is significantly against it, else *undecided*; both directions are counted together.

The flips of clopbench/statistics/flips.py correct over all claims. A claim's score in favour is that of its
weakest comparison, on which it hangs: to be supported falsely it needs one comparison that fools us (Berger
1982). The score against is the largest of all, because any comparison may fool us there, and each has its
part of the error only. Claims fall in two groups that share the error: of rows with rows, and of rows with
constants. In the latter only the side of each seed counts, and their few possible p values would else set the
limit for all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clopbench.statistics import flips
from clopbench.statistics.flips import DRAWN
from clopbench.statistics.scores import Claim, Part, Scores, score

LEVEL = 0.05
"""Families with a false verdict, at most."""
CONSTANT_SHARE = 0.25
"""Part of the level that claims about constants may use, where there are others too."""
FRAGILE_FLIPS = 4_000
"""Flips that are drawn where one seed after another is left out and all flips are too many."""

SUPPORTED, CONTRADICTED, UNDECIDED, NOT_RUN = "supported", "contradicted", "undecided", "not run"


@dataclass(frozen=True)
class Found:
    """What the flips say of one comparison.

    side: 1 where it lies in the claim's favour, -1 against, 0 on neither side. p: two-sided, by itself.
    adjusted: corrected over the family. Of two bounds those that decide: the harder one in favour, the one that
    is missed against.
    """

    n: int
    side: int
    p: float
    adjusted: float


@dataclass(frozen=True)
class Verdict:
    """p: of the claim if it were the only one; adjusted: corrected over the family; both None where not tested.

    comparisons: None where two rows share no seed. weakest: the position of the comparison that it hangs on.
    fewest: the seeds below which no verdict is possible at this level.
    """

    verdict: str
    p: float | None = None
    adjusted: float | None = None
    comparisons: tuple[Found | None, ...] = ()
    weakest: int | None = None
    fewest: int = 0
    reason: str = ""

    @property
    def text(self) -> str:
        return f"{self.verdict} ({self.reason})" if self.reason else self.verdict

    @property
    def decided(self) -> bool:
        return self.verdict in (SUPPORTED, CONTRADICTED)


def judge(claims: Sequence[Claim], level: float = LEVEL, drawn: int = DRAWN) -> list[Verdict]:
    """The verdict on each claim of a family.

    level: the part of the error that may be spent now (clopbench/statistics/looks.py). drawn: flips beyond
    EXACT_SEEDS seeds. The same claims give the same verdicts: the flips are seeded.
    """
    tested = [place for place, claim in enumerate(claims) if _is_tested(claim)]
    of_constants = [place for place in tested if any(one is not None and one.constant for one in claims[place])]
    of_rows = [place for place in tested if place not in of_constants]
    both = bool(of_constants and of_rows)
    share, rest = (CONSTANT_SHARE, 1 - CONSTANT_SHARE) if both else (1.0, 1.0)
    constants = _Group([claims[place] for place in of_constants], share, level, drawn)
    rows = _Group([claims[place] for place in of_rows], rest, level, drawn)
    found = dict(zip(of_constants, constants.verdicts(rows.largest), strict=True))
    found |= zip(of_rows, rows.verdicts(constants.largest), strict=True)
    return [found[place] if place in found else compare(claim) for place, claim in enumerate(claims)]


def compare(claim: Claim) -> Verdict:
    """The verdict on a claim of deterministic measurements, without a test: no p, no spread."""
    known = [comparison for comparison in claim if comparison is not None and comparison.n]
    if not known:
        return Verdict(NOT_RUN)
    sides = [[{float(np.sign(amount)) for amount in bound_N} for bound_N in one.bounds] for one in known]
    if any({-1.0} in bounds for bounds in sides):
        return Verdict(CONTRADICTED)
    if all(bound == {1.0} for bounds in sides for bound in bounds):
        if len(known) < len(claim):
            return Verdict(UNDECIDED, reason=_what_is_missing(claim, 0))
        return Verdict(SUPPORTED)
    return Verdict(UNDECIDED, reason="declared deterministic, but the seeds disagree or nothing differs")


def undone(claims: Sequence[Claim], verdicts: Sequence[Verdict], level: float = LEVEL) -> list[int | None]:
    """How many single seeds would each undo a verdict if they were left out; None where nothing is decided.

    All claims are judged anew without the seed, so that the correction is that of the smaller family.
    """
    counts: list[int | None] = [0 if one.decided and one.p is not None else None for one in verdicts]
    if all(count is None for count in counts):
        return counts
    seeds = {seed for claim in claims for one in claim if one is not None for seed in one.seeds}
    for seed in sorted(seeds):
        left = [[None if one is None else one.at(seeds - {seed}) for one in claim] for claim in claims]
        for place, again in enumerate(judge(left, level, FRAGILE_FLIPS)):
            count = counts[place]
            if count is not None and again.verdict != verdicts[place].verdict:
                counts[place] = count + 1
    return counts


def _is_tested(claim: Claim) -> bool:
    return any(one is not None and one.n and not one.deterministic for one in claim)


class _Group:
    """Claims that use one part of the level."""

    def __init__(self, claims: Sequence[Claim], share: float, level: float, drawn: int):
        self.claims, self.share, self.level = claims, share, level
        self.fewest = flips.fewest_seeds(level * share) if claims else 0
        self.scored = score(claims, self.fewest, drawn)
        present = [one for one in self.scored if one is not None]
        if present:
            scores_FC = np.stack([one.of_flips for one in present], axis=1)
            self.steps = flips.together(scores_FC, np.array([one.observed for one in present]))
        self.place = {id(one): place for place, one in enumerate(present)}

    @property
    def largest(self) -> float:
        """The largest corrected p of the group by itself.

        Where even that is significant the other group may use the whole level (Holm 1979, with unequal parts).
        """
        corrected = [self._p(one, one.observed) for one in self.scored if one is not None]
        return max(corrected, default=1.0) / self.share

    def verdicts(self, largest_of_other: float) -> list[Verdict]:
        return [
            Verdict(UNDECIDED, fewest=self.fewest, reason=_what_is_missing(claim, self.fewest))
            if scores is None
            else self._verdict(claim, scores, largest_of_other)
            for claim, scores in zip(self.claims, self.scored, strict=True)
        ]

    def _p(self, scores: Scores, score: float) -> float:
        return max(self.steps.adjust(self.place[id(scores)], score), flips.least_p(scores.n))

    def _verdict(self, claim: Claim, scores: Scores, largest_of_other: float) -> Verdict:
        def corrected(part: Part) -> float:
            p = self._p(scores, part.score)
            return min(1.0, p / self.share, max(p, largest_of_other))

        comparisons = tuple(
            None if part is None else Found(part.n, part.side, part.p, corrected(part)) for part in scores.parts
        )
        hangs_on = comparisons[scores.weakest]
        assert hangs_on is not None
        complete = all(part is not None for part in scores.parts)
        adjusted = hangs_on.adjusted if complete or hangs_on.side < 0 else 1.0
        shown = Verdict(UNDECIDED, scores.p, adjusted, comparisons, scores.weakest, self.fewest)
        if adjusted <= self.level and hangs_on.side:
            return replace(shown, verdict=SUPPORTED if hangs_on.side > 0 else CONTRADICTED)
        return shown if complete else replace(shown, reason=_what_is_missing(claim, self.fewest))


def _what_is_missing(claim: Claim, fewest: int) -> str:
    missing = sum(one is None or not one.n for one in claim)
    if missing:
        return f"{missing} of {len(claim)} comparisons not run"
    n = min(one.n for one in claim if one is not None)
    return f"too few seeds ({n} of at least {fewest})"
