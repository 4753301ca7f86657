"""Recorded cells as the report sees them, and the numbers that they make up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clopbench.report.paper_numbers import NumberVerdict
from clopbench.statistics.summaries import Summary
from clopbench.suite.declarations import Coordinates, PaperValue

BROKEN = ("collapsed", "diverged")
"""How a run may end that is a result, but no good one."""


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
    diverged_as: Mapping[str, float] = field(default_factory=dict)
    """Metric → what a diverged cell counts as; of others it has no value."""

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        return self.summary.mean - self.paper.mean if self.summary and self.paper else None

    @property
    def values(self) -> dict[int, float]:
        """Seed → the table's metric."""
        return self.values_of(self.metric)

    def values_of(self, metric: str) -> dict[int, float]:
        """Seed → a metric, for the cells that have it."""
        return metric_by_seed(self.cells, metric, self.diverged_as.get(metric))

    def count(self, status: str) -> int:
        return sum(cell.status == status for cell in self.cells)


def metric_by_seed(
    cells: Iterable[Observation], metric: str, diverged_as: float | None = None
) -> dict[int, float]:
    """Seed → the metric of each cell that has it; diverged cells count as `diverged_as` where it is given."""
    found = {}
    for cell in cells:
        value = cell.metrics.get(metric)
        if value is None and cell.status == "diverged":
            value = diverged_as
        if value is not None:
            found[cell.seed] = value
    return found


def group_by_arm(contents: Iterable[Mapping[str, Any]]) -> dict[str, list[Observation]]:
    """Contents of record.json files, by arm, sorted by seed."""
    arms: dict[str, list[Observation]] = {}
    for content in contents:
        observation = Observation.from_content(content)
        arms.setdefault(observation.arm, []).append(observation)
    for cells in arms.values():
        cells.sort(key=lambda cell: cell.seed)
    return arms
