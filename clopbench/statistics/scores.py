"""The score of a claim under every flip: how much speaks for it, or against it, whichever is more.

In favour it is the evidence of the weakest comparison, because all must hold; against it the largest of all,
each with its part of the error. Shapes: F flips, H of them with F - H opposites (see
`flips.signs`), K columns (a comparison has one for each bound).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clopbench.statistics import flips
from clopbench.statistics.amounts import Amounts, matrix
from clopbench.statistics.flips import Floats

Claim = Sequence[Amounts | None]
"""The comparisons of a claim; None where two rows share no seed."""


@dataclass(frozen=True)
class Part:
    """One comparison. side: 1 in favour, -1 against, 0 neither; p: two-sided, by itself; score: of its side.

    Of two bounds those count that decide: the harder one in favour, the one that is missed against.
    """

    n: int
    side: int
    p: float
    score: float


@dataclass(frozen=True)
class Scores:
    """A claim. parts: one for each comparison, None where it has too few seeds for a test."""

    of_flips: Floats
    """[F]"""
    observed: float
    side: int
    parts: tuple[Part | None, ...]
    weakest: int
    """The comparison that it hangs on."""

    @property
    def n(self) -> int:
        return min(part.n for part in self.parts if part is not None)

    @property
    def p(self) -> float:
        """Of the claim by itself, both directions together."""
        return max(flips.share_beyond(self.of_flips, self.observed), flips.least_p(self.n))


def score(claims: Sequence[Claim], fewest: int, drawn: int) -> list[Scores | None]:
    """The scores of each claim under the same flips; None where no comparison has at least `fewest` seeds."""
    kept = [
        [(at, one) for at, one in enumerate(claim) if one is not None and one.n >= fewest] for claim in claims
    ]
    comparisons = [one for claim in kept for _, one in claim]
    if not comparisons:
        return [None] * len(claims)
    seeds = sorted({seed for one in comparisons for seed in one.seeds})
    n_K = np.array([one.n for one in comparisons for _ in one.bounds])
    statistics_HK = flips.statistics(matrix(comparisons, seeds), flips.signs(len(seeds), drawn))
    evidence_HK = flips.evidence(statistics_HK, n_K)
    found: list[Scores | None] = []
    start = 0
    for claim, ready in zip(claims, kept, strict=True):
        part = slice(start, start + sum(len(one.bounds) for _, one in ready))
        start = part.stop
        found.append(_scores(claim, ready, statistics_HK[:, part], evidence_HK[:, part]) if ready else None)
    return found


def _scores(
    claim: Claim, ready: Sequence[tuple[int, Amounts]], statistics_HK: Floats, evidence_HK: Floats
) -> Scores:
    positive_HK = np.where(statistics_HK > 0, evidence_HK, 0.0)
    negative_HK = np.where(statistics_HK < 0, evidence_HK, 0.0)
    favour = ready[0][1].in_favour
    share_for, share_against = math.log(favour), math.log((1 - favour) / evidence_HK.shape[1])
    # An opposite flip exchanges what is positive and what is negative.
    k = int(np.argmin(positive_HK[0] - negative_HK[0]))
    of_flips_F = np.maximum(
        np.concatenate([positive_HK[:, k], negative_HK[:, k]]) + share_for,
        np.concatenate([negative_HK.max(axis=1), positive_HK.max(axis=1)]) + share_against,
    )
    p_K = flips.alone(statistics_HK)
    parts: list[Part | None] = [None] * len(claim)
    start = 0
    for at, one in ready:
        ks = range(start, start + len(one.bounds))
        start = ks.stop
        k = min(ks, key=lambda k: statistics_HK[0, k])
        side = int(np.sign(statistics_HK[0, k]))
        value = negative_HK[0, k] + share_against if side < 0 else positive_HK[0, k] + share_for
        parts[at] = Part(one.n, side, float(p_K[k]), float(value))
    tested = [(at, part) for at, part in enumerate(parts) if part is not None]
    contrary = [entry for entry in tested if entry[1].side < 0]
    if contrary:
        weakest, hardest = max(contrary, key=lambda entry: entry[1].score)
    else:
        weakest, hardest = min(tested, key=lambda entry: entry[1].score)
    # What is not complete cannot be supported, and stays in the family.
    undecidable = not contrary and len(ready) < len(claim)
    observed = share_against if undecidable else hardest.score
    return Scores(of_flips_F, observed, hardest.side, tuple(parts), weakest)
