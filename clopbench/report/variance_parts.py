"""The variance of a table, source by source: from its cells to shares, for each metric and row."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.statistics.intervals import Estimate
from clopbench.statistics.variance import Part, Parts, binomial_variance, shares_of_variance
from clopbench.suite.declarations import Coordinates, MetricColumn

SUM, TEST_SET = "sum", "test set"
"""What `as_data` calls the sum of the sources, and the test set."""


@dataclass(frozen=True)
class Breakdown:
    """The variance of one metric in one combination of the points of the other axes."""

    metric: MetricColumn
    coordinates: Coordinates
    """Without the axis of the sources."""
    together: str
    """The point at which all sources vary."""
    parts: Parts | None
    """None: fewer than two seeds have a value in every row, or a row is not run."""
    images: int | None
    """In the test set, where the metric is a share of them and the records agree on their number."""
    incomplete: int
    """Seeds that have a value in some rows, but not in all of them. They are left out."""


def breakdowns(table: Table) -> list[Breakdown]:
    """Of each declared metric, in each combination; empty where the table declares no variance."""
    declared = table.declaration.variance
    if declared is None:
        return []
    known = {column.metric: column for column in table.declaration.columns_of_metrics}
    others = [axis for axis in table.axes if axis != declared.axis]
    places = [dict(zip(others, p, strict=True)) for p in product(*(table.axes[axis] for axis in others))]
    return [_breakdown(table, known[metric], place) for metric in declared.metrics for place in places]


def as_data(one: Breakdown) -> list[dict[str, Any]]:
    """For `--json` and CSV, a line for each part; what is not known is null."""
    return [
        {
            "metric": one.metric.metric,
            **one.coordinates,
            "source": name,
            "sd": part.sd.value,
            "sd_interval": _ends(part.sd),
            "share": part.share.value if part.share else None,
            "share_interval": _ends(part.share),
            "ratio": part.ratio.value if part.ratio else None,
            "ratio_interval": _ends(part.ratio),
            "n": one.parts.n if one.parts else 0,
            "incomplete": one.incomplete,
        }
        for name, part in _named(one)
    ]


def _named(one: Breakdown) -> Iterator[tuple[str, Part]]:
    if one.parts is None:
        return
    yield from one.parts.sources.items()
    yield SUM, one.parts.total
    yield one.together, one.parts.together
    if one.parts.test_set is not None:
        yield TEST_SET, one.parts.test_set


def _breakdown(table: Table, metric: MetricColumn, place: Coordinates) -> Breakdown:
    declared = table.declaration.variance
    assert declared is not None
    here = [number for number in table.numbers if place.items() <= number.coordinates.items()]
    rows = {number.coordinates[declared.axis]: number.values_of(metric.metric) for number in here}
    seeds = sorted(set[int]().union(*rows.values()))
    complete = [seed for seed in seeds if all(seed in row for row in rows.values())]
    values = {point: [row[seed] for seed in complete] for point, row in rows.items()}
    together = values.pop(declared.together, [])
    images = _test_images(here) if declared.of_test_images else None
    parts = None
    if len(together) >= 2 and values:
        accuracy = sum(together) / len(together)
        parts = shares_of_variance(values, together, binomial_variance(accuracy, images) if images else None)
    return Breakdown(metric, place, declared.together, parts, images, len(seeds) - len(complete))


def _test_images(numbers: list[Number]) -> int | None:
    """As many as the records say, those that say it; None where they do not agree, or none does."""
    cells = [cell for number in numbers for cell in number.cells]
    found = {int(cell.provenance["test_images"]) for cell in cells if "test_images" in cell.provenance}
    return found.pop() if len(found) == 1 else None


def _ends(one: Estimate | None) -> list[float] | None:
    return None if one is None or one.low is None or one.high is None else [one.low, one.high]
