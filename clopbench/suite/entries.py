"""A point of a benchmark → its cell: settings laid over each other, completed and checked.

Precedence: scale < benchmark < what the benchmark says of this scale < point < command line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from clopbench.cell import Cell
from clopbench.data import sources
from clopbench.errors import UserError, unknown
from clopbench.identity import identity
from clopbench.parameters import REQUIRED, Fault, checked, shown
from clopbench.study import STUDIES
from clopbench.suite.declarations import Coordinates, LaunchConfig
from clopbench.suite.declared import Declared
from clopbench.suite.grid import Grid, Point
from clopbench.suite.overrides import Override
from clopbench.suite.plugins import Plugin, Plugins
from clopbench.suite.settings import OVERWRITTEN, Setting, Settings, section_of, values_of
from clopbench.suite.workable import unworkable

CELL_SECTIONS = ("data", "encoder", "projection", "training", "augmentation", "evaluation", "seeding")


@dataclass(frozen=True)
class Entry:
    """One entry of a table, before it is repeated over seeds."""

    coordinates: Coordinates
    template: Cell
    overrides: tuple[str, ...] = ()
    """What the command line has made another cell of the declared one with: 'training.epochs=2'."""

    def cell(self, seed: int) -> Cell:
        return self.template.model_copy(update={"seed": seed})

    def cell_id(self, seed: int) -> str:
        """`cell(seed).id`, without writing down all the rest of the cell for each seed anew."""
        return identity(self._canonical | {"seed": seed})

    @cached_property
    def _canonical(self) -> dict[str, Any]:
        return self.template.canonical()


class Maker:
    """Makes the entries of a benchmark at one scale. What is wrong gathers in `problems`, each once."""

    def __init__(self, declared: Declared, plugins: Plugins, overrides: Sequence[Override] = ()):
        self.declared, self.plugins, self.overrides = declared, plugins, overrides
        self.problems = dict.fromkeys(declared.problems)

    def refuse(self, wrong: Iterable[Fault], settings: Settings | None = None) -> None:
        """Note faults. settings: of the cell that they belong to, which say where its values stand."""
        for one in wrong:
            self.problems[self._line(one, settings or {})] = None

    def check(self) -> None:
        """Note what is wrong with the declaration at any scale: names of keys, methods, scales and points."""
        self.refuse(self.declared.refused())
        for point in self.declared.points:
            self.plugin(point)

    def entry(self, point: Point) -> Entry | None:
        """The entry, or None where something is wrong with it."""
        settings = self._settings(point)
        plugin = self.plugin(point)
        if plugin is None:
            return None
        config, wrong = self._sections(settings)
        parameters, of_method = plugin.check(self._parameters(plugin, settings))
        wrong += [Fault(("method", *one.path), one.rule) for one in of_method]
        cell = None
        if not wrong:
            method = {"name": plugin.name, "version": plugin.signature.version, "parameters": parameters}
            cell, wrong = checked(Cell, config | {"method": method, "seed": 0})
            wrong = list(map(_without_kind, wrong))
        if cell is not None:
            of_line = self._of_command_line()
            rules = unworkable(cell, of_line.keys())
            wrong = [self._blame(keys, rule, {**settings, **of_line}) for keys, rule in rules]
        self.refuse(wrong, settings)
        return Entry(point.coordinates, cell) if cell is not None and not wrong else None

    def plugin(self, point: Point) -> Plugin | None:
        """The point's method, whose settings are names of its parameters. None where there is none."""
        settings = self._settings(point)
        name = settings["method.name"].value if "method.name" in settings else None
        try:
            if not isinstance(name, str):
                raise UserError(REQUIRED if name is None else f"must name a method (got {shown(name)})")
            plugin = self.plugins.get(name)
            known = plugin.signature.parameters
        except UserError as error:
            self.refuse([Fault(("method", "name"), str(error))], settings)
            return None
        strange = [field for field in values_of(settings, "method") if field not in (*known, "name")]
        for field in strange:
            rule = str(unknown(f"parameter of method {name}", field, known))
            self.refuse([Fault(("method", field), rule)], settings)
        return plugin if not strange else None

    def launch(self) -> LaunchConfig | None:
        """How the benchmark's cells run, or None where something is wrong with it."""
        settings = {**self.declared.settings, **self._of_command_line()}
        found, wrong = checked(LaunchConfig, values_of(settings, "launch"))
        self.refuse((Fault(("launch", *one.path), one.rule) for one in wrong), settings)
        return found

    def _settings(self, point: Point) -> Settings:
        """The settings of a point, the command line's apart."""
        below: Settings = self.declared.settings
        if point.alone:
            below = {key: one for key, one in below.items() if section_of(key) != "method"}
        settings = {**below, **point.settings}
        return {key: one for key, one in settings.items() if key not in OVERWRITTEN}

    def _of_command_line(self) -> Settings:
        return {override.key: Setting(override.value, None) for override in self.overrides}

    def _parameters(self, plugin: Plugin, settings: Settings) -> dict[str, Any]:
        """Those that are given. An override of a parameter that the method has not is for other points."""
        known = plugin.signature.parameters
        overridden = {o.field: o.value for o in self.overrides if o.section == "method" and o.field in known}
        given = values_of(settings, "method")
        return {field: value for field, value in given.items() if field != "name"} | overridden

    def _sections(self, settings: Settings) -> tuple[dict[str, Any], list[Fault]]:
        """The cell's configuration but for its method, with the versions of the data sets that it names."""
        settings = {**settings, **self._of_command_line()}
        config = {section: values_of(settings, section) for section in CELL_SECTIONS}
        if self.declared.declaration.study is not None:
            config["study"] = values_of(settings, "study")
        wrong = []
        name = config["data"].get("name")
        try:
            if not isinstance(name, str):
                raise UserError(REQUIRED if name is None else f"must name a data set (got {shown(name)})")
            config["data"]["version"] = sources.source(name).version
        except UserError as error:
            wrong.append(Fault(("data", "name"), str(error)))
        for field in ("transfer", "detection"):
            if field in config["evaluation"]:
                try:
                    config["evaluation"] |= sources.with_versions({field: config["evaluation"][field]})
                except UserError as error:
                    rule = str(error).removeprefix(f"evaluation.{field}: ")
                    wrong.append(Fault(("evaluation", field), rule))
        return config, wrong

    def _blame(self, keys: Sequence[str], rule: str, settings: Settings) -> Fault:
        """A rule about several keys, at the one that was given last: by command line, point, scale, file."""
        order = {"axes": 2, "at_scale": 1}

        def rank(key: str) -> tuple[int, int]:
            path = settings[key].path
            if path is None:
                return 3, 0
            return order.get(str(path[0]), 0), self.declared.composition.rank(path)

        last = max((key for key in keys if key in settings), key=rank)
        return Fault(tuple(last.split(".")), rule)

    def _line(self, one: Fault, settings: Settings) -> str:
        """What the user reads: a setting's place is where it was written, also for a rule about its section."""
        key = ".".join(map(str, one.path[:2]))
        setting = settings.get(key)
        sections = {"", *(section_of(override.key) for override in self.overrides)} if self.overrides else set()
        overridden = key in {override.key for override in self.overrides} or (settings and key in sections)
        if overridden or (setting is not None and setting.path is None):  # A row that the command line added.
            return str(one)
        if setting is not None and setting.path is not None:
            one = replace(one, path=(*setting.path, *one.path[2:]))
        return self.declared.composition.problem(one)


