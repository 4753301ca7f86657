"""One comparison of two rows over the seeds that both have: the effect with its interval.

Values are signed so that higher is better. Nothing is tested here: p values and verdicts are those of
clopbench/statistics/family.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from clopbench.statistics import power
from clopbench.statistics.summaries import ALPHA, CONFIDENCE, NO_SPREAD, t_half_width

FEWEST_FOR_CORRELATION = 3
"""Two points always lie on one line."""


@dataclass(frozen=True)
class Comparison:
    """An effect. What cannot be known from so few seeds is None."""

    n: int
    estimate: float | None
    """Mean of first - second; for `Spread` the ratio of standard deviations, for `Order` a share of seeds."""
    sd: float | None = None
    """Standard deviation (ddof = 1) of the differences."""
    low: float | None = None
    high: float | None = None
    in_favour: int | None = None
    """Seeds in which first > second; for `Equivalence` those in which they differ by less than the margin."""
    correlation: float | None = None
    """Pearson's, of the two rows over seeds; None where one of them does not vary."""
    contrast: float | None = None
    """Pearson's, of sums with differences, for `Spread` only: 0 where the variances are equal."""
    tied: int | None = None
    """Seeds in which neither is larger, for `Order` only."""

    @property
    def standardised(self) -> float | None:
        """Mean difference / standard deviation of the differences (Cohen's d_z); None where nothing varies."""
        if self.sd is None or self.estimate is None or self.sd <= NO_SPREAD * max(1.0, abs(self.estimate)):
            return None
        return self.estimate / self.sd


class Hypothesis(Protocol):
    """What is asked of two rows: how its effect is expressed, and how many seeds would show it."""

    @property
    def confidence(self) -> float:
        """Of the interval."""
        ...

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        """Compare paired values. Raises ValueError unless both have the same length ≥ 1."""
        ...

    def slack(self, found: Comparison) -> float:
        """How far the estimate lies on the claim's side of what it must clear; negative where it does not."""
        ...

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        """Seeds that would settle it, either way, at level alpha; None if unknown or too many.

        cautious: at the unfavourable limit of the spread (`power.CAUTION`) instead of its estimate.
        """
        ...


@dataclass(frozen=True)
class Superiority:
    """first > second: the mean difference with its t interval."""

    confidence: float = CONFIDENCE

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        return _mean_difference(first, second, self.confidence)

    def slack(self, found: Comparison) -> float:
        return found.estimate or 0.0

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        return _t_seeds(found, found.estimate or 0.0, alpha, 2, cautious)


@dataclass(frozen=True)
class NonInferiority:
    """first > second - margin."""

    margin: float
    confidence: float = 1 - 2 * ALPHA

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        return _mean_difference(first, second, self.confidence)

    def slack(self, found: Comparison) -> float:
        return (found.estimate or 0.0) + self.margin

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        return _t_seeds(found, self.slack(found), alpha, 1, cautious)


@dataclass(frozen=True)
class Equivalence:
    """|first - second| < margin. The 90 % interval lies inside where two one-sided t tests at 5 % agree."""

    margin: float
    confidence: float = 1 - 2 * ALPHA

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        found = _mean_difference(first, second, self.confidence)
        within = sum(abs(one - other) < self.margin for one, other in zip(first, second, strict=True))
        return replace(found, in_favour=within)

    def slack(self, found: Comparison) -> float:
        return self.margin - abs(found.estimate or 0.0)

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        estimate = abs(found.estimate or 0.0)
        if estimate >= self.margin:
            return _t_seeds(found, estimate - self.margin, alpha / 2, 1, cautious)
        if found.sd is None:
            return None
        sd = power.cautious_sd(found.sd, found.n) if cautious else found.sd
        return power.equivalence_seeds(estimate, sd, self.margin, alpha)


@dataclass(frozen=True)
class Below(Superiority):
    """The values lie beyond a number, which is the second side: each seed lies on one side of it."""

    confidence: float = 1 - 2 * ALPHA

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        return _sign_seeds(found, alpha, cautious)


@dataclass(frozen=True)
class Nearness(Equivalence):
    """The values lie within a margin of a number, which is the second side."""

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        return _sign_seeds(found, alpha, cautious)


