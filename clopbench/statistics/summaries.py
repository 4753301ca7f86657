"""The statistics behind the tables, on top of scipy and statsmodels. Pure functions of numbers.

Shapes: `values` is one number per seed; paired arrays have the same seeds in the same order.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

CONFIDENCE = 0.95
ALPHA = 0.05
NO_SPREAD = 1e-12
"""Values that differ by less are taken as equal: metrics are averages of thousands of terms of order 1."""
MIN_BOOTSTRAP = 10
RESAMPLES = 9999
BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class Summary:
    """Mean over seeds; sd (ddof = 1) and the t interval's half-width only where n ≥ 2."""

    n: int
    mean: float
    sd: float | None
    half_width: float | None


@dataclass(frozen=True)
class SpreadRatio:
    """sd of the first over sd of the second, for paired samples.

    The ratio is infinite, and the interval missing, where the second does not vary; all is None where
    neither does. correlation: of the sums with the differences, which is 0 where the variances are equal.
    """

    ratio: float | None
    low: float | None
    high: float | None
    correlation: float | None
    p: float | None
    """Of the two-sided test that the variances are equal; None below three pairs."""


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


def t_p_above(mean: float, sd: float, n: int, constant: float) -> float:
    """One-sided p of the t test that a mean lies above `constant`; without spread it is 0, 1, or 0.5 at it."""
    excess = mean - constant
    if sd <= NO_SPREAD * max(1.0, abs(mean)):  # The t statistic is 0/0 or infinite.
        return 0.5 if abs(excess) <= NO_SPREAD else float(excess < 0)
    return float(stats.t.sf(excess / (sd / math.sqrt(n)), n - 1))


def pitman_morgan(first: Sequence[float], second: Sequence[float]) -> SpreadRatio:
    """Whether paired samples vary equally: Pitman (1939) and Morgan (1939).

    The variances are equal exactly where sums and differences do not correlate, so the test is that of a
    Pearson correlation. The interval holds the ratios that the test would not reject (closed form: its
    bounds are roots of a quadratic in the ratio of variances). Raises ValueError for unequal lengths.
    """
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if len(x) != len(y):
        raise ValueError("paired values must be equally many")
    n = len(x)
    if n < 2:
        return SpreadRatio(None, None, None, None, None)
    sd_x, sd_y = (float(v.std(ddof=1)) if np.ptp(v) > NO_SPREAD else 0.0 for v in (x, y))
    if sd_y == 0:
        if sd_x and n > 2:
            return SpreadRatio(math.inf, None, None, 1.0, 0.0)
        return SpreadRatio(None, None, None, None, None)
    if n == 2:
        return SpreadRatio(sd_x / sd_y, None, None, None, None)
    if sd_x == 0:
        return SpreadRatio(0.0, None, None, -1.0, 0.0)
    together = float(np.cov(x, y)[0, 1])
    # corr(x + y, x - y), from the variances and the covariance.
    variance_sum, variance_difference = (sd_x**2 + sd_y**2 + 2 * s * together for s in (1, -1))
    if min(variance_sum, variance_difference) <= NO_SPREAD**2:
        return SpreadRatio(sd_x / sd_y, None, None, None, None)
    r = (sd_x**2 - sd_y**2) / math.sqrt(variance_sum * variance_difference)
    certain = 1 - abs(r) <= NO_SPREAD  # All pairs on one line: the t statistic would be rounding error.
    p = 0.0 if certain else float(2 * stats.t.sf(abs(r) * math.sqrt((n - 2) / (1 - r**2)), n - 2))
    r_xy = together / (sd_x * sd_y)
    critical = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 2))
    k = 1 + 2 * max(1 - r_xy**2, 0.0) * critical**2 / (n - 2)
    ratio, factor = sd_x / sd_y, math.sqrt(k + math.sqrt(k**2 - 1))
    return SpreadRatio(ratio, ratio / factor, ratio * factor, r, p)


def bootstrap(
    samples: Sequence[Sequence[float]], statistic: Callable[..., Any], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """BCa interval (Efron 1987) over seeds, which are drawn together from all samples.

    statistic(*samples, axis) as scipy.stats.bootstrap wants it. None below MIN_BOOTSTRAP seeds, and where
    the resamples do not vary. The generator is seeded, so that the same values give the same interval.
    """
    if len(samples[0]) < MIN_BOOTSTRAP:
        return None
    with warnings.catch_warnings():
        # Said of resamples without spread, and answered by None below.
        warnings.simplefilter("ignore")
        result = stats.bootstrap(
            samples, statistic, paired=True, vectorized=True, n_resamples=RESAMPLES,
            confidence_level=confidence, method="BCa", rng=np.random.default_rng(BOOTSTRAP_SEED),
        )  # fmt: skip
    low, high = (float(bound) for bound in result.confidence_interval)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values (1979), in the given order."""
    if not p_values:
        return []
    return np.asarray(multipletests(p_values, method="holm")[1]).tolist()


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
