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
    """Mean over seeds; sd (ddof = 1) and the 95 % t interval only where n ≥ 2."""

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    """The interval, within the bounds of the metric."""
    is_cut: bool = False
    """A bound cut it off, so that the mean is not in its middle."""

    @property
    def half_width(self) -> float | None:
        """None also where the interval has no two equal halves."""
        return None if self.high is None or self.is_cut else self.high - self.mean


def summarise(values: Sequence[float], bounds: tuple[float, float] | None = None) -> Summary:
    """Mean, sample standard deviation and 95 % t interval. Raises ValueError if empty.

    bounds: between what the metric lies. Cutting the interval there loses no coverage: what is cut off does not
    hold the true mean.
    """
    if not values:
        raise ValueError("no values to summarise")
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Summary(1, mean, None, None, None)
    sd = float(np.std(values, ddof=1))
    half = t_half_width(sd, n)
    low, high = mean - half, mean + half
    inside = (low, high) if bounds is None else (max(low, bounds[0]), min(high, bounds[1]))
    return Summary(n, mean, sd, *inside, inside != (low, high))


def t_half_width(sd: float, n: int, confidence: float = CONFIDENCE) -> float:
    """Half-width of the two-sided t interval of a mean."""
    return float(stats.t.ppf((1 + confidence) / 2, n - 1)) * sd / math.sqrt(n)
