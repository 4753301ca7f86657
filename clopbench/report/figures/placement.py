"""Where the entries of a table stand in a figure: which are shown, in which panel, on which line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from clopbench.report.observations import Number
from clopbench.suite.declarations import Coordinates

Axes = Mapping[str, Sequence[str]]


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
