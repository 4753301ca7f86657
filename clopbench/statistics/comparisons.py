"""One comparison of two rows over the seeds that both have: effect, interval, p in both directions.

Values are signed so that higher is better. A test gives two one-sided p values: `p_for` that what the claim
says holds, `p_against` that its opposite holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy import stats

from clopbench.statistics import power
from clopbench.statistics.summaries import ALPHA, CONFIDENCE, bootstrap, pitman_morgan, t_half_width, t_p_above


@dataclass(frozen=True)
class Comparison:
    """What a test found. What cannot be known from so few seeds is None."""

    n: int
    estimate: float | None
    """Mean of first - second; for `Spread` the ratio of standard deviations, for `Order` a share of seeds."""
    sd: float | None = None
    """Standard deviation (ddof = 1) of the differences."""
    low: float | None = None
    high: float | None = None
    p_for: float | None = None
    p_against: float | None = None
    bootstrap: tuple[float, float] | None = None
    in_favour: int | None = None
    """Seeds in which first > second; for `Equivalence` those in which they differ by less than the margin."""
    correlation: float | None = None
    """Of sums with differences, for `Spread` only."""
    tied: int | None = None
    """Seeds in which neither is larger, for `Order` only."""


class Hypothesis(Protocol):
    """What is asked of two rows."""

    @property
    def sides(self) -> int:
        """2 where the p value shown is two-sided, 1 where it is one-sided."""
        ...

    @property
    def confidence(self) -> float:
        """Of the interval."""
        ...

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        """Compare paired values. Raises ValueError unless both have the same length ≥ 1."""
        ...

    def favours(self, found: Comparison) -> bool:
        """Whether the estimate itself agrees with the claim."""
        ...

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        """Seeds that would settle it, either way, at level alpha; None if unknown or too many.

        cautious: at the unfavourable limit of the spread (`power.CAUTION`) instead of its estimate.
        """
        ...


@dataclass(frozen=True)
class Superiority:
    """first > second: paired t test, two-sided unless `sides` is 1."""

    sides: int = 2
    confidence: float = CONFIDENCE

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        return _paired_t(first, second, 0.0, self.confidence)

    def favours(self, found: Comparison) -> bool:
        return (found.estimate or 0) > 0

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        return _t_seeds(found, found.estimate or 0.0, alpha, self.sides, cautious)


@dataclass(frozen=True)
class NonInferiority:
    """first > second - margin: paired one-sided t test."""

    margin: float
    sides: int = 1
    confidence: float = 1 - 2 * ALPHA

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        return _paired_t(first, second, -self.margin, self.confidence)

    def favours(self, found: Comparison) -> bool:
        return (found.estimate or 0) > -self.margin

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        return _t_seeds(found, (found.estimate or 0.0) + self.margin, alpha, 1, cautious)


@dataclass(frozen=True)
class Equivalence:
    """|first - second| < margin: two one-sided paired t tests (TOST, Schuirmann 1987)."""

    margin: float
    sides: int = 1
    confidence: float = 1 - 2 * ALPHA

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        found = _paired_t(first, second, 0.0, self.confidence)
        within = sum(abs(one - other) < self.margin for one, other in zip(first, second, strict=True))
        found = replace(found, in_favour=within)
        if found.estimate is None or found.sd is None:
            return found
        inside, outside = (
            [t_p_above(s * found.estimate, found.sd, found.n, bound) for s in (1, -1)]
            for bound in (-self.margin, self.margin)
        )
        return replace(found, p_for=max(inside), p_against=min(1.0, 2 * min(outside)))

    def favours(self, found: Comparison) -> bool:
        return abs(found.estimate or 0) < self.margin

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        estimate = abs(found.estimate or 0.0)
        if estimate >= self.margin:
            return _t_seeds(found, estimate - self.margin, alpha / 2, 1, cautious)
        if found.sd is None:
            return None
        sd = power.cautious_sd(found.sd, found.n) if cautious else found.sd
        return power.equivalence_seeds(estimate, sd, self.margin, alpha)


@dataclass(frozen=True)
class Spread:
    """first varies less than second: Pitman-Morgan test, two-sided."""

    sides: int = 2
    confidence: float = CONFIDENCE

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        _check(first, second)
        found = pitman_morgan(first, second)
        if found.p is None or found.correlation is None:
            return Comparison(len(first), found.ratio)
        tails = found.p / 2, 1 - found.p / 2
        smaller, larger = tails if found.correlation < 0 else tails[::-1]
        return Comparison(
            len(first), found.ratio, None, found.low, found.high, smaller, larger,
            bootstrap([first, second], _ratio_of_sds), None, found.correlation,
        )  # fmt: skip

    def favours(self, found: Comparison) -> bool:
        return (found.estimate or 0) < 1

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        if found.correlation is None:
            return None
        r = power.cautious_correlation(found.correlation, found.n) if cautious else found.correlation
        return power.correlation_seeds(r, alpha)


@dataclass(frozen=True)
class Order:
    """first > second in most seeds: sign test, two-sided, over the seeds in which the two differ.

    For values of which only the order is known. The estimate is the share of those seeds in favour, with the
    interval of Clopper & Pearson (1934).
    """

    sides: int = 2
    confidence: float = CONFIDENCE

    def compare(self, first: Sequence[float], second: Sequence[float]) -> Comparison:
        _check(first, second)
        n = len(first)
        won = sum(a > b for a, b in zip(first, second, strict=True))
        tied = sum(a == b for a, b in zip(first, second, strict=True))
        share = won / (n - tied) if tied < n else None
        if share is None or n == 1:
            p = None if n == 1 else 1.0
            return Comparison(n, share, p_for=p, p_against=p, in_favour=won, tied=tied)
        above, below = (stats.binomtest(won, n - tied, alternative=side) for side in ("greater", "less"))
        interval = stats.binomtest(won, n - tied).proportion_ci(self.confidence)
        return Comparison(
            n, share, None, float(interval.low), float(interval.high), float(above.pvalue), float(below.pvalue),
            in_favour=won, tied=tied,
        )  # fmt: skip

    def favours(self, found: Comparison) -> bool:
        return found.estimate is None or found.estimate > 0.5

    def seeds_needed(self, found: Comparison, alpha: float, cautious: bool = False) -> int | None:
        untied = found.n - (found.tied or 0)
        if found.estimate is None or not untied:
            return None
        share = max(found.estimate, 1 - found.estimate)
        if cautious:
            share = power.cautious_share(share, untied)
        return power.sign_test_seeds(share, untied / found.n, alpha)


def _paired_t(first: Sequence[float], second: Sequence[float], bound: float, confidence: float) -> Comparison:
    """The mean difference with its interval, and the one-sided p that it is above or below `bound`."""
    _check(first, second)
    difference_n = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    n, mean = len(difference_n), float(difference_n.mean())
    in_favour = int((difference_n > 0).sum())
    if n == 1:
        return Comparison(1, mean, in_favour=in_favour)
    sd = float(difference_n.std(ddof=1))
    half = t_half_width(sd, n, confidence)
    above, below = t_p_above(mean, sd, n, bound), t_p_above(-mean, sd, n, -bound)
    return Comparison(
        n, mean, sd, mean - half, mean + half, above, below,
        bootstrap([difference_n.tolist()], np.mean, confidence), in_favour,
    )  # fmt: skip


def _ratio_of_sds(first: Any, second: Any, axis: int) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.std(first, axis=axis, ddof=1) / np.std(second, axis=axis, ddof=1)


def _t_seeds(found: Comparison, gap: float, alpha: float, sides: int, cautious: bool) -> int | None:
    if found.sd is None:
        return None
    if found.sd == 0:
        return 2 if gap else None
    sd = power.cautious_sd(found.sd, found.n) if cautious else found.sd
    return power.t_test_seeds(gap / sd, alpha, sides)


def _check(first: Sequence[float], second: Sequence[float]) -> None:
    if len(first) != len(second) or not len(first):
        raise ValueError("paired values must be equally many, and at least one")
