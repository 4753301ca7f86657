"""Records → one table at one scale: numbers with n, the paper's values, verdicts, claims. No formatting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clopbench.declarations import (
    ClaimDeclaration,
    Coordinates,
    PaperValue,
    ScaleDeclaration,
    TableDeclaration,
)
from clopbench.errors import UserError
from clopbench.records import RESULT_STATUSES
from clopbench.report.statistics import Summary, summarise
from clopbench.report.verdicts import ClaimVerdict, NumberVerdict, judge_claim, judge_number
from clopbench.suite import Benchmark


@dataclass(frozen=True)
class Observation:
    """One recorded cell, as far as tables need it."""

    id: str
    arm: str
    seed: int
    status: str
    metrics: Mapping[str, float | None]
    pairing: Mapping[str, str]
    provenance: Mapping[str, Any]

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> "Observation":
        """From the content of a record.json."""
        names = ("id", "arm", "seed", "status", "metrics", "pairing", "provenance")
        return cls(**{name: content[name] for name in names})


Arms = Mapping[str, Sequence[Observation]]
"""Arm → its cells, one per seed."""


@dataclass(frozen=True)
class Number:
    """One entry of a table: a mean over seeds beside the paper's number."""

    coordinates: Coordinates
    summary: Summary | None
    cells: tuple[Observation, ...]
    """The results behind the mean, by seed; those without a value for the metric are not in the mean."""
    planned: int
    paper: PaperValue | None
    verdict: NumberVerdict
    metric: str

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        return self.summary.mean - self.paper.mean if self.summary and self.paper else None

    @property
    def values(self) -> dict[int, float]:
        """Seed → metric."""
        found = {cell.seed: cell.metrics.get(self.metric) for cell in self.cells}
        return {seed: value for seed, value in found.items() if value is not None}

    def count(self, status: str) -> int:
        return sum(cell.status == status for cell in self.cells)


@dataclass(frozen=True)
class Claim:
    """A claim with its verdict, and why its pairs may not be pairs."""

    declaration: ClaimDeclaration
    verdict: ClaimVerdict
    cells: tuple[Observation, ...]
    unpaired: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table at one scale."""

    name: str
    declaration: TableDeclaration
    scale: ScaleDeclaration
    axes: Mapping[str, Sequence[str]]
    numbers: Sequence[Number]
    claims: Sequence[Claim] = field(default_factory=list)

    @property
    def cells(self) -> list[Observation]:
        return [cell for number in self.numbers for cell in number.cells]

    def label(self, coordinates: Coordinates) -> str:
        """The row's name as it is written."""
        point = coordinates[self.declaration.rows]
        return self.declaration.labels.get(point, point)


def group_by_arm(contents: Iterable[Mapping[str, Any]]) -> dict[str, list[Observation]]:
    """Contents of record.json files, by arm, sorted by seed."""
    arms: dict[str, list[Observation]] = {}
    for content in contents:
        observation = Observation.from_content(content)
        arms.setdefault(observation.arm, []).append(observation)
    for cells in arms.values():
        cells.sort(key=lambda cell: cell.seed)
    return arms


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
    found = {
        entry.template.id: [
            cell for cell in arms.get(entry.template.arm, []) if seeds is None or cell.seed in seeds
        ]
        for entry in benchmark.entries
    }
    wanted = set(seeds) if seeds is not None else {cell.seed for cells in found.values() for cell in cells}
    comparable = benchmark.scale.is_paper
    numbers = [
        _number(declaration, entry.coordinates, found[entry.template.id], len(wanted), comparable)
        for entry in benchmark.entries
    ]
    claims = [_claim(claim, declaration, numbers) for claim in declaration.claims]
    return Table(name, declaration, benchmark.scale, benchmark.axes, numbers, claims)


def _number(
    declaration: TableDeclaration,
    coordinates: Coordinates,
    observed: Sequence[Observation],
    planned: int,
    comparable: bool,
) -> Number:
    cells = tuple(cell for cell in observed if cell.status in RESULT_STATUSES)
    values = [cell.metrics.get(declaration.metric) for cell in cells]
    present = [value for value in values if value is not None]
    summary = summarise(present) if present else None
    paper = next((value for value in declaration.paper.values if value.at == coordinates), None)
    theirs = (paper.mean, paper.sd, paper.n) if paper else (None, None, None)
    verdict = judge_number(summary, *theirs, declaration.paper.margin, comparable)
    return Number(coordinates, summary, cells, planned, paper, verdict, declaration.metric)


def _claim(claim: ClaimDeclaration, declaration: TableDeclaration, numbers: Sequence[Number]) -> Claim:
    better, than = (
        next((number for number in numbers if number.coordinates == at), None)
        for at in (claim.better, claim.than)
    )
    if better is None or than is None:
        return Claim(claim, ClaimVerdict("not run"), (), ())
    verdict = judge_claim(better.values, than.values, declaration.direction)
    cells = tuple(cell for number in (better, than) for cell in number.cells if cell.seed in verdict.seeds)
    return Claim(claim, verdict, cells, tuple(_unpaired(better, than, verdict.seeds)))


def _unpaired(first: Number, second: Number, seeds: Sequence[int]) -> Iterable[str]:
    """Seeds whose two cells did not share the labelled subset or the initial weights."""
    words = {"subset": "labelled subsets", "init": "initial weights"}
    for seed in seeds:
        one, two = (next(c for c in number.cells if c.seed == seed) for number in (first, second))
        for key, word in words.items():
            if one.pairing.get(key) != two.pairing.get(key):
                yield f"seed {seed}: {word} differ"


def _check(name: str, declaration: TableDeclaration, benchmark: Benchmark) -> None:
    where = f"tables/{name}.yaml"
    for field_name in ("rows", "columns"):
        axis = getattr(declaration, field_name)
        if axis is not None and axis not in benchmark.axes:
            axes = ", ".join(benchmark.axes)
            raise UserError(f"{where}: {field_name}: benchmark {benchmark.name} has no axis '{axis}' ({axes})")
    places = [value.at for value in declaration.paper.values]
    places += [at for claim in declaration.claims for at in (claim.better, claim.than)]
    for at in places:
        if at.keys() != benchmark.axes.keys():
            raise UserError(f"{where}: {at} must name a point of each axis ({', '.join(benchmark.axes)})")
