"""The statistics behind the tables, on top of scipy. Pure functions of numbers.

Shapes: `values` is one number per seed; paired arrays have the same seeds in the same order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
ALPHA = 0.05
NO_SPREAD = 1e-12
"""Values that differ by less are taken as equal: metrics are averages of thousands of terms of order 1."""


@dataclass(frozen=True)
class Summary:
    """Mean over seeds; sd (ddof = 1) and the t interval's half-width only where n ≥ 2."""

    n: int
    mean: float
    sd: float | None
    half_width: float | None


def summarise(values: Sequence[float]) -> Summary:
    """Mean, sample standard deviation and half-width of the 95 % t interval. Raises ValueError if empty."""
    if not values:
        raise ValueError("no values to summarise")
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Summary(1, mean, None, None)
    sd = float(np.std(values, ddof=1))
    return Summary(n, mean, sd, t_half_width(sd, n))


def t_half_width(sd: float, n: int, confidence: float = CONFIDENCE) -> float:
    """Half-width of the two-sided t interval of a mean."""
    return float(stats.t.ppf((1 + confidence) / 2, n - 1)) * sd / math.sqrt(n)


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
