"""How often intervals hold what they should, and how often a row without a fall has a threshold."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from outcomes import ACCURACY, DISTRIBUTIONS, Floats, draw
from rates import Rate, Table
from scipy import stats

from clopbench.statistics import intervals
from clopbench.statistics.falls import FALSE_FALLS, largest_share, noise
from clopbench.statistics.intervals import TRIMMED, Estimate
from clopbench.statistics.thresholds import Reading, bracket

SEEDS = (6, 10, 20)
RESAMPLES = 1000
POINTS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
NOISE = 0.05


def of_differences(repetitions: int, seeds: Sequence[int] = SEEDS) -> Table:
    """Mean paired differences: the flips' interval beside t and two bootstraps."""
    methods = {
        "sign flips": lambda values: intervals.typical(values.tolist()),
        "t": lambda values: intervals.mean(values.tolist()),
        "BCa bootstrap": lambda values: _scipy_bootstrap(values, np.mean, "BCa"),
        "studentised bootstrap": _studentised,
    }
    limits = {"sign flips": (0.92, None)}
    return _table("Paired differences: 95 % intervals of the mean that hold it.", methods, _difference, 0.0,
                  repetitions, seeds, limits)  # fmt: skip


def of_middles(repetitions: int, seeds: Sequence[int] = SEEDS) -> Table:
    """Rows of values: the interquartile mean by two intervals, and the mean by t."""
    methods = {
        "interquartile mean, trimmed t": lambda values: intervals.interquartile_mean(values.tolist()),
        "interquartile mean, bootstrap": lambda values: _scipy_bootstrap(values, _middle, "percentile"),
    }
    limits = {"interquartile mean, trimmed t": (0.90, None)}
    return _table("Rows: 95 % intervals that hold the interquartile mean.", methods, _row, None,
                  repetitions, seeds, limits)  # fmt: skip


def of_means(repetitions: int, seeds: Sequence[int] = (3, 5, 10, 20)) -> Table:
    """Rows of values: the mean by t, which is wrong where rows are skewed or collapse, whatever one does."""
    methods = {
        "mean, t, cut at 0 and 1": lambda values: intervals.mean(values.tolist(), (0.0, 1.0)),
        "mean, studentised bootstrap": _studentised,
    }
    return _table("Rows: 95 % intervals that hold the mean.", methods, _row, None, repetitions, seeds, {})


def of_falls(repetitions: int, seeds: Sequence[int] = (3, 5, 10, 20)) -> Table:
    """Thresholds of rows with 5 % noise, at a share of 90 % of the best."""
    rows: dict[str, dict[str, Rate]] = {}
    for n in seeds:
        rng = np.random.default_rng(n)
        before = after = right = 0
        for _ in range(repetitions):
            flat_SP = ACCURACY * (1 + NOISE * rng.standard_normal((n, len(POINTS))))
            fallen_SP = flat_SP * np.where(np.arange(len(POINTS)) < 4, 1.0, 0.6)
            share, lower = (largest_share(0.9, noise(values), len(POINTS)) for values in (flat_SP, fallen_SP))
            before += sum(_position(row, 0.9) < len(POINTS) for row in flat_SP)
            after += sum(_position(row, share) < len(POINTS) for row in flat_SP)
            right += sum(_position(row, lower) == 4 for row in fallen_SP)
        total = n * repetitions
        rows[f"n = {n}"] = {
            "no fall, share as declared": Rate(before, total),
            "no fall, share beyond noise": Rate(after, total, high=FALSE_FALLS),
            "fall to 60 %, found at its point": Rate(right, total, low=0.9 if n >= 5 else None),
        }
    return Table("Seeds with a threshold: six points, 5 % noise, share 90 %.", "seeds", rows)


Interval = Callable[[Floats], Estimate]


def _table(
    title: str, methods: Mapping[str, Interval], sample: Callable[..., Floats], truth: float | None,
    repetitions: int, seeds: Sequence[int], limits: Mapping[str, tuple[float | None, float | None]],
) -> Table:  # fmt: skip
    rows: dict[str, dict[str, Rate]] = {}
    for distribution in DISTRIBUTIONS:
        large = sample(np.random.default_rng(0), distribution, 400_000)
        for name, method in methods.items():
            true = truth
            if true is None:
                true = float(stats.trim_mean(large, TRIMMED) if "interquartile" in name else large.mean())
            for n in seeds:
                rng = np.random.default_rng([n, DISTRIBUTIONS.index(distribution)])
                inside = sum(_holds(method(sample(rng, distribution, n)), true) for _ in range(repetitions))
                rows.setdefault(f"{distribution}, {name}", {})[f"n = {n}"] = Rate(
                    inside, repetitions, *limits.get(name, ())
                )
    return Table(title, "outcomes, interval", rows)


def _holds(found: Estimate, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def _row(rng: np.random.Generator, distribution, n: int) -> Floats:
    return draw(rng, distribution, n, 1, 0.0).values(0)


def _difference(rng: np.random.Generator, distribution, n: int) -> Floats:
    drawn = draw(rng, distribution, n, 2, 0.5)
    return drawn.values(0) - drawn.values(1)


def _middle(values: Floats, axis: int = -1) -> Floats:
    return stats.trim_mean(values, TRIMMED, axis=axis)


def _scipy_bootstrap(values: Floats, statistic: Callable[..., Floats], method: str) -> Estimate:
    with np.errstate(all="ignore"):
        found = stats.bootstrap(
            (values,), statistic, vectorized=True, n_resamples=RESAMPLES, method=method,
            rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
    return Estimate(float(values.mean()), float(found.low), float(found.high))


def _studentised(values: Floats) -> Estimate:
    n, centre = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / np.sqrt(n)
    drawn = values[np.random.default_rng(0).integers(0, n, (RESAMPLES, n))]
    spread = drawn.std(axis=1, ddof=1)
    t = (drawn.mean(axis=1) - centre)[spread > 0] / (spread[spread > 0] / np.sqrt(n))
    low, high = np.quantile(t, [0.025, 0.975]) if len(t) else (0.0, 0.0)
    return Estimate(centre, centre - float(high) * error, centre - float(low) * error)


def _position(row: Floats, share: float) -> int:
    return bracket(POINTS, [Reading(float(value)) for value in row], share).position
