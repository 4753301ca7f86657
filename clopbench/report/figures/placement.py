"""Where the entries of a table stand in a figure: which are shown, in which panel, on which line."""

from collections.abc import Iterable, Iterator
from itertools import product

from clopbench.errors import UserError
from clopbench.report import points
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


def check(figure: FigureDeclaration, axes: Axes, where: str) -> None:
    """Raise UserError where a figure does not fit its benchmark."""
    where = f"{where}: figure {figure.name}"
    points.check(figure.points, axes, f"{where}: points")
    drawn = figure.drawn_axes
    if not drawn:
        return
    for field, axis in drawn.items():
        points.check_axis(axis, axes, f"{where}: {field}")
    if len(set(drawn.values())) < len(drawn):
        raise UserError(f"{where}: {', '.join(drawn)} must name different axes")
    for axis, chosen in shown(figure, axes).items():
        if axis not in drawn.values() and len(chosen) > 1:
            choice = ", ".join(chosen)
            raise UserError(f"{where}: axis '{axis}' is not drawn, so points must name one of it ({choice})")
