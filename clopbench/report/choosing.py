"""The point that a table chooses in each row, by the mean over seeds of a metric of held-out images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from clopbench.report.observations import Number
from clopbench.report.paper_numbers import NOT_KNOWN, NOT_RUN, NumberVerdict
from clopbench.suite.choices import ChoiceDeclaration
from clopbench.suite.declarations import Coordinates


@dataclass(frozen=True)
class Row:
    """The numbers among which is chosen, in the axis's order; coordinates: the points of the other axes."""

    coordinates: Coordinates
    numbers: Sequence[Number]
    means: Sequence[float | None]
    """What is chosen by: the mean over the seeds that have it, None where none has."""

    @property
    def best(self) -> Number | None:
        """The first of those with the highest mean; None where there is no mean."""
        known = [mean for mean in self.means if mean is not None]
        return self.numbers[self.means.index(max(known))] if known else None


def rows(choice: ChoiceDeclaration, numbers: Sequence[Number]) -> list[Row]:
    """All rows, in their order, without the chosen point itself. Diverged cells count as the table says."""
    found: dict[tuple[tuple[str, str], ...], list[Number]] = {}
    for number in numbers:
        if number.coordinates[choice.axis] != choice.point:
            others = ((axis, point) for axis, point in number.coordinates.items() if axis != choice.axis)
            found.setdefault(tuple(others), []).append(number)
    return [Row(dict(others), row, [_mean(choice, one) for one in row]) for others, row in found.items()]


def chosen(choice: ChoiceDeclaration, numbers: Sequence[Number]) -> list[Number]:
    """One number a row, at the chosen point, with the cells of the row's best, if it has one."""
    return [_at_the_point(choice, row) for row in rows(choice, numbers)]


def _at_the_point(choice: ChoiceDeclaration, row: Row) -> Number:
    first = row.numbers[0]
    coordinates = dict(first.coordinates) | {choice.axis: choice.point}
    if row.best is None:
        return replace(
            first, coordinates=coordinates, summary=None, cells=(), paper=None, verdict=NumberVerdict(NOT_RUN)
        )
    verdict = NumberVerdict(NOT_KNOWN if row.best.summary else NOT_RUN)
    return replace(row.best, coordinates=coordinates, paper=None, verdict=verdict)


def _mean(choice: ChoiceDeclaration, number: Number) -> float | None:
    values = number.values_of(choice.metric).values()
    return fmean(values) if values else None
