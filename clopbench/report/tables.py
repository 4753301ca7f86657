"""Records → one table at one scale: numbers with n, the paper's values, verdicts, claims. No formatting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from clopbench.report import threshold_lines
from clopbench.report.choosing import chosen
from clopbench.report.claims import judging, tested
from clopbench.report.claims.tested import Claim
from clopbench.report.observations import Arms, Number, Observation
from clopbench.report.paper_numbers import NOT_RUN, NumberVerdict, judge
from clopbench.report.threshold_lines import Line
from clopbench.results.looks import RecordedLook
from clopbench.results.records import RESULT_STATUSES
from clopbench.statistics.looks import Look
from clopbench.statistics.summaries import summarise
from clopbench.suite import metrics
from clopbench.suite.declarations import Coordinates, MetricColumn, ScaleDeclaration, TableDeclaration
from clopbench.suite.suite import Benchmark, Suite


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
    family: int = 0
    """Claims that were tested together with those of this table, its own among them."""
    looks: Sequence[Look] = ()
    """The looks that the verdicts rest on."""
    overrides: Sequence[str] = ()
    """What the command line changed about its cells, as 'training.epochs=2'."""
    data: Sequence[str] = ()
    """The data sets of its cells; none where nothing but a simulation is run."""

    @property
    def at(self) -> str:
        """'laptop', or 'laptop with training.epochs=2': a heading that says what was run."""
        return " with ".join(filter(None, [self.scale.name, ", ".join(self.overrides)]))

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
    """Fill a table from recorded cells. Its claims have no verdicts yet: see `judge_together`.

    seeds: those that were asked for; None means all that any row has. That the table fits the benchmark is seen
    to when both are read (clopbench/suite/fitting.py).
    """
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
    thresholds = threshold_lines.lines(declaration.thresholds, benchmark, numbers)
    axes: Mapping[str, Sequence[str]] = benchmark.axes
    if declaration.choice is not None:
        axes = declaration.choice.with_point(axes)
        numbers += chosen(declaration.choice, numbers)
    by_place = {tuple(number.coordinates.items()): number for number in numbers}
    comparable = benchmark.scale.is_paper
    claims = [tested.compare(claim, declaration, axes, by_place, comparable) for claim in declaration.claims]
    return Table(
        name, declaration, benchmark.scale, axes, numbers, claims, benchmark.skip_reasons, thresholds,
        further, overrides=benchmark.overrides, data=_data(benchmark),
    )  # fmt: skip


def _data(benchmark: Benchmark) -> list[str]:
    """Names of data sets; a cell that is a simulation has none, and they decide nothing of it."""
    cells = [entry.template for entry in benchmark.entries]
    return list(dict.fromkeys(cell.data.name for cell in cells if "data" in cell.canonical()))


def judge_together(
    tables: Sequence[Table], looks: Sequence[RecordedLook] = (), declared: tuple[int, ...] = ()
) -> list[Table]:
    """The tables with the verdicts on their claims, corrected as one family (all at one scale)."""
    return judged(tables, looks, declared)[0]


def judged(
    tables: Sequence[Table], looks: Sequence[RecordedLook] = (), declared: tuple[int, ...] = ()
) -> tuple[list[Table], RecordedLook | None]:
    """The same, with the look that is to be noted (`Judged.now`).

    looks: those that were taken before. declared: the seeds of the looks of which this is one.
    """
    claims = {f"{table.name}/{claim.declaration.name}": claim for table in tables for claim in table.claims}
    if not claims:
        return list(tables), None
    found = judging.judge(tables[0].scale.name, claims, looks, declared)
    count = sum(claim.verdict.p is not None for claim in found.claims)
    left = iter(found.claims)
    filled = [
        replace(table, claims=[next(left) for _ in table.claims], family=count, looks=tuple(found.looks))
        for table in tables
    ]
    return filled, found.now


def family_at(
    suite: Suite,
    scale: str,
    arms: Arms,
    seeds: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Table]:
    """The tables whose claims are judged together with those of the named ones, without verdicts.

    None: all. Of declared tables with claims none is left out, as far as there are records.
    """
    built = []
    for name in suite.table_names():
        declaration = suite.table(name)
        if names is None or name in names or (declaration.claims and arms):
            benchmark = suite.benchmark(declaration.benchmark, scale)
            built.append(build_table(name, declaration, benchmark, arms, seeds))
    return built


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
        coordinates, None, cells, planned, paper, NumberVerdict(NOT_RUN), metric,
        declaration.lost(scale.name),
    )  # fmt: skip
    present = list(number.values.values())
    summary = summarise(present, metrics.bounds(metric)) if present else None
    verdict = judge(present, paper, declaration.paper.margin, scale.is_paper)
    return replace(number, summary=summary, verdict=verdict)
