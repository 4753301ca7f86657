"""Records → one table at one scale: numbers with n, the paper's values, verdicts, claims. No formatting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from clopbench.errors import UserError, unknown
from clopbench.report import points, threshold_lines
from clopbench.report.claims import Claim, compare
from clopbench.report.figures import placement
from clopbench.report.observations import Arms, Number, Observation
from clopbench.report.threshold_lines import Line
from clopbench.results.records import RESULT_STATUSES
from clopbench.statistics.summaries import summarise
from clopbench.statistics.verdicts import NumberVerdict, judge_claims, judge_number
from clopbench.suite.declarations import Coordinates, MetricColumn, ScaleDeclaration, TableDeclaration
from clopbench.suite.suite import Benchmark


@dataclass(frozen=True)
class Table:
    """A table at one scale."""

    name: str
    declaration: TableDeclaration
    scale: ScaleDeclaration
    axes: Mapping[str, Sequence[str]]
    numbers: Sequence[Number]
    claims: Sequence[Claim] = field(default_factory=list)
    skipped: Mapping[str, Sequence[Coordinates]] = field(default_factory=dict)
    """Why some points are not run at this scale → the points."""
    thresholds: Sequence[Line] = ()
    further: Sequence[Number] = ()
    """The numbers of `also`, where these are columns with numbers of the paper of their own."""

    @property
    def all_numbers(self) -> list[Number]:
        return [*self.numbers, *self.further]

    @cached_property
    def cells(self) -> list[Observation]:
        """All cells, each once: two entries may be the same cell."""
        return list({cell.id: cell for number in self.numbers for cell in number.cells}.values())

    @cached_property
    def also(self) -> list[MetricColumn]:
        """The further metrics that some record has."""
        return [
            column
            for column in self.declaration.also
            if any(cell.metrics.get(column.metric) is not None for cell in self.cells)
        ]

    def label(self, coordinates: Coordinates) -> str:
        """The row's name as it is written."""
        return self.point_label(coordinates[self.declaration.rows])

    def point_label(self, point: str) -> str:
        return self.declaration.labels.get(point, point)


def build_table(
    name: str,
    declaration: TableDeclaration,
    benchmark: Benchmark,
    arms: Arms,
    seeds: Sequence[int] | None = None,
) -> Table:
    """Fill a table from recorded cells.

    seeds: those that were asked for; None means all that any row has. Raises UserError where the table's
    declaration names an axis or a point that the benchmark does not have.
    """
    _check(name, declaration, benchmark)
    asked = None if seeds is None else set(seeds)
    found = {
        entry.template.id: [
            cell for cell in arms.get(entry.template.arm, []) if asked is None or cell.seed in asked
        ]
        for entry in benchmark.entries
    }
    wanted = set(seeds) if seeds is not None else {cell.seed for cells in found.values() for cell in cells}
    numbers = [
        _number(declaration, benchmark.scale, entry.coordinates, found[entry.template.id], len(wanted))
        for entry in benchmark.entries
    ]
    further = [
        _number(
            declaration,
            benchmark.scale,
            entry.coordinates,
            found[entry.template.id],
            len(wanted),
            column.metric,
        )
        for column in (declaration.also if declaration.metrics_across else ())
        for entry in benchmark.entries
    ]
    by_place = {tuple(number.coordinates.items()): number for number in numbers}
    claims = [compare(claim, declaration, benchmark.axes, by_place) for claim in declaration.claims]
    thresholds = threshold_lines.lines(declaration.thresholds, benchmark, numbers)
    table = Table(
        name, declaration, benchmark.scale, benchmark.axes, numbers, claims, benchmark.skip_reasons, thresholds,
        further,
    )  # fmt: skip
    return judge_together([table])[0]


def judge_together(tables: Sequence[Table]) -> list[Table]:
    """The tables with the verdicts on their claims, corrected as one family (all at one scale)."""
    verdicts = iter(judge_claims([claim.tested for table in tables for claim in table.claims]))
    return [
        replace(table, claims=[replace(claim, verdict=next(verdicts)) for claim in table.claims])
        for table in tables
    ]


def check_table(name: str, declaration: TableDeclaration, benchmark: Benchmark) -> None:
    """Raise UserError where a declaration names an axis or a point that the whole benchmark does not have."""
    _check(name, declaration, benchmark)
    where = f"tables/{name}.yaml"
    for value in declaration.paper.values:
        for axis, point in value.at.items():
            if point not in benchmark.declared_axes[axis]:
                problem = unknown(f"point of axis {axis}", point, benchmark.declared_axes[axis])
                raise UserError(f"{where}: paper: {problem}")
    for claim in declaration.claims:
        points.check(claim, benchmark.declared_axes, where, thresholds=declaration.thresholds)
    for figure in declaration.figures:
        placement.check(figure, benchmark.declared_axes, where)


def _number(
    declaration: TableDeclaration,
    scale: ScaleDeclaration,
    coordinates: Coordinates,
    observed: Sequence[Observation],
    planned: int,
    metric: str | None = None,
) -> Number:
    metric = metric or declaration.metric
    cells = tuple(cell for cell in observed if cell.status in RESULT_STATUSES)
    known = (value for value in declaration.paper.values if (value.metric or declaration.metric) == metric)
    paper = next((value for value in known if value.at == coordinates), None)
    number = Number(
        coordinates, None, cells, planned, paper, NumberVerdict("not run"), metric,
        declaration.diverged_as.get(scale.name) if metric == declaration.metric else None,
    )  # fmt: skip
    present = list(number.values.values())
    summary = summarise(present) if present else None
    theirs = (paper.mean, paper.sd, paper.n) if paper else (None, None, None)
    verdict = judge_number(summary, *theirs, declaration.paper.margin, scale.is_paper)
    return replace(number, summary=summary, verdict=verdict)


def _check(name: str, declaration: TableDeclaration, benchmark: Benchmark) -> None:
    where = f"tables/{name}.yaml"
    for field_name in ("rows", "columns"):
        axis = getattr(declaration, field_name)
        if axis is not None and axis not in benchmark.declared_axes:
            axes = ", ".join(benchmark.declared_axes)
            raise UserError(f"{where}: {field_name}: benchmark {benchmark.name} has no axis '{axis}' ({axes})")
    for value in declaration.paper.values:
        if value.at.keys() != benchmark.declared_axes.keys():
            axes = ", ".join(benchmark.declared_axes)
            raise UserError(f"{where}: {value.at} must name a point of each axis ({axes})")
    threshold_lines.check(declaration, benchmark, where)
    for claim in declaration.claims:
        points.check(claim, benchmark.declared_axes, where, known=False, thresholds=declaration.thresholds)
