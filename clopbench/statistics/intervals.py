"""Intervals beside those of t: for shares, for rows in which some seeds collapsed, for paired differences.

Shapes: N seeds, M subsets of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from clopbench.statistics.flips import DRAWN, EXACT_SEEDS, SIGNS_SEED, Floats
from clopbench.statistics.thresholds import median_ranks

CONFIDENCE = 0.95
TRIMMED = 0.25
"""Part of the seeds that the interquartile mean leaves out at either end."""


@dataclass(frozen=True)
class Estimate:
    """low and high are None where there are too few seeds for an interval."""

    value: float
    low: float | None = None
    high: float | None = None


def share(count: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share of n seeds (say, that collapsed), with the interval of Clopper & Pearson (1934).

    Raises ValueError unless 0 ≤ count ≤ n and n ≥ 1.
    """
    if not 0 <= count <= n or n < 1:
        raise ValueError("a share needs a count of at most n seeds, and one seed at least")
    interval = stats.binomtest(count, n).proportion_ci(confidence)
    return Estimate(count / n, float(interval.low), float(interval.high))


def mean(
    values: Sequence[float], bounds: tuple[float, float] | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """Mean with its t interval, cut off where a bounded metric (an accuracy, say) cannot lie.

    Cutting loses no coverage: what is cut off does not hold the true mean. Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values to average")
    centre, n = float(np.mean(values)), len(values)
    if n == 1:
        return Estimate(centre)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return _cut(centre, centre - half, centre + half, bounds)


def interquartile_mean(
    values: Sequence[float], bounds: tuple[float, float] | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """Mean of the middle half of the seeds (Agarwal et al. 2021), with Tukey and McLaughlin's interval (1963).

    A quarter of the seeds, rounded down, is left out at either end. The interval is that of t for a trimmed
    mean, with the winsorised deviation. From five seeds on it covers as often as it says, or nearly, where the
    percentile bootstrap that is common beside this mean covers less, and it does not get wide because a seed
    collapsed. No interval below three seeds in the middle. Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values to average")
    sorted_N = np.sort(np.asarray(values, dtype=float))
    n = len(sorted_N)
    cut = int(TRIMMED * n)
    middle = sorted_N[cut : n - cut]
    centre = float(middle.mean())
    if len(middle) < 3:
        return Estimate(centre)
    winsorised_N = np.clip(sorted_N, middle[0], middle[-1])
    squares = float(np.sum((winsorised_N - winsorised_N.mean()) ** 2))
    error = math.sqrt(squares / (len(middle) * (len(middle) - 1)))
    half = float(stats.t.ppf((1 + confidence) / 2, len(middle) - 1)) * error
    return _cut(centre, centre - half, centre + half, bounds)


def typical(differences: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean paired difference with the interval of the sign flips: the differences that they would not reject.

    The means of all subsets of the seeds are typical values (Hartigan 1969): the true centre of symmetry lies
    between any two neighbours of the 2ⁿ - 1 sorted means with the same chance. So the interval is read off the
    sorted means, is exact for any symmetric distribution, and agrees with the test of a single comparison. No
    interval where even the two ends have less than the wished confidence (below six seeds at 95 %).
    Raises ValueError without values.
    """
    values_N = np.asarray(differences, dtype=float)
    if not len(values_N):
        raise ValueError("no differences")
    centre, subsets_MN = float(values_N.mean()), _subsets(len(values_N))
    sorted_M = np.sort(subsets_MN @ values_N / subsets_MN.sum(axis=1))
    rank = math.floor((1 - confidence) / 2 * (len(sorted_M) + 1) + 1e-9)
    if rank < 1:
        return Estimate(centre)
    return Estimate(centre, float(sorted_M[rank - 1]), float(sorted_M[-rank]))


def median(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Median with the interval of order statistics (David & Nagaraja 2003, section 7.1): that of the sign test.

    None below six seeds at 95 %. Raises ValueError without values.
    """
    sorted_N = np.sort(np.asarray(values, dtype=float))
    n = len(sorted_N)
    if not n:
        raise ValueError("no values")
    rank, _ = median_ranks(n, confidence)
    centre = float(np.median(sorted_N))
    return (
        Estimate(centre)
        if rank is None
        else Estimate(centre, float(sorted_N[rank - 1]), float(sorted_N[-rank]))
    )


def _subsets(n: int) -> Floats:
    """Which seeds belong to each subset [M, N]: all but the empty one, or DRAWN of them, seeded."""
    if n <= EXACT_SEEDS:
        return ((np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1).astype(float)
    found = np.random.default_rng(SIGNS_SEED).integers(0, 2, (DRAWN - 1, n)).astype(float)
    return found[found.any(axis=1)]


def _cut(centre: float, low: float, high: float, bounds: tuple[float, float] | None) -> Estimate:
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Estimate(centre, low, high)
