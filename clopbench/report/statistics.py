"""The statistics behind the tables, on top of scipy and statsmodels. Pure functions of numbers.

Shapes: `values` is one number per seed; paired arrays have the same seeds in the same order.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.power import TTestPower

CONFIDENCE = 0.95
ALPHA = 0.05
POWER = 0.80
MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Summary:
    """Mean over seeds; sd (ddof = 1) and the t interval's half-width only where n ≥ 2."""

    n: int
    mean: float
    sd: float | None
    half_width: float | None


@dataclass(frozen=True)
class Paired:
    """Mean of the paired differences first - second, its t interval, p of the two-sided paired t test."""

    n: int
    difference: float
    sd: float | None
    low: float | None
    high: float | None
    p: float | None
    in_favour: int
    """Seeds in which first > second."""


def summarise(values: Sequence[float]) -> Summary:
    """Mean, sample standard deviation and half-width of the 95 % t interval. Raises ValueError if empty."""
    if not values:
        raise ValueError("no values to summarise")
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Summary(1, mean, None, None)
    sd = float(np.std(values, ddof=1))
    return Summary(n, mean, sd, t_half_width(sd, n))


def t_half_width(sd: float, n: int) -> float:
    """Half-width of the two-sided 95 % t interval of a mean."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd / math.sqrt(n)


def compare_paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Paired t statistics of first - second. Raises ValueError unless both have the same length ≥ 1."""
    if len(first) != len(second) or not first:
        raise ValueError("paired values must be equally many, and at least one")
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    n, mean = len(differences), float(differences.mean())
    in_favour = int((differences > 0).sum())
    if n == 1:
        return Paired(1, mean, None, None, None, None, in_favour)
    sd = float(differences.std(ddof=1))
    half = t_half_width(sd, n)
    if sd <= 1e-12 * max(1.0, abs(mean)):  # The t statistic is 0/0 or infinite.
        p = 1.0 if abs(mean) <= 1e-12 else 0.0
    else:
        p = float(stats.ttest_rel(first, second).pvalue)
    return Paired(n, mean, sd, mean - half, mean + half, p, in_favour)


def seeds_needed(difference: float, sd: float) -> int | None:
    """Seeds at which a two-sided paired t test of this effect has 80 % power; None beyond MOST_SEEDS."""
    if sd == 0:
        return 2 if difference else None
    effect, test = abs(difference) / sd, TTestPower()

    def enough(n: int) -> bool:
        # The noncentral t overflows to NaN only where the effect is enormous.
        return not test.power(effect, n, ALPHA) < POWER

    n = 2 + bisect.bisect_left(range(2, MOST_SEEDS + 1), True, key=enough)
    return n if n <= MOST_SEEDS else None


def welch(mean1: float, sd1: float, n1: int, mean2: float, sd2: float, n2: int) -> tuple[float, float]:
    """Welch's t and its two-sided p, from summaries."""
    result = stats.ttest_ind_from_stats(mean1, sd1, n1, mean2, sd2, n2, equal_var=False)
    return float(result.statistic), float(result.pvalue)


def equivalence_p(mean1: float, sd1: float, n1: int, mean2: float, sd2: float, n2: int, margin: float) -> float:
    """P of two one-sided Welch tests (TOST) that the means differ by less than `margin`."""
    above = stats.ttest_ind_from_stats(
        mean1, sd1, n1, mean2 - margin, sd2, n2, equal_var=False, alternative="greater"
    )
    below = stats.ttest_ind_from_stats(
        mean1, sd1, n1, mean2 + margin, sd2, n2, equal_var=False, alternative="less"
    )
    return float(max(above.pvalue, below.pvalue))


def equivalence_p_to_constant(mean: float, sd: float, n: int, constant: float, margin: float) -> float:
    """P of two one-sided one-sample tests that the mean is within `margin` of a number without uncertainty."""
    error = sd / math.sqrt(n)
    above = stats.t.sf((mean - (constant - margin)) / error, n - 1)
    below = stats.t.cdf((mean - (constant + margin)) / error, n - 1)
    return float(max(above, below))


def one_sample_p(mean: float, sd: float, n: int, constant: float) -> float:
    """P of the two-sided one-sample t test against a constant."""
    return float(2 * stats.t.sf(abs(mean - constant) / (sd / math.sqrt(n)), n - 1))