def _without_kind(one: Fault) -> Fault:
    """A study's kind, which pydantic has in its paths, is no part of a key."""
    return replace(one, path=tuple(part for part in one.path if part not in STUDIES))


def same_cells(entries: Sequence[Entry], grid: Grid) -> list[Fault]:
    """Entries that turn out to be one cell without saying so, and entries that say so and are not."""
    wrong = []
    first: dict[str, tuple[Entry, Coordinates]] = {}
    by_origin: dict[tuple[tuple[str, str], ...], Entry] = {}
    for entry in entries:
        origin = grid.origin(entry.coordinates)
        other, its_origin = first.setdefault(entry.template.id, (entry, origin))
        meant = by_origin.setdefault(tuple(origin.items()), entry)
        if its_origin != origin:
            axis = next(axis for axis in origin if its_origin[axis] != origin[axis])
            names = " and ".join(f"'{' '.join(one.coordinates.values())}'" for one in (other, entry))
            rule = f"{names} are the same cell; if that is meant, say 'same_as: {other.coordinates[axis]}'"
            wrong.append(Fault(("axes", axis, entry.coordinates[axis]), rule))
        elif meant.template.id != entry.template.id:
            axis = next(axis for axis in origin if meant.coordinates[axis] != entry.coordinates[axis])
            rule = f"is another cell than '{' '.join(meant.coordinates.values())}'"
            wrong.append(Fault(("axes", axis, entry.coordinates[axis], "same_as"), rule))
    return wrong
