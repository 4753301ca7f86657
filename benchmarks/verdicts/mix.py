"""The declared claims of the tables, as a simulation needs them: kinds, margins, and which rows meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clopbench.report import points
from clopbench.report.claims.kinds import kind_of
from clopbench.suite.declarations import TableDeclaration
from clopbench.suite.suite import Benchmark, Suite

ROOT = Path(__file__).resolve().parents[2]
DETERMINISTIC = ("overhead_memory",)
"""Metrics without noise: claims about them are no members of the family."""


@dataclass(frozen=True)
class Meeting:
    """Two sides that are compared, as numbers of rows; several rows are a range along an axis."""

    first: tuple[int, ...]
    second: tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """A claim without its numbers."""

    name: str
    kind: str
    margin: float
    meetings: tuple[Meeting, ...]


@dataclass(frozen=True)
class Mix:
    """All claims that are tested at a scale. rows: how many rows of values they are about."""

    shapes: tuple[Shape, ...]
    rows: int

    def __len__(self) -> int:
        return len(self.shapes)


def declared(scale: str, root: Path = ROOT) -> Mix:
    """Read the claims of all tables at a scale. A row is a benchmark's point by one metric."""
    suite, rows = Suite(root), dict[tuple[object, ...], int]()
    shapes = []
    for name in suite.table_names():
        table = suite.table(name)
        benchmark = suite.benchmark(table.benchmark, scale)
        shapes += _shapes(name, table, benchmark, rows)
    return Mix(tuple(shapes), len(rows))


def _shapes(
    name: str, table: TableDeclaration, benchmark: Benchmark, rows: dict[tuple[object, ...], int]
) -> Sequence[Shape]:
    found = []
    for claim in table.claims:
        metric = claim.metric or table.metric
        if claim.kind == "higher_threshold":
            metric = f"threshold {claim.threshold}"

        def side(coordinates: points.Side, metric: str = metric) -> tuple[int, ...]:
            if metric.startswith("threshold"):  # One position for a whole row of points.
                coordinates = coordinates[:1]
            keys = [(table.benchmark, metric, *sorted(at.items())) for at in coordinates]
            return tuple(rows.setdefault(key, len(rows)) for key in keys)

        pairs = kind_of(claim, table).pairs(benchmark.axes)
        meetings = tuple(Meeting(side(pair.first), side(pair.second)) for pair in pairs)
        if meetings and metric not in DETERMINISTIC:
            found.append(Shape(f"{name}: {claim.name}", claim.kind, getattr(claim, "margin", 0.0), meetings))
    return found
