"""What a method file says of itself: version, summary, and the constructor's keyword arguments.

They are read from the file's syntax tree where that is enough, so that planning needs neither torch nor the
file's own imports; what cannot be read that way (inherited, or with computed defaults) is asked of the class.
"""

import ast
import inspect
import json
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from clopbench.errors import UserError, in_words, visible
from clopbench.parameters import READABLE, Strict, describe, shown
from clopbench.suite import reading

if TYPE_CHECKING:
    from clopbench.method import Method

RESERVED = ("self", "dim", "num_classes", "features", "generator")
TAKEN = ("name", "version", "parameters")
"""Fields that stand beside a method's parameters in a cell."""


@dataclass(frozen=True)
class Signature:
    """parameters: name → (type, default); a default of ... means that there is none.

    added: parameters that came later, which are left out of a cell at their default.
    """

    version: int
    summary: str
    parameters: Mapping[str, tuple[Any, Any]]
    added: tuple[str, ...] = ()

    def recorded(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that a cell holds, and its identity with them: all but added ones at their default."""
        defaults = {name: self.parameters[name][1] for name in self.added}
        return {name: value for name, value in given.items() if name not in defaults or value != defaults[name]}


def of_file(path: Path, name: str) -> Signature | None:
    """The signature of the method of this name, or None where only an import can tell.

    Raises UserError where the file is not UTF-8 or not Python, and where what it says is wrong.
    """
    text = reading.text(path, f"method file {path}")
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
    except SyntaxError as error:
        raise UserError(reading.problem(f"method file {path}", error.lineno, "", error.msg)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"method file {path}: is no Python: {in_words(error)}") from None
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            constants = _constants(node)
            if constants.get("name") != name:
                continue
            try:
                version, added = _read(constants, "version"), _read(constants, "added", ())
                found = Signature(version, ast.get_docstring(tree) or "", _parameters(node), added)
            except _NotReadable:
                return None
            return _verified(found, path)
    return None


def of_class(method: "type[Method]", path: Path, read: Signature | None = None) -> Signature:
    """The signature of an imported class. Raises UserError where it is wrong.

    read: what the file's text says, whose types count where the class's names stand for nothing at run time.
    """
    try:
        arguments = inspect.signature(method).parameters.values()
        hints = _types(method, read)
    except Exception as error:
        raise UserError(f"method file {path}: its constructor cannot be read: {in_words(error)}") from None
    parameters = {
        argument.name: (
            hints.get(argument.name, Any),
            ... if argument.default is argument.empty else argument.default,
        )
        for argument in arguments
        if argument.name not in RESERVED and argument.kind is argument.KEYWORD_ONLY
    }
    for argument in arguments:
        if argument.name not in (*RESERVED, *parameters) and argument.kind not in (
            argument.VAR_POSITIONAL,
            argument.VAR_KEYWORD,
        ):
            raise UserError(
                f"method file {path}: parameter '{argument.name}' must stand after a * (keyword-only)"
            )
    summary = (sys.modules[method.__module__].__doc__ or "").strip()
    version, added = getattr(method, "version", None), getattr(method, "added", ())
    return _verified(Signature(version, summary, parameters, added), path)  # pyright: ignore[reportArgumentType]


def _types(method: "type[Method]", read: Signature | None) -> dict[str, Any]:
    try:
        return get_type_hints(method.__init__, include_extras=True)
    except NameError:
        if read is None:
            raise
        return {name: kind for name, (kind, _) in read.parameters.items()}


def differences(read: Signature, imported: Signature) -> list[str]:
    """In what a file's text and its class disagree: what was planned would not be what is run."""
    wrong = []
    if read.version != imported.version:
        wrong.append(f"version is {read.version} in its text and {imported.version} once imported")
    if read.added != imported.added:
        wrong.append(f"added is {read.added} in its text and {imported.added} once imported")
    for name in dict.fromkeys([*read.parameters, *imported.parameters]):
        if read.parameters.get(name) != imported.parameters.get(name):
            wrong.append(f"parameter '{name}' is not in its text what it is once imported")
    return wrong


def _verified(found: Signature, path: Path) -> Signature:
    """The signature with its summary's first line. Raises UserError naming all that is wrong with it."""
    wrong = []
    if type(found.version) is not int or found.version < 1:
        given = "none is given" if found.version is None else f"got {shown(found.version)}"
        wrong.append(f"version must be a whole number from 1 on ({given})")
    if not isinstance(found.added, tuple) or any(
        found.parameters.get(name, (None, ...))[1] is ... for name in found.added
    ):
        wrong.append(f"added must be a tuple of parameters that have a default (got {shown(found.added)})")
    for name, (kind, default) in found.parameters.items():
        if rule := _parameter_fault(name, kind, default):
            wrong.append(f"parameter '{name}': {rule}")
    if wrong:
        raise UserError(f"method file {path}: {'; '.join(wrong)}")
    return replace(found, summary=visible(found.summary.strip().partition("\n")[0]))


def _parameter_fault(name: str, kind: Any, default: Any) -> str | None:
    if name.startswith("_") or name in TAKEN or hasattr(Strict, name):
        return "this name is taken (by pydantic, or by a field of every method); call it otherwise"
    if get_origin(kind) is Literal and not all(isinstance(value, str | int | None) for value in get_args(kind)):
        return "Literal takes text, whole numbers, booleans and None"
    if get_origin(kind) is Literal and not get_args(kind):
        return "Literal needs at least one value"
    try:
        adapter = TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False))
    except Exception:
        names = ", ".join(READABLE)
        return f"its annotation {shown(kind)} is no kind of parameter (Literal[...], or of {names})"
    if default is ...:
        return None
    try:
        json.dumps(adapter.dump_python(adapter.validate_python(default), mode="json", warnings="none"))
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        return f"its default {shown(default)} is not {describe(kind)}: {message[0].lower()}{message[1:]}"
    except (TypeError, ValueError) as error:
        return f"its default is no plain value: {in_words(error)}"
    return None


class _NotReadable(Exception):
    """The syntax tree does not say enough; import the file instead."""


def _constants(node: ast.ClassDef) -> dict[str, Any]:
    """Class attributes, also where several are assigned at once; ... where they are no literals."""
    constants: dict[str, Any] = {}
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            pairs = [(statement.target, statement.value)]
        elif isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
            several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            pairs = list(zip(target.elts, value.elts, strict=False)) if several else [(target, value)]  # pyright: ignore[reportAttributeAccessIssue]
        else:
            continue
        for name, value in pairs:
            if isinstance(name, ast.Name) and value is not None:
                constants[name.id] = ...
                if isinstance(value, ast.Constant | ast.Tuple):
                    with suppress(ValueError, TypeError):  # A tuple of names is no literal.
                        constants[name.id] = ast.literal_eval(value)
    return constants


def _read(constants: Mapping[str, Any], name: str, default: Any = ...) -> Any:
    value = constants.get(name, default)
    if value is ...:
        raise _NotReadable
    return value


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
    try:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return _annotation(node.left) | _annotation(node.right)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
            values = ast.literal_eval(node.slice)
            return Literal[values]  # pyright: ignore[reportInvalidTypeForm]
    except (ValueError, TypeError, RecursionError, MemoryError):
        pass
    raise _NotReadable


def _default(node: ast.expr | None) -> Any:
    if node is None:
        return ...
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise _NotReadable from None
