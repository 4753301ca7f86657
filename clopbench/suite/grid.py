"""The points of a benchmark: every combination of what stands on its axes."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from clopbench.errors import UserError, unknown
from clopbench.suite.declarations import BenchmarkDeclaration, Coordinates, Overrides

Point = tuple[Coordinates, Overrides]


def points(
    declaration: BenchmarkDeclaration, only: Mapping[str, Sequence[str]], extra_methods: Sequence[str]
) -> list[Point]:
    """All grid points of a benchmark: their coordinates and the values that they set.

    only: axis → points to keep. extra_methods: methods that get a row of their own, in place of the axes that
    set only method parameters. Raises UserError for an axis or a point that does not exist.
    """
    axes = dict(declaration.axes)
    for axis, points in only.items():
        if axis not in axes:
            raise unknown("axis", axis, axes)
        for point in points:
            if point not in axes[axis]:
                raise unknown(f"point of axis {axis}", point, axes[axis])
        axes[axis] = {point: sets for point, sets in axes[axis].items() if point in points}
    found = list(_cross(axes))
    method_axes = [axis for axis, points in axes.items() if _only_method(points.values())]
    if extra_methods and not method_axes:
        raise UserError(f"--method: this benchmark has no axis of methods (axes: {', '.join(axes)})")
    others = {axis: points for axis, points in axes.items() if axis not in method_axes}
    for name in extra_methods:
        own = {axis: {name: {"method": {"name": name}}} for axis in method_axes}
        found += _cross({axis: own.get(axis, others.get(axis, {})) for axis in axes})
    return found


def _cross(axes: Mapping[str, Mapping[str, Overrides]]) -> Iterable[Point]:
    for choice in product(*(points.items() for points in axes.values())):
        merged: Overrides = {}
        for _, sets in choice:
            merged |= sets
        yield dict(zip(axes, (point for point, _ in choice), strict=True)), merged


def _only_method(points: Iterable[Overrides]) -> bool:
    return all(key == "method" or key.startswith("method.") for sets in points for key in sets)


def axes_of(some: list[Point]) -> dict[str, list[str]]:
    """The axes of some points, each with what it takes there, in the order of the points."""
    axes: dict[str, list[str]] = {axis: [] for coordinates, _ in some[:1] for axis in coordinates}
    for coordinates, _ in some:
        for axis, point in coordinates.items():
            if point not in axes[axis]:
                axes[axis].append(point)
    return axes