@dataclass(frozen=True)
class Spread:
    """first varies less than second: the ratio of standard deviations.

    It has no interval: the exact one for normal values misses the truth in every fourth skewed sample of ten.
    """

    confidence: float = CONFIDENCE

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        x_N, y_N = _paired(first, second)
        n = len(x_N)
        if n == 1:
            return Comparison(1, None)
        sd_x, sd_y = (float(v.std(ddof=1)) if np.ptp(v) > NO_SPREAD else 0.0 for v in (x_N, y_N))
        ratio = sd_x / sd_y if sd_y else float("inf") if sd_x else None
        together = correlation(x_N + y_N, x_N - y_N)
        return Comparison(n, ratio, correlation=correlation(x_N, y_N), contrast=together)

    def slack(self, found: Comparison) -> float:
        return 0.0 if found.estimate is None else 1 - found.estimate

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        if found.contrast is None:
            return None
        r = power.cautious_correlation(found.contrast, found.n) if cautious else found.contrast
        return power.correlation_seeds(r, alpha)


@dataclass(frozen=True)
class Order:
    """first > second in most seeds, over the seeds in which the two differ, where only the order is known.

    The estimate is the share of those seeds in favour, with the interval of Clopper & Pearson (1934).
    """

    confidence: float = CONFIDENCE

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        x_N, y_N = _paired(first, second)
        n, won, tied = len(x_N), int((x_N > y_N).sum()), int((x_N == y_N).sum())
        found = Comparison(n, None, in_favour=won, tied=tied, correlation=correlation(x_N, y_N))
        if tied == n:
            return found
        if n == 1:
            return replace(found, estimate=float(won))
        interval = stats.binomtest(won, n - tied).proportion_ci(self.confidence)
        return replace(found, estimate=won / (n - tied), low=float(interval.low), high=float(interval.high))

    def slack(self, found: Comparison) -> float:
        return 0.0 if found.estimate is None else found.estimate - 0.5

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        return _sign_seeds(found, alpha, cautious)


def correlation(x_N: NDArray[np.float64], y_N: NDArray[np.float64]) -> float | None:
    """Pearson's correlation; None below FEWEST_FOR_CORRELATION values, and where one side does not vary."""
    if len(x_N) < FEWEST_FOR_CORRELATION or min(np.ptp(x_N), np.ptp(y_N)) <= NO_SPREAD:
        return None
    return float(np.clip(np.corrcoef(x_N, y_N)[0, 1], -1.0, 1.0))


def _mean_difference(first: Sequence[float], second: Sequence[float], confidence: float) -> Comparison:
    x_N, y_N = _paired(first, second)
    difference_N = x_N - y_N
    n, mean = len(difference_N), float(difference_N.mean())
    in_favour = int((difference_N > 0).sum())
    if n == 1:
        return Comparison(1, mean, in_favour=in_favour)
    sd = float(difference_N.std(ddof=1))
    found = Comparison(n, mean, sd, in_favour=in_favour, correlation=correlation(x_N, y_N))
    if sd <= NO_SPREAD * max(1.0, abs(mean)):  # An interval would be a claim to certainty.
        return found
    half = t_half_width(sd, n, confidence)
    return replace(found, low=mean - half, high=mean + half)


def _sign_seeds(found: Comparison, alpha: float, cautious: bool) -> int | None:
    untied = found.n - (found.tied or 0)
    if found.in_favour is None or not untied:
        return None
    share = max(found.in_favour, untied - found.in_favour) / untied
    if cautious:
        share = power.cautious_share(share, untied)
    return power.sign_test_seeds(share, untied / found.n, alpha)


def _t_seeds(found: Comparison, gap: float, alpha: float, sides: int, cautious: bool) -> int | None:
    if found.sd is None:
        return None
    if found.sd == 0:
        return 2 if gap else None
    sd = power.cautious_sd(found.sd, found.n) if cautious else found.sd
    return power.t_test_seeds(gap / sd, alpha, sides)


def _paired(first: Sequence[float], second: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(first) != len(second) or not len(first):
        raise ValueError("paired values must be equally many, and at least one")
    return np.asarray(first, dtype=float), np.asarray(second, dtype=float)
