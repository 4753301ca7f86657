"""Sign flips shared over seeds: one null distribution for a whole family of paired comparisons.

Under the null hypothesis an amount (a paired difference, say) is as likely as its opposite. One random sign for
each seed, applied to all comparisons at once, then draws from the null distribution of the family as it is,
with its ties, its collapsed seeds and the correlation between comparisons (Good 2005; Ludbrook 1994). The
maximum over claims, step by step, corrects for their number (Westfall & Young 1993; Romano & Wolf 2005).

Shapes: N seeds, K columns (amounts that are tested), C claims, F flips, H = F / 2 of them (see `signs`).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EXACT_SEEDS = 14
"""Up to so many seeds all flips are looked at."""
DRAWN = 20_000
"""Flips that are drawn beyond that, with their opposites."""
SIGNS_SEED = 0
TOLERANCE = 1e-9
"""Statistics that differ by less are equal. They are of order 1, and ties are common: accuracies have steps."""

Floats = NDArray[np.float64]


@lru_cache(maxsize=8)
def signs(n: int, drawn: int = DRAWN) -> Floats:
    """Signs of n seeds [H, N]: one of each flip and its opposite, which together are all F flips.

    The first row flips nothing. All F = 2ⁿ flips up to EXACT_SEEDS; beyond that F = drawn (even), from a
    seeded generator. As the first row counts among them, the p values are those of an exact test (Phipson &
    Smyth 2010). Raises ValueError for n < 1.
    """
    if n < 1:
        raise ValueError("no seeds to flip")
    if n <= EXACT_SEEDS:
        pattern_H = np.arange(2 ** (n - 1))
        found = 1.0 - 2.0 * ((pattern_H[:, None] >> np.arange(n)) & 1)
    else:
        found = np.random.default_rng(SIGNS_SEED).choice([-1.0, 1.0], (drawn // 2, n))
        found[0] = 1.0
    found.flags.writeable = False
    return found


def statistics(amounts_NK: Floats, signs_HN: Floats) -> Floats:
    """The statistic of each column [H, K]; a seed that a column lacks has the amount 0 in it.

    It is Σ ± amount / √(Σ amount²): Student's t made finite, t = T · √((n - 1) / (n - T²)), at most √n. Its
    denominator does not change under a flip, so that no p value rests on a spread that happens to be 0. A
    column of zeros has the statistic 0.
    """
    scale_K = np.sqrt(np.sum(amounts_NK**2, axis=0))
    unit_NK = np.divide(amounts_NK, scale_K, out=np.zeros_like(amounts_NK), where=scale_K > 0)
    found_KH = unit_NK.T @ signs_HN.T
    found_KH[np.abs(found_KH) < TOLERANCE] = 0.0
    return found_KH.T  # Columns lie together in memory: they are read one by one.


def evidence(statistics_HK: Floats, n_K: NDArray[np.int_]) -> Floats:
    """How much each statistic speaks against 0 [H, K], on a scale where chances can be shared out.

    (n - 1) / 2 · log(1 + t² / (n - 1)), about -log of the one-sided p of the t test. To require log m more of a
    column is to test it at a level of 1/m, nearly, whatever its n. Nothing rests on the normal distribution
    here: the null distribution is that of the flips.
    """
    explained_HK = np.minimum(statistics_HK**2 / n_K, 1 - TOLERANCE)
    return (n_K - 1) / 2 * -np.log1p(-explained_HK)


def alone(statistics_HK: Floats) -> Floats:
    """Two-sided p of each column by itself [K]: the share of flips that are as extreme as none."""
    sizes_HK = np.abs(statistics_HK)
    return np.mean(sizes_HK >= sizes_HK[0] - TOLERANCE, axis=0)


@dataclass(frozen=True)
class Steps:
    """A step-down correction. set_against: [F] for each claim; floor: [C], the p of those before it."""

    adjusted: Floats
    set_against: list[Floats]
    floor: Floats

    def adjust(self, c: int, score: float) -> float:
        """The corrected p that claim c would have with another score."""
        return max(share_beyond(self.set_against[c], score), float(self.floor[c]))


def together(scores_FC: Floats, observed_C: Floats) -> Steps:
    """P of each claim, corrected for all of them.

    observed_C: at most the scores in the first row. Step-down: the claims are taken from the largest score on.
    Each is set against the largest score, flip by flip, of itself and all that come after it (Westfall & Young
    1993, algorithm 2.8), and none gets a smaller p than one before it. With these p values at most 5 %, one
    true null hypothesis or more is rejected in 5 % of families at most, however many others are false.
    """
    order_C = np.argsort(-observed_C, kind="stable")
    stepwise_C = np.empty_like(observed_C)
    largest_F = np.full(len(scores_FC), -np.inf)
    set_against: list[Floats] = [largest_F] * len(observed_C)
    for c in order_C[::-1]:
        largest_F = np.maximum(largest_F, scores_FC[:, c])
        stepwise_C[c] = share_beyond(largest_F, float(observed_C[c]))
        set_against[c] = largest_F
    adjusted_C, floor_C = np.empty_like(stepwise_C), np.zeros_like(stepwise_C)
    adjusted_C[order_C] = np.maximum.accumulate(stepwise_C[order_C])
    floor_C[order_C[1:]] = adjusted_C[order_C[:-1]]
    return Steps(adjusted_C, set_against, floor_C)


def share_beyond(scores_F: Floats, observed: float) -> float:
    """The share of flips with a score as large as `observed`."""
    return float(np.mean(scores_F >= observed - TOLERANCE))


def least_p(n: int) -> float:
    """The smallest p that n seeds can give: all lie on one side, in 2 of 2ⁿ flips."""
    return 2.0 ** (1 - n)


def fewest_seeds(level: float) -> int:
    """The smallest n that can decide anything at a level: 6 at 5 %."""
    return math.ceil(1 - math.log2(level))
