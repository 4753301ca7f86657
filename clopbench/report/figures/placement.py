"""Where the entries of a table stand in a figure: which are shown, in which panel, on which line."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from clopbench.errors import UserError, unknown
from clopbench.report.observations import Number
from clopbench.suite.declarations import Coordinates
from clopbench.suite.figures import Curve, FigureDeclaration, SpectrumFigure

Axes = Mapping[str, Sequence[str]]


def shown(figure: FigureDeclaration, axes: Axes) -> dict[str, list[str]]:
    """The axes with the points that the figure shows, in the order of the benchmark."""
    return {
        axis: [point for point in points if point in figure.points.get(axis, points)]
        for axis, points in axes.items()
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
    for axis, points in figure.points.items():
        _check_axis(axis, axes, f"{where}: points")
        for point in points:
            if point not in axes[axis]:
                raise UserError(f"{where}: points: {unknown(f'point of axis {axis}', point, axes[axis])}")
    if not isinstance(figure, Curve | SpectrumFigure):
        return
    used = {"lines": figure.lines, "panels": figure.panels}
    if isinstance(figure, Curve):
        used["along"] = figure.along
    named = {field: axis for field, axis in used.items() if axis is not None}
    for field, axis in named.items():
        _check_axis(axis, axes, f"{where}: {field}")
    if len(set(named.values())) < len(named):
        raise UserError(f"{where}: {', '.join(named)} must name different axes")
    for axis, points in shown(figure, axes).items():
        if axis not in named.values() and len(points) > 1:
            choice = ", ".join(points)
            raise UserError(f"{where}: axis '{axis}' is not drawn, so points must name one of it ({choice})")
    if isinstance(figure, Curve):
        _check_numbers(figure, shown(figure, axes)[figure.along], where)


def _check_axis(axis: str, axes: Axes, where: str) -> None:
    if axis not in axes:
        raise UserError(f"{where}: {unknown('axis', axis, axes)}")


def _check_numbers(figure: Curve, points: Sequence[str], where: str) -> None:
    for point in figure.values:
        if point not in points:
            raise UserError(f"{where}: values: {unknown(f'point of axis {figure.along}', point, points)}")
    for point in points:
        try:
            number = figure.number(point)
        except ValueError:
            raise UserError(f"{where}: point '{point}' is no number; values must say what it is") from None
        if (figure.x == "log" and not number > 0) or not math.isfinite(number):
            raise UserError(f"{where}: point '{point}' is {number:g}, which a {figure.x} axis cannot show")
