"""Which points of a benchmark are set against which: sets of points that a claim names → pairs of sides.

A side is one point, or (for what is told from a whole row) all points of an axis. Where a point is compared
with a number, the second side is empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from clopbench.suite.claims import Points
from clopbench.suite.declarations import Coordinates

Axes = Mapping[str, Sequence[str]]
Side = tuple[Coordinates, ...]


@dataclass(frozen=True)
class Pair:
    """Two sides that a claim compares."""

    first: Side
    second: Side


def expand(points: Mapping[str, Sequence[str]], axes: Axes) -> Iterator[Coordinates]:
    """All points of the grid that lie in `points`; an axis not named is free."""
    choices = [points.get(axis, everywhere) for axis, everywhere in axes.items()]
    for choice in product(*choices):
        yield dict(zip(axes, choice, strict=True))


def against(first: Points, second: Points, axes: Axes) -> Iterator[Pair]:
    """Each point of the first set with each of the second, which takes the first's point of other axes."""
    for one in expand(first, axes):
        bound = {axis: [point] for axis, point in one.items()} | dict(second)
        for other in expand(bound, axes):
            if other != one:
                yield Pair((one,), (other,))


def rows_against(first: Points, second: Points, along: str, axes: Axes) -> Iterator[Pair]:
    """The same, of whole rows along an axis."""
    others = {axis: points for axis, points in axes.items() if axis != along}
    for pair in against(first, second, others):
        yield Pair(_row(pair.first[0], along, axes), _row(pair.second[0], along, axes))


def within(among: Points, axes: Axes) -> Iterator[Pair]:
    """Every two points of a set that agree on all axes that it does not name."""
    for one, other in combinations(expand(among, axes), 2):
        if all(one[axis] == other[axis] for axis in axes if axis not in among):
            yield Pair((one,), (other,))


def alone(points: Points, axes: Axes) -> Iterator[Pair]:
    """Each point of a set, with nothing on the second side."""
    for one in expand(points, axes):
        yield Pair((one,), ())


def _row(point: Coordinates, axis: str, axes: Axes) -> Side:
    """The point's row along an axis, in the order of the grid's axes."""
    return tuple({name: place if name == axis else point[name] for name in axes} for place in axes[axis])
