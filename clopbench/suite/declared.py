"""A benchmark as its files declare it at one scale, before any command line."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from clopbench.errors import UserError, unknown
from clopbench.parameters import REQUIRED, Fault, as_text
from clopbench.study import STUDIES
from clopbench.suite import metrics, scales
from clopbench.suite.composing import Composition
from clopbench.suite.declarations import BenchmarkDeclaration
from clopbench.suite.grid import Point, read_grid
from clopbench.suite.salvage import Salvaged
from clopbench.suite.settings import fields_of, of_sections, refusals, values_of

EVERYTHING = "paper"
"""Stands for all benchmarks on a command line."""


class Declared:
    """What can be said of a benchmark without making its cells.

    problems: what is wrong with its files, a line each; the rest goes on without it.
    """

    def __init__(self, name: str, scale: str, composition: Composition, all_scales: list[str]):
        self.name, self.scale, self.composition, self.all_scales = name, scale, composition, all_scales
        salvaged = Salvaged(BenchmarkDeclaration, composition.content)
        faults = [one for one in salvaged.faults if not one.missing or one.field not in composition.meant]
        self.problems = [*composition.problems, *map(composition.problem, faults)]
        if salvaged.found is None:
            raise UserError(*self.problems)
        self.declaration = salvaged.found
        self.grid = read_grid(self.declaration)
        self.settings = {**of_sections(self.declaration), **scales.settings_at(self.declaration, scale)}
        """What holds for all points."""
        self.points = self.grid.points({}, ())
        self.axes = _axes(composition.content["axes"])
        self.problems += map(composition.problem, [*self._names(), *self.grid.wrong])

    def reason(self, point: Point, scale: str | None = None) -> str | None:
        """Why a point is not run at a scale, or at this one; None where it is."""
        return scales.skip_reason(self.declaration, scale or self.scale, point.coordinates)

    def refused(self) -> Iterator[Fault]:
        """Keys that cannot be set, in sections, at scales and on points; and what `skip` names in vain."""
        fields = fields_of(self.declaration)
        study = self.declaration.study or {}
        if study and study.get("kind") not in list(STUDIES):
            rule = str(unknown("kind", str(study["kind"]), STUDIES)) if "kind" in study else REQUIRED
            yield Fault(("study", "kind"), rule)
        yield from refusals(of_sections(self.declaration).items(), "section", fields)
        yield from scales.faults(self.declaration, self.all_scales, self.grid.axes, fields)
        for points in self.grid.axes.values():
            yield from refusals((one for sets in points.values() for one in sets.items()), "point", fields)

    @cached_property
    def metrics(self) -> frozenset[str]:
        """The metrics that its cells can have."""
        study = self.declaration.study
        if study is None or study.get("kind") not in list(STUDIES):
            return metrics.OF_TRAINING
        given: dict[str, list[Any]] = {}
        for settings in (self.settings, *(point.settings for point in self.points)):
            for field, value in values_of(settings, "study").items():
                given.setdefault(field, []).append(value)
        return frozenset(STUDIES[study["kind"]].metrics(given))

    def _names(self) -> Iterator[Fault]:
        if self.declaration.scale.name != self.scale:
            yield Fault(("scale", "name"), f"must be '{self.scale}', as the file is called")
        if self.name == EVERYTHING:
            yield Fault((), f"'{EVERYTHING}' stands for all benchmarks; call the file otherwise")


def _axes(declared: Mapping[str, Any]) -> dict[str, list[str]]:
    """Axis → its points by name, also those with which something is wrong."""
    return {
        str(axis): [str(as_text(point)) for point in points] if isinstance(points, Mapping) else []
        for axis, points in declared.items()
    }
