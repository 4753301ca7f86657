"""Whether a table fits its benchmark: every axis, point, metric, scale and setting that it names must exist."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from clopbench.errors import unknown
from clopbench.identity import flatten
from clopbench.parameters import Fault, FieldPath
from clopbench.suite import metrics
from clopbench.suite.claims import Axes, ClaimDeclaration, Points
from clopbench.suite.declarations import DivergedAs, TableDeclaration
from clopbench.suite.entries import Entry
from clopbench.suite.figures import FigureDeclaration
from clopbench.suite.thresholds import ThresholdDeclaration

AGAINST = ("than", "among")
"""The fields of a claim that say what its points are compared with."""
UNNAMED = ("name", "axis", "metric", "threshold")
"""Fields whose rule says of itself what it is about."""


@dataclass(frozen=True)
class Fitting:
    """What a table may name: axes with all their points, the cells' metrics, the suite's scales."""

    axes: Axes
    metrics: Collection[str]
    scales: Collection[str]

    def faults(self, table: TableDeclaration) -> Iterator[Fault]:
        """Everything that does not fit. A point that the table chooses may be named like the others."""
        if table.choice is not None:
            yield from (Fault(("choice", field), rule) for field, rule in table.choice.misfits(self.axes))
            yield from replace(self, axes=table.choice.with_point(self.axes))._faults(table)
        else:
            yield from self._faults(table)

    def _faults(self, table: TableDeclaration) -> Iterator[Fault]:
        for field in ("rows", "columns"):
            axis = getattr(table, field)
            if axis is not None:
                yield from self._axis((field,), axis)
        if table.rows == table.columns:
            yield Fault(("columns",), "must be another axis than rows")
        every = [point for points in self.axes.values() for point in points]
        for name in table.labels:
            if name not in every:
                yield Fault(("labels", name), str(unknown("point", name, every)))
        yield from self._scales(("diverged_as",), table.diverged_as)
        yield from self._metric(("metric",), table.metric)
        seen = {table.metric}
        for place, column in enumerate(table.also):
            yield from self._metric(("also", place, "metric"), column.metric)
            yield from self._scales(("also", place, "diverged_as"), column.diverged_as)
            if column.metric in seen:
                yield Fault(("also", place, "metric"), f"'{column.metric}' has a column already")
            seen.add(column.metric)
        yield from self._checks(table)
        yield from self._paper(table)
        yield from self._thresholds(table.thresholds)
        yield from self._claims(table)
        if table.variance is not None:
            for field, rule in table.variance.misfits(self.axes):
                yield Fault(("variance", field), rule)
        for place, figure in enumerate(table.figures):
            yield from (_within("figures", place, one, f"figure {figure.name}") for one in self._figure(figure))

    def _checks(self, table: TableDeclaration) -> Iterator[Fault]:
        names: set[str] = set()
        for place, check in enumerate(table.checks):
            wrong = [fault for metric in check.metrics for fault in self._metric(("metric",), metric)]
            if check.name in names:
                wrong.append(Fault(("name",), "there are two of this name"))
            names.add(check.name)
            yield from (_within("checks", place, fault, f"check {check.name}") for fault in wrong)

    def _paper(self, table: TableDeclaration) -> Iterator[Fault]:
        seen: list[tuple[str, dict[str, str]]] = []
        for place, value in enumerate(table.paper.values):
            path: FieldPath = ("paper", "values", place)
            if value.at.keys() != self.axes.keys():
                yield Fault((*path, "at"), f"must name a point of each axis ({', '.join(self.axes)})")
            for axis, point in value.at.items():
                yield from self._points((*path, "at", axis), axis, [point])
            number = (value.metric or table.metric, value.at)
            if number in seen:
                yield Fault(path, f"a second number for {', '.join(value.at.values())}")
            seen.append(number)

    def _thresholds(self, thresholds: Sequence[ThresholdDeclaration]) -> Iterator[Fault]:
        names: set[str] = set()
        for place, one in enumerate(thresholds):
            wrong = [*self._metric(("metric",), one.metric), *self._axis(("axis",), one.axis)]
            if one.name in names:
                wrong.append(Fault(("name",), "there are two of this name"))
            names.add(one.name)
            if words := self._words(one.axis):
                wrong.append(Fault(("axis",), f"axis {one.axis}: '{words[0]}' is not a number above 0"))
            yield from (_within("thresholds", place, fault, f"threshold {one.name}") for fault in wrong)

    def _claims(self, table: TableDeclaration) -> Iterator[Fault]:
        names: set[str] = set()
        # Of a threshold that is itself wrong nothing more is asked.
        thresholds = {one.name: "" if self._words(one.axis) else one.axis for one in table.thresholds}
        for place, claim in enumerate(table.claims):
            wrong = list(self._claim(claim, thresholds))
            if claim.name in names:
                wrong.append(Fault(("name",), "there are two of this name"))
            names.add(claim.name)
            for one in wrong:
                yield _within("claims", place, one, f"claim {claim.name}")

    def _claim(self, claim: ClaimDeclaration, thresholds: Mapping[str, str]) -> Iterator[Fault]:
        if claim.metric is not None:
            yield from self._metric(("metric",), claim.metric)
        wrong = [one for field, points in claim.sides.items() for one in self._sets(field, points)]
        wrong += [Fault((field,), rule) for field, rule in claim.misfits(self.axes, thresholds)]
        if not wrong and self._same(claim.sides):
            wrong.append(Fault((), "compares nothing: both sides are the same points"))
        yield from wrong

    def _same(self, sides: Mapping[str, Points]) -> bool:
        """Whether a claim of two sets of points compares each of the first with itself alone."""
        against = next((points for name, points in sides.items() if name in AGAINST), None)
        first = next((points for name, points in sides.items() if name not in AGAINST), None)
        if against is None or first is None:
            return False
        return all(
            set(first.get(axis, self.axes[axis])) == set(points) and len(points) == 1
            for axis, points in against.items()
        )

    def _figure(self, figure: FigureDeclaration) -> Iterator[Fault]:
        wrong = list(self._sets("points", figure.points))
        wrong += [one for field, axis in figure.drawn_axes.items() for one in self._axis((field,), axis)]
        if not wrong:
            wrong = [Fault((field,) if field else (), rule) for field, rule in figure.misfits(self.axes)]
        yield from wrong

    def _sets(self, field: str, points: Points) -> Iterator[Fault]:
        for axis, named in points.items():
            yield from self._points((field, axis), axis, named)

    def _words(self, axis: str) -> list[str]:
        """The points of an axis that are not called by a number above 0."""
        return [point for point in self.axes.get(axis, ()) if number(point) is None]

    def _axis(self, path: FieldPath, axis: str) -> Iterator[Fault]:
        if axis not in self.axes:
            yield Fault(path, str(unknown("axis", axis, self.axes)))

    def _points(self, path: FieldPath, axis: str, points: Iterable[str]) -> Iterator[Fault]:
        yield from self._axis(path, axis)
        for point in points if axis in self.axes else ():
            if point not in self.axes[axis]:
                yield Fault(path, str(unknown(f"point of axis {axis}", point, self.axes[axis])))

    def _scales(self, path: FieldPath, given: DivergedAs) -> Iterator[Fault]:
        for scale in given if isinstance(given, dict) else ():
            if scale not in self.scales:
                yield Fault((*path, scale), str(unknown("scale", scale, self.scales)))

    def _metric(self, path: FieldPath, metric: str) -> Iterator[Fault]:
        if rule := metrics.fault(metric, self.metrics):
            yield Fault(path, rule)


def references(table: TableDeclaration, entries: Sequence[Entry]) -> Iterator[Fault]:
    """Thresholds that are set beside a setting which no entry has, or which changes along their axis.

    entries: all of the benchmark at a scale; of none nothing can be said.
    """
    settings = [numeric_settings(entry) for entry in entries]
    for place, threshold in enumerate(table.thresholds):
        key = threshold.setting
        if key is None or not entries:
            continue
        rules = []
        if not any(key in one for one in settings):
            rules.append(str(unknown("numeric setting", key, {name for one in settings for name in one})))
        along: dict[tuple[str, ...], set[float]] = {}
        for entry, one in zip(entries, settings, strict=True):
            rest = tuple(point for axis, point in entry.coordinates.items() if axis != threshold.axis)
            along.setdefault(rest, set()).update([one[key]] if key in one else [])
        if any(len(values) > 1 for values in along.values()):
            rules.append(f"{key} changes along axis {threshold.axis}")
        for rule in rules:
            yield _within("thresholds", place, Fault(("reference",), rule), f"threshold {threshold.name}")


def numeric_settings(entry: Entry) -> dict[str, float]:
    """The numeric settings of an entry, by dotted key, and its numeric points, by axis."""
    numeric = {
        key: float(value)
        for key, value in flatten(entry.template.config()).items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    points = ((axis, number(point)) for axis, point in entry.coordinates.items())
    return numeric | {axis: value for axis, value in points if value is not None}


def number(point: str) -> float | None:
    """The number above 0 that a point is named by, None where it is named otherwise."""
    try:
        value = float(point)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _within(field: str, place: int, fault: Fault, label: str) -> Fault:
    """A fault of one of the table's claims, thresholds or figures, which is called by its name."""
    inner = [str(part) for part in fault.path[:1] if part not in UNNAMED]
    return Fault((field, place, *fault.path), fault.rule, ": ".join([label, *inner]))
