"""The thresholds of a table: from its cells to one bracket per seed, beside what a theory predicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clopbench.identity import flatten
from clopbench.report.observations import BROKEN, Number
from clopbench.statistics.falls import largest_share, noise
from clopbench.statistics.thresholds import Bracket, Median, Reading, bracket, median
from clopbench.suite.declarations import Coordinates
from clopbench.suite.suite import Benchmark, Entry
from clopbench.suite.thresholds import ThresholdDeclaration


@dataclass(frozen=True)
class Line:
    """One threshold in one combination of the points of the other axes."""

    declaration: ThresholdDeclaration
    coordinates: Coordinates
    """Without the axis that the threshold is sought along."""
    brackets: Mapping[int, Bracket]
    """Seed → where its threshold lies."""
    found: Median | None
    predicted: float | None
    share: float
    """Of the best before it, below which a point has fallen: the declared one, or what noise leaves of it."""
    incomplete: int
    """Seeds that have a cell at some points of the axis, but not at all of them. They are left out."""


def lines(
    declared: Sequence[ThresholdDeclaration], benchmark: Benchmark, numbers: Sequence[Number]
) -> list[Line]:
    """All declared thresholds of a table, each in every combination of the points of the other axes."""
    found = []
    for declaration in declared:
        for coordinates, row in _rows(declaration.axis, numbers):
            brackets, share = _read(declaration, row)
            seeds = {cell.seed for number in row for cell in number.cells}
            found.append(
                Line(
                    declaration, coordinates, brackets,
                    median(list(brackets.values())) if brackets else None,
                    _predicted(declaration, benchmark, coordinates), share,
                    len(seeds) - len(brackets),
                )
            )  # fmt: skip
    return found


def as_data(line: Line) -> dict[str, Any]:
    """For `--json`; open ends and what is not known are null."""
    found = line.found
    return {
        "threshold": line.declaration.name,
        **line.coordinates,
        "median": found.low if found and found.low == found.high else None,
        "at_least": _finite(found.low) if found else None,
        "at_most": _finite(found.high) if found else None,
        "interval": [_finite(end) for end in found.interval] if found and found.interval else None,
        "confidence": found.confidence if found else None,
        "n": found.n if found else 0,
        "above": found.above if found else 0,
        "below": found.below if found else 0,
        "censored": found.censored if found else None,
        "recovering": found.recovering if found else 0,
        "incomplete": line.incomplete,
        "share": line.share,
        "predicted": line.predicted,
        "brackets": {seed: [_finite(one.low), _finite(one.high)] for seed, one in line.brackets.items()},
    }


def by_seed(declaration: ThresholdDeclaration, row: Sequence[Number]) -> dict[int, Bracket]:
    """Seed → its bracket, from the numbers along the axis, for the seeds that have a reading at each."""
    return _read(declaration, row)[0]


def _read(declaration: ThresholdDeclaration, row: Sequence[Number]) -> tuple[dict[int, Bracket], float]:
    """Seed → its bracket, and the share of the best before it below which a point of the row has fallen.

    That is the declared one, or the smaller one that the row's noise leaves (clopbench/statistics/falls.py).
    """
    points, by_seed_P = _along(declaration, row)
    values_SP = [
        [math.nan if one.broken or one.value is None else one.value for one in readings_P]
        for readings_P in by_seed_P.values()
    ]
    share = largest_share(declaration.share, noise(values_SP), len(points))
    return {seed: bracket(points, readings_P, share) for seed, readings_P in by_seed_P.items()}, share


def _along(
    declaration: ThresholdDeclaration, row: Sequence[Number]
) -> tuple[list[float], dict[int, list[Reading]]]:
    """The points of the axis, ascending, and seed → its readings there, for seeds that have one at each."""
    ascending = sorted(row, key=lambda number: float(number.coordinates[declaration.axis]))
    points = [float(number.coordinates[declaration.axis]) for number in ascending]
    readings = [_readings(number, declaration.metric) for number in ascending]
    complete = sorted(set.intersection(*(set(one) for one in readings))) if readings else []
    return points, {seed: [one[seed] for one in readings] for seed in complete}


def _rows(axis: str, numbers: Sequence[Number]) -> list[tuple[Coordinates, list[Number]]]:
    """The numbers along an axis, for each combination of the points of the others."""
    rows: dict[tuple[tuple[str, str], ...], list[Number]] = {}
    for number in numbers:
        rest = tuple((name, point) for name, point in number.coordinates.items() if name != axis)
        rows.setdefault(rest, []).append(number)
    return [(dict(rest), row) for rest, row in rows.items()]


def _readings(number: Number, metric: str) -> dict[int, Reading]:
    """Seed → what its cell says; a cell that has neither a value nor broke says nothing."""
    found = {cell.seed: Reading(cell.metrics.get(metric), cell.status in BROKEN) for cell in number.cells}
    return {seed: one for seed, one in found.items() if one.broken or one.value is not None}


def _predicted(
    declaration: ThresholdDeclaration, benchmark: Benchmark, coordinates: Coordinates
) -> float | None:
    """The reference for one line; None where there is none, or its method has no such parameter."""
    key = declaration.setting
    here = [entry for entry in benchmark.entries if coordinates.items() <= entry.coordinates.items()]
    values = [_settings(entry).get(key) for entry in here] if key is not None else []
    if not values or values[0] is None:
        return None
    return declaration.predicted(values[0])


def _settings(entry: Entry) -> dict[str, float]:
    """The numeric settings of an entry, by dotted key, and its numeric points, by axis."""
    numeric = {
        key: float(value)
        for key, value in flatten(entry.template.config()).items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    return numeric | {axis: float(point) for axis, point in entry.coordinates.items() if _positive(point)}


def _finite(end: float) -> float | None:
    return end if 0 < end < math.inf else None


def _positive(point: str) -> bool:
    try:
        return 0 < float(point) < math.inf
    except ValueError:
        return False
