"""A benchmark as its files declare it at one scale, before any command line."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from clopbench.errors import UserError
from clopbench.parameters import Fault
from clopbench.suite import metrics, scales
from clopbench.suite.composing import Composition
from clopbench.suite.declarations import BenchmarkDeclaration
from clopbench.suite.grid import Point, read_grid
from clopbench.suite.salvage import Salvaged
from clopbench.suite.settings import Setting, known_keys, of_sections, refusals

EVERYTHING = "paper"
"""Stands for all benchmarks on a command line."""


class Declared:
    """What can be said of a benchmark without making its cells.

    problems: what is wrong with its files, a line each; the rest goes on without it.
    """

    def __init__(self, name: str, scale: str, composition: Composition, all_scales: list[str]):
        self.name, self.scale, self.composition, self.all_scales = name, scale, composition, all_scales
        salvaged = Salvaged(BenchmarkDeclaration, composition.content)
        self.problems = [*composition.problems, *map(composition.problem, salvaged.faults)]
        if salvaged.found is None:
            raise UserError(*self.problems)
        self.declaration = salvaged.found
        self.grid = read_grid(self.declaration)
        self.settings = {**of_sections(self.declaration), **scales.settings_at(self.declaration, scale)}
        """What holds for all points."""
        self.points = self.grid.points({}, ())
        self.axes = {axis: list(points) for axis, points in self.grid.axes.items()}
        self.problems += map(composition.problem, [*self._names(), *self.grid.wrong])

    def reason(self, point: Point, scale: str | None = None) -> str | None:
        """Why a point is not run at a scale, or at this one; None where it is."""
        return scales.skip_reason(self.declaration, scale or self.scale, point.coordinates)

    def refused(self, parameters: set[str]) -> Iterator[Fault]:
        """Keys in sections and at scales that cannot be set. parameters: of all methods of the benchmark."""
        known = known_keys(self.declaration, parameters)
        yield from refusals(of_sections(self.declaration).items(), known, "section")
        yield from scales.faults(self.declaration, self.all_scales, self.grid.axes, known)

    @cached_property
    def metrics(self) -> frozenset[str]:
        """The metrics that its cells can have."""
        kind = (self.declaration.study or {}).get("kind")
        if kind == "overhead":
            return metrics.OF_OVERHEAD
        if kind == "sphere":
            return metrics.of_sphere(self._rates("study.rates"), self._rates("study.long_rates"))
        return metrics.OF_TRAINING

    def _names(self) -> Iterator[Fault]:
        if self.declaration.scale.name != self.scale:
            yield Fault(("scale", "name"), f"must be '{self.scale}', as the file is called")
        if self.name == EVERYTHING:
            yield Fault((), f"'{EVERYTHING}' stands for all benchmarks; call the file otherwise")

    def _rates(self, key: str) -> list[float]:
        """All rates that a simulation of this benchmark may have."""
        found: list[Any] = []
        for settings in (self.settings, *(point.settings for point in self.points)):
            value = settings.get(key, Setting([], None)).value
            found += value if isinstance(value, list) else []
        return [rate for rate in found if isinstance(rate, int | float) and not isinstance(rate, bool)]
