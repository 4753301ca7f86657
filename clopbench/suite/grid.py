"""The points of a benchmark: every combination of what stands on its axes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from clopbench.errors import UserError, unknown
from clopbench.parameters import Fault, as_text
from clopbench.suite.declarations import BenchmarkDeclaration, Coordinates
from clopbench.suite.settings import SAME_AS, Setting, Settings, dotted, section_of

Axis = Mapping[str, Settings]
"""Point → what it sets."""


@dataclass(frozen=True)
class Point:
    """One combination. alone: its method is not the benchmark's, and has none of its parameters."""

    coordinates: Coordinates
    settings: Settings
    alone: bool = False


@dataclass(frozen=True)
class Grid:
    """The axes of a declaration, read."""

    axes: Mapping[str, Axis]
    wrong: list[Fault] = field(default_factory=list)
    same: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Axis → point → the point whose cells it deliberately has."""

    def points(self, only: Mapping[str, Sequence[str]], extra_methods: Sequence[str]) -> list[Point]:
        """All points of a benchmark.

        only: axis → points to keep. extra_methods: methods that get a row of their own, in place of the axes
        that set only method parameters. Raises UserError for an axis or a point that does not exist.
        """
        axes = dict(self.axes)
        for axis, points in only.items():
            if axis not in axes:
                raise unknown("axis", axis, axes)
            for point in points:
                if point not in axes[axis]:
                    raise unknown(f"point of axis {axis}", point, axes[axis])
            axes[axis] = {point: sets for point, sets in axes[axis].items() if point in points}
        found = [Point(*one) for one in _cross(axes)]
        method_axes = [axis for axis, points in axes.items() if _only_method(points.values())]
        if extra_methods and not method_axes:
            raise UserError(f"--method: this benchmark has no axis of methods (axes: {', '.join(axes)})")
        for name in extra_methods:
            if there := [axis for axis in method_axes if name in axes[axis]]:
                raise UserError(f"--method: this benchmark's axis {there[0]} has a row '{name}' already")
            own = {axis: {name: {"method.name": Setting(name, None)}} for axis in method_axes}
            found += [Point(*one, alone=True) for one in _cross({**axes, **own})]
        return found

    def origin(self, coordinates: Coordinates) -> Coordinates:
        """The coordinates with each point that is the same as another replaced by that one."""
        return {axis: self.same.get(axis, {}).get(point, point) for axis, point in coordinates.items()}

    def varies(self, key: str) -> str | None:
        """The axis whose points differ in a setting, if there is one.

        A point that names a method of its own and does not set the key may be without that parameter.
        """
        for axis, points in self.axes.items():
            setting = [sets for sets in points.values() if key in sets]
            silent = [sets for sets in points.values() if key not in sets]
            of_method = section_of(key) == "method"
            undecided = [sets for sets in silent if not (of_method and "method.name" in sets)]
            if setting and (undecided or any(sets[key].value != setting[0][key].value for sets in setting)):
                return axis
        return None


def read_grid(declaration: BenchmarkDeclaration) -> Grid:
    """The grid, with what is wrong in itself: keys given twice, on a point or on two axes, and `same_as`."""
    axes: dict[str, dict[str, Settings]] = {}
    wrong: list[Fault] = []
    same: dict[str, dict[str, Any]] = {}
    for axis, points in declaration.axes.items():
        axes[axis] = {}
        for name, values in points.items():
            own = {key: value for key, value in values.items() if key != SAME_AS}
            axes[axis][name], doubles = dotted(own, ("axes", axis, name))
            wrong += doubles
            if SAME_AS in values:
                same.setdefault(axis, {})[name] = as_text(values[SAME_AS])
    for axis, names in same.items():
        for name, other in names.items():
            rule = None
            if not isinstance(other, str) or other not in axes[axis] or other == name:
                others = [one for one in axes[axis] if one != name]
                rule = str(unknown(f"other point of axis {axis}", str(other), others))
            elif other in names:
                rule = f"'{other}' is itself the same as '{names[other]}'; name that one"
            if rule is not None:
                wrong.append(Fault(("axes", axis, name, SAME_AS), rule))
            else:
                axes[axis][name] = {**axes[axis][other], **axes[axis][name]}
    return Grid(axes, wrong + list(_crossed(axes)), same)


def _crossed(axes: Mapping[str, Axis]) -> Iterator[Fault]:
    """Keys that two axes set: of the two values a cell could have only one."""
    first: dict[str, str] = {}
    for axis, points in axes.items():
        for key, setting in ((key, one) for sets in points.values() for key, one in sets.items()):
            if first.setdefault(key, axis) != axis:
                assert setting.path is not None
                yield Fault(setting.path, f"'{key}' is set by axis '{first[key]}' too")


def _cross(axes: Mapping[str, Axis]) -> Iterator[tuple[Coordinates, Settings]]:
    for choice in product(*(points.items() for points in axes.values())):
        merged = {key: one for _, sets in choice for key, one in sets.items()}
        yield dict(zip(axes, (point for point, _ in choice), strict=True)), merged


def _only_method(points: Iterable[Settings]) -> bool:
    return all(section_of(key) == "method" for sets in points for key in sets)


def axes_of(some: list[Point]) -> dict[str, list[str]]:
    """The axes of some points, each with what it takes there, in the order of the points."""
    axes: dict[str, list[str]] = {axis: [] for point in some[:1] for axis in point.coordinates}
    for one in some:
        for axis, point in one.coordinates.items():
            if point not in axes[axis]:
                axes[axis].append(point)
    return axes
