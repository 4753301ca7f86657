"""Where the variance over seeds comes from: its parts, each seen by varying one source of randomness alone.

After Bouthillier et al. 2021, "Accounting for Variance in Machine Learning Benchmarks". Shape: N seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from clopbench.statistics.flips import Floats
from clopbench.statistics.intervals import Estimate
from clopbench.statistics.summaries import CONFIDENCE, NO_SPREAD

FEWEST_FOR_INTERVAL = 3
"""The variance without one of two seeds is not known."""


@dataclass(frozen=True)
class Variance:
    """A variance (ddof = 1), and what it is without each of the seeds in turn [N]."""

    value: float
    without_N: Floats


@dataclass(frozen=True)
class Part:
    """The part of one source, of all of them together, or of the test set.

    sd: standard deviation, in units of the metric. share: of the sum of the single sources' variances, for
    these only. ratio: variance over that of all sources together. None: nothing is a part of no variance.
    """

    sd: Estimate
    share: Estimate | None
    ratio: Estimate | None


@dataclass(frozen=True)
class Parts:
    """sources: by name, in the order given. total: the sum of their variances. together: all varied at once."""

    n: int
    sources: Mapping[str, Part]
    total: Part
    together: Part
    test_set: Part | None


def shares_of_variance(
    sources: Mapping[str, Sequence[float]],
    together: Sequence[float],
    test_set: float | None = None,
    confidence: float = CONFIDENCE,
) -> Parts:
    """The parts of the variance over N seeds, of one value for each source and seed.

    test_set: the variance that other test images would add (`binomial_variance`).
    Raises ValueError without sources, unless all rows have the same N ≥ 2 seeds.
    """
    if not sources or {len(row) for row in sources.values()} != {len(together)} or len(together) < 2:
        raise ValueError("every source needs a value for each of the same seeds, two at least")
    of = {name: variance(row) for name, row in sources.items()}
    whole, every = variance(together), total(list(of.values()))

    def part(one: Variance, share: Estimate | None = None) -> Part:
        return Part(deviation(one, confidence), share, ratio(one, whole, confidence))

    fixed = None
    if test_set is not None:
        known = Variance(test_set, np.full_like(whole.without_N, test_set))
        fixed = Part(Estimate(test_set**0.5), None, ratio(known, whole, confidence))
    return Parts(
        len(together),
        {name: part(one, share_of(one, every, confidence)) for name, one in of.items()},
        part(every),
        Part(deviation(whole, confidence), None, Estimate(1.0) if whole.value > 0 else None),
        fixed,
    )


def variance(values: Sequence[float]) -> Variance:
    """Of N ≥ 2 values. Values that differ by rounding alone have none."""
    row_N = np.asarray(values, dtype=float)
    kept_NM = np.array([np.delete(row_N, seed) for seed in range(len(row_N))])
    known = len(row_N) >= FEWEST_FOR_INTERVAL
    return Variance(float(_of_rows(row_N[None])[0]), _of_rows(kept_NM) if known else np.zeros(0))


def _of_rows(rows: Floats) -> Floats:
    return np.where(np.ptp(rows, axis=1) > NO_SPREAD, rows.var(axis=1, ddof=1), 0.0)


def total(variances: Sequence[Variance]) -> Variance:
    """Their sum; without a seed: without it in all of them."""
    return Variance(sum(one.value for one in variances), np.sum([one.without_N for one in variances], axis=0))


def binomial_variance(accuracy: float, images: int) -> float:
    """Variance of an accuracy over test sets of so many images, for one trained model: p (1 - p) / images.

    Each test image is taken as a draw of its own. Raises ValueError unless 0 ≤ p ≤ 1 and there is an image.
    """
    if not 0 <= accuracy <= 1 or images < 1:
        raise ValueError("an accuracy lies between 0 and 1, and a test set has an image")
    return accuracy * (1 - accuracy) / images


def deviation(one: Variance, confidence: float = CONFIDENCE) -> Estimate:
    """Standard deviation with its interval."""
    found = _jackknifed(one, Variance(1.0, np.ones_like(one.without_N)), confidence)
    ends = (None if end is None else end**0.5 for end in (found.low, found.high))
    return Estimate(one.value**0.5, *ends)


def ratio(one: Variance, other: Variance, confidence: float = CONFIDENCE) -> Estimate | None:
    """The ratio of two variances with its interval; None where the other does not vary."""
    return _jackknifed(one, other, confidence) if other.value > 0 else None


def share_of(one: Variance, every: Variance, confidence: float = CONFIDENCE) -> Estimate | None:
    """The share of one variance in a sum that holds it, with its interval; None where nothing varies.

    The interval is that of the odds, one / (sum - one).
    """
    if every.value <= 0:
        return None
    # Rounding must not leave something of nothing.
    rest = Variance(
        every.value - one.value if every.value > one.value * (1 + NO_SPREAD) else 0.0,
        np.maximum(every.without_N - one.without_N, 0.0),
    )
    if rest.value == 0:
        return Estimate(1.0)
    odds = _jackknifed(one, rest, confidence)
    ends = (None if end is None else end / (1 + end) for end in (odds.low, odds.high))
    return Estimate(one.value / every.value, *ends)


def _jackknifed(one: Variance, other: Variance, confidence: float) -> Estimate:
    """A ratio, with the interval of its logarithm by leaving out one seed at a time (Miller 1968).

    Student's t with N - 1 degrees of freedom on the N pseudo-values. Unlike the interval of F it does not rest
    on normal values, nor on rows that are independent of each other. None where a variance vanishes, or does
    once a seed is left out: then it rests on that seed alone.
    """
    value, n = one.value / other.value, len(one.without_N)
    if n < FEWEST_FOR_INTERVAL or value == 0 or min(one.without_N.min(), other.without_N.min()) <= 0:
        return Estimate(value)
    pseudo_N = n * np.log(value) - (n - 1) * np.log(one.without_N / other.without_N)
    error = float(pseudo_N.std(ddof=1)) / n**0.5
    factor = float(np.exp(stats.t.ppf((1 + confidence) / 2, n - 1) * error))
    return Estimate(value, value / factor, value * factor)
