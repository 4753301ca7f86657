"""Where the entries of a table stand in a figure: which are shown, in which panel, on which line."""

from collections.abc import Iterable, Iterator
from itertools import product

from clopbench.report.observations import Number
from clopbench.report.points import Axes
from clopbench.suite.declarations import Coordinates
from clopbench.suite.figures import FigureDeclaration


def shown(figure: FigureDeclaration, axes: Axes) -> dict[str, list[str]]:
    """The axes with the points that the figure shows, in the order of the benchmark."""
    return {
        axis: [point for point in every if point in figure.points.get(axis, every)]
        for axis, every in axes.items()
    }


def places(axes: Axes, names: Iterable[str | None]) -> Iterator[Coordinates]:
    """All points of some axes (None is left out); one empty place where there is no axis."""
    wanted = [name for name in names if name is not None]
    for choice in product(*(axes[name] for name in wanted)):
        yield dict(zip(wanted, choice, strict=True))


def at(numbers: Iterable[Number], axes: Axes, place: Coordinates) -> list[Number]:
    """The numbers that lie in `axes` and at `place`."""
    return [
        number
        for number in numbers
        if all(point in axes[axis] for axis, point in number.coordinates.items())
        and place.items() <= number.coordinates.items()
    ]
