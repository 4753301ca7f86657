"""Finding and loading methods: files in methods/ and the entry points `clopbench.methods`.

A file that is wrong spoils only itself: it is listed with its problem, and refused where it is asked for.
"""

import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from clopbench.errors import UserError, in_words, unknown
from clopbench.parameters import Fault, Strict, checked, describe, validated
from clopbench.suite import signatures
from clopbench.suite.signatures import Signature

if TYPE_CHECKING:
    from clopbench.method import Method

ENTRY_POINTS = "clopbench.methods"
SUFFIX = ".py"


@dataclass(frozen=True)
class Plugin:
    """A method that was found, not yet read."""

    name: str
    path: Path
    module: str | None = None
    """Import name, for methods that come from an installed package."""
    problem: str | None = None
    """Why it cannot even be read."""

    @cached_property
    def signature(self) -> Signature:
        """Version, summary and parameters. Raises UserError where the file cannot be read or imported."""
        return self._read or signatures.of_class(self.load(), self.path)

    @cached_property
    def _read(self) -> Signature | None:
        """What the file's text says; None where only an import can tell."""
        if self.problem is not None:
            raise UserError(self.problem)
        if self.module is not None and (self.path.suffix != SUFFIX or not self.path.is_file()):
            return None  # Compiled, or in an archive.
        return signatures.of_file(self.path, self.name)

    def load(self) -> "type[Method]":
        """Import the file and return its Method. Raises UserError naming the file where that fails."""
        read = self._read
        found = self._import()
        if len(found) != 1:
            raise UserError(
                f"method file {self.path}: expected one subclass of Method with name = {self.name!r}, "
                f"found {len(found)}"
            )
        wrong = signatures.differences(read, signatures.of_class(found[0], self.path, read)) if read else []
        if wrong:
            raise UserError(f"method file {self.path}: {'; '.join(wrong)}")
        return found[0]

    def _import(self) -> "list[type[Method]]":
        from clopbench.method import Method

        try:
            module = importlib.import_module(self.module) if self.module else _import_path(self.path)
            things = [thing for thing in vars(module).values() if isinstance(thing, type)]
            return [
                thing
                for thing in dict.fromkeys(things)
                if issubclass(thing, Method) and getattr(thing, "name", None) == self.name
            ]
        except (Exception, SystemExit) as error:
            raise UserError(f"method file {self.path} cannot be imported: {in_words(error)}") from error

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a cell, defaults filled in (but `Signature.recorded`).

        Raises UserError for those that are unknown or out of range.
        """
        return self.signature.recorded(validated(self._model, given, "method").model_dump(mode="json"))

    def check(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The same, with what is wrong beside it."""
        found, wrong = checked(self._model, given)
        return ({} if found is None else self.signature.recorded(found.model_dump(mode="json"))), wrong

    @cached_property
    def _model(self) -> type[Strict]:
        fields: dict[str, Any] = dict(self.signature.parameters)
        return create_model(self.name, __base__=Strict, **fields)

    def listing(self) -> dict[str, dict[str, Any]]:
        """Parameters in words, for people: {name: {type, default}}."""
        return {
            name: {"type": f"{describe(kind)}, required", "default": None}
            if default is ...
            else {"type": describe(kind), "default": default}
            for name, (kind, default) in self.signature.parameters.items()
        }


class Plugins:
    """All methods that can be seen from some folders and from installed packages."""

    def __init__(self, folders: Iterable[Path]):
        self.folders = [Path(folder) for folder in folders]
        self._found: dict[str, Plugin] = {}
        for folder in self.folders:
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                if not path.name.startswith((".", "_")) and not path.is_dir():
                    self._add(Plugin(path.stem, path.resolve() if path.exists() else path.absolute()))
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
            self._add(_of_package(point))

    def _add(self, plugin: Plugin) -> None:
        other = self._found.setdefault(plugin.name, plugin)
        if other.path != plugin.path:
            problem = f"method '{plugin.name}' is defined twice: {other.path} and {plugin.path}"
            self._found[plugin.name] = Plugin(plugin.name, other.path, problem=problem)

    def names(self) -> list[str]:
        return sorted(self._found)

    def get(self, name: str) -> Plugin:
        """The plug-in of that name. Raises UserError with the nearest name, and where it looked."""
        if name not in self._found:
            where = ", ".join(map(str, self.folders))
            looked = f"looked in {where} and in installed packages"
            raise UserError(f"{unknown('method', name, self._found)}; {looked}")
        return self._found[name]


def _of_package(point: EntryPoint) -> Plugin:
    where = f"entry point {point.name} of {ENTRY_POINTS}: "
    try:
        spec = importlib.util.find_spec(point.module)
    except (Exception, SystemExit) as error:  # A package above the module is imported to find it.
        return Plugin(point.name, Path(point.module), problem=where + in_words(error))
    if spec is None or spec.origin is None:
        return Plugin(point.name, Path(point.module), problem=f"{where}no module {point.module}")
    return Plugin(point.name, Path(spec.origin), point.module)


def _import_path(path: Path) -> ModuleType:
    """Import a file under a private name, once per process."""
    name = f"_clopbench_method_{path.stem}_{abs(hash(path)):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
