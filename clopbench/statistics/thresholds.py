"""Where along a grid something falls: one bracket for each seed, and their median. Pure functions.

A grid tells only between which two of its points a threshold lies (it is interval-censored). So each seed
gives a bracket, open at the top where nothing fell and at the bottom where the first point already had.
Points are positive and are looked at on a logarithmic scale. Infinity stands for an open top, 0 for an open
bottom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from clopbench.statistics.summaries import CONFIDENCE


@dataclass(frozen=True)
class Reading:
    """What one cell says: its metric, if it has one, and whether it collapsed or diverged."""

    value: float | None
    broken: bool = False


@dataclass(frozen=True)
class Bracket:
    """One seed's threshold: above `low` (0: no point was good) and at most `high` (∞: none was bad).

    estimate: inside, by interpolation; None where the bracket is open.
    """

    low: float
    high: float
    position: int
    """How many points of the grid come before the first bad one."""
    estimate: float | None
    recovers: bool = False
    """A later point is good again, so that there is no single threshold."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The estimate twice, or what is known instead of it."""
        return (self.low, self.high) if self.estimate is None else (self.estimate, self.estimate)


def bracket(points: Sequence[float], readings: Sequence[Reading], share: float) -> Bracket:
    """The first point that falls below `share` of the best of those before it, or is broken.

    points: ascending, above 0. Between the last good and the first bad point the metric is taken as linear in
    log(point), and the estimate is where that line crosses share · best. Where a bad point has no value, or
    broke at a value that is not below, the estimate is the geometric mean of the two.
    Raises ValueError for points that do not ascend, and for a cell that has neither a value nor broke.
    """
    if list(points) != sorted(set(points)) or len(points) != len(readings) or min(points, default=0) <= 0:
        raise ValueError("points must be above 0 and ascend, with one reading each")
    if any(reading.value is None and not reading.broken for reading in readings):
        raise ValueError("a cell that is not broken must have a value")
    best: float | None = None
    for position, reading in enumerate(readings):
        if _is_bad(reading, best, share):
            recovers = any(not _is_bad(later, best, share) for later in readings[position + 1 :])
            if best is None:
                return Bracket(0.0, points[0], 0, None, recovers)
            low, high = points[position - 1], points[position]
            estimate = _crossing(low, high, readings[position - 1], reading, share * best)
            return Bracket(low, high, position, estimate, recovers)
        assert reading.value is not None
        best = reading.value if best is None else max(best, reading.value)
    return Bracket(points[-1], math.inf, len(points), None)


def _is_bad(reading: Reading, best: float | None, share: float) -> bool:
    if reading.broken or reading.value is None:
        return True
    return best is not None and reading.value < share * best


def _crossing(low: float, high: float, good: Reading, bad: Reading, level: float) -> float:
    """Where the line from the last good to the first bad point, over log(point), is at `level`."""
    part = 0.5
    if good.value is not None and bad.value is not None and bad.value < level:
        part = (good.value - level) / (good.value - bad.value)
    return low * (high / low) ** part


@dataclass(frozen=True)
class Median:
    """The median threshold over seeds.

    low and high: the median itself where they are equal; else what open brackets leave of it. interval: holds
    the true median with at least `confidence`, whatever the distribution; None below six seeds. above, below:
    seeds beyond the largest, and at or below the smallest point. recovering: seeds without a single threshold.
    """

    n: int
    low: float
    high: float
    interval: tuple[float, float] | None
    confidence: float | None
    above: int
    below: int
    recovering: int

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def censored(self) -> float:
        """The share of seeds whose threshold lies beyond the grid."""
        return (self.above + self.below) / self.n


def median(brackets: Sequence[Bracket]) -> Median:
    """The median of some thresholds, of an even number the geometric mean of the middle two.

    The interval is the order statistics' (David & Nagaraja 2003, section 7.1): from the k-th smallest to the
    k-th largest, k the largest with a coverage of 95 % or more. Its ends are ends of brackets, the lower ends
    below and the upper ends above, so that it does not rest on interpolation. Raises ValueError for none.
    """
    if not brackets:
        raise ValueError("no thresholds to summarise")
    n = len(brackets)
    low, high = (_middle(sorted(one.bounds[side] for one in brackets)) for side in (0, 1))
    rank, confidence = median_ranks(n)
    interval = None
    if rank is not None:
        interval = (
            sorted(one.low for one in brackets)[rank - 1],
            sorted(one.high for one in brackets)[n - rank],
        )
    return Median(
        n, low, high, interval, confidence,
        above=sum(math.isinf(one.high) for one in brackets),
        below=sum(one.low == 0 for one in brackets),
        recovering=sum(one.recovers for one in brackets),
    )  # fmt: skip


def median_ranks(n: int, confidence: float = CONFIDENCE) -> tuple[int | None, float | None]:
    """The largest k for which the k-th smallest to the k-th largest of n values holds the median.

    It does with probability 1 - 2 P(Binomial(n, ½) < k). Returns k and that, or None where no k is enough.
    """
    ranks = [k for k in range(1, n // 2 + 1) if 1 - 2 * stats.binom.cdf(k - 1, n, 0.5) >= confidence]
    if not ranks:
        return None, None
    return ranks[-1], float(1 - 2 * stats.binom.cdf(ranks[-1] - 1, n, 0.5))


def _middle(ascending: Sequence[float]) -> float:
    """The median; of an even number the geometric mean of the middle two (0 or ∞ where one is)."""
    first, second = ascending[(len(ascending) - 1) // 2], ascending[len(ascending) // 2]
    return first if first == second else math.sqrt(first * second)
