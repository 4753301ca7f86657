"""Finding, describing and loading methods: files in methods/ and the entry points `clopbench.methods`.

A method's parameters are its constructor's keyword arguments. They are read from the file's syntax tree
where that is enough, so that planning needs neither torch nor the plug-in's own imports; a constructor
that cannot be read that way (inherited, or with computed defaults) is imported.
"""

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from pydantic import create_model

from clopbench.errors import UserError, unknown
from clopbench.parameters import READABLE, Strict, describe, validated

if TYPE_CHECKING:
    from clopbench.method import Method

ENTRY_POINTS = "clopbench.methods"
RESERVED = ("self", "dim", "num_classes", "features", "generator")


@dataclass(frozen=True)
class Signature:
    """What a method file says of itself: parameters map a name to (type, default)."""

    version: int
    summary: str
    parameters: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Plugin:
    """A method file that was found, not yet read."""

    name: str
    path: Path
    module: str | None = None
    """Import name, for methods that come from an installed package."""

    @cached_property
    def signature(self) -> Signature:
        """Version, summary and parameters. Raises UserError where the file cannot be read or imported."""
        return _read(self) or _inspect(self.load())

    def load(self) -> "type[Method]":
        """Import the file and return its Method. Raises UserError naming the file where that fails."""
        from clopbench.method import Method

        try:
            module = importlib.import_module(self.module) if self.module else _import_path(self.path)
        except Exception as error:
            raise UserError(
                f"method file {self.path} cannot be imported: {type(error).__name__}: {error}"
            ) from error
        found = [
            thing
            for thing in vars(module).values()
            if isinstance(thing, type)
            and issubclass(thing, Method)
            and getattr(thing, "name", None) == self.name
        ]
        if len(found) != 1:
            raise UserError(
                f"method file {self.path}: expected one subclass of Method with name = {self.name!r}, "
                f"found {len(found)}"
            )
        return found[0]

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, defaults filled in. Raises UserError for one that is unknown or out of range."""
        return validated(self._model, given, "method").model_dump(mode="json")

    @cached_property
    def _model(self) -> type[Strict]:
        fields: dict[str, Any] = dict(self.signature.parameters)
        return create_model(self.name, __base__=Strict, **fields)

    def listing(self) -> dict[str, dict[str, Any]]:
        """Parameters in words, for people: {name: {type, default}}."""
        return {
            name: {"type": describe(kind), "default": default}
            for name, (kind, default) in self.signature.parameters.items()
        }


class Plugins:
    """All methods that can be seen from some folders and from installed packages."""

    def __init__(self, folders: Iterable[Path]):
        self.folders = [Path(folder) for folder in folders]
        self._found: dict[str, Plugin] = {}
        for folder in self.folders:
            for path in sorted(folder.glob("*.py")):
                if not path.stem.startswith("_"):
                    self._add(Plugin(path.stem, path.resolve()))
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
            spec = importlib.util.find_spec(point.module)
            if spec is None or spec.origin is None:
                raise UserError(f"entry point {point.name} of {ENTRY_POINTS}: no module {point.module}")
            self._add(Plugin(point.name, Path(spec.origin), point.module))

    def _add(self, plugin: Plugin) -> None:
        other = self._found.setdefault(plugin.name, plugin)
        if other.path != plugin.path:
            raise UserError(f"method '{plugin.name}' is defined twice: {other.path} and {plugin.path}")

    def names(self) -> list[str]:
        return sorted(self._found)

    def get(self, name: str) -> Plugin:
        """The plug-in of that name. Raises UserError with the nearest name."""
        if name not in self._found:
            raise unknown("method", name, self._found)
        return self._found[name]


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


class _NotReadable(Exception):
    """The syntax tree does not say enough; import the file instead."""


def _read(plugin: Plugin) -> Signature | None:
    """The signature from the file's syntax tree, or None where only an import can tell."""
    try:
        tree = ast.parse(plugin.path.read_text(), filename=str(plugin.path))
    except SyntaxError as error:
        raise UserError(f"method file {plugin.path}:{error.lineno}: {error.msg}") from None
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            try:
                constants = _constants(node)
                if constants.get("name") != plugin.name:
                    continue
                parameters = _parameters(node)
                summary = (ast.get_docstring(tree) or "").partition("\n")[0]
                return Signature(int(constants["version"]), summary, parameters)
            except (_NotReadable, KeyError):
                return None
    return None


def _constants(node: ast.ClassDef) -> dict[str, Any]:
    """Literal class attributes, also where several are assigned at once."""
    constants: dict[str, Any] = {}
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        target = statement.targets[0]
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = (
            statement.value.elts
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple)
            else [statement.value]
        )
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                constants[name.id] = value.value
    return constants


def _parameters(node: ast.ClassDef) -> dict[str, tuple[Any, Any]]:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            arguments = statement.args
            positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
            if set(positional) - set(RESERVED) or arguments.vararg or arguments.kwarg:
                raise _NotReadable
            return {
                argument.arg: (_annotation(argument.annotation), _default(default))
                for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
                if argument.arg not in RESERVED
            }
    raise _NotReadable


def _annotation(node: ast.expr | None) -> Any:
    """A type from READABLE, Literal[...] of constants, or a union of these with None."""
    if isinstance(node, ast.Name) and node.id in READABLE:
        return READABLE[node.id]
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _annotation(node.left) | _annotation(node.right)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
        values = ast.literal_eval(node.slice)
        return Literal[values]  # pyright: ignore[reportInvalidTypeForm]
    raise _NotReadable


def _default(node: ast.expr | None) -> Any:
    if node is None:
        return ...
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise _NotReadable from None


def _inspect(method: "type[Method]") -> Signature:
    """The signature of an imported class."""
    hints = get_type_hints(method.__init__, include_extras=True)
    parameters = {
        parameter.name: (
            hints.get(parameter.name, Any),
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in inspect.signature(method).parameters.values()
        if parameter.name not in RESERVED and parameter.kind is parameter.KEYWORD_ONLY
    }
    module = sys.modules[method.__module__]
    return Signature(method.version, (module.__doc__ or "").strip().partition("\n")[0], parameters)
