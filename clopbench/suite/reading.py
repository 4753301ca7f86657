"""A file of declarations → plain data, read strictly and once, with the line of every value.

Words are read as YAML 1.2 has them: `off` and `no` are text, 010 is not 8, 1:30 is not 90; 1e-4 is a number.
Anchors, aliases and merge keys (`<<`) work as ever.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import Reader

from clopbench.errors import UserError
from clopbench.parameters import Fault, FieldPath, as_text, shown

BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # The same, ten times as fast, where libyaml is.
DEEPEST, MOST_VALUES = 50, 50_000
TOO_LARGE = f"more than {DEEPEST} levels or {MOST_VALUES} values (perhaps an alias within its own anchor)"
SUFFIX = ".yaml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
HEADER = re.compile(r"(?:\s*#.*\n|\s*\n)*?\s*#\s*@package\s+(\S+)")


@dataclass(frozen=True)
class Document:
    """What a file says. name: its path below the suite, as messages have it."""

    name: str
    content: Mapping[Any, Any]
    lines: Mapping[FieldPath, int]
    """Keys (named as points are) and positions → the line where the key, or the value of a list, stands."""
    package: str | None = None
    """What a header `# @package NAME` says to Hydra."""

    def find(self, path: FieldPath) -> tuple[int, int]:
        """How many parts of the path the file has, and the line of the last of them.

        Parts that the file does not have between others are passed over: kinds of a union.
        """
        at: FieldPath = ()
        for part in path:
            step = part if (*at, part) in self.lines else str(as_text(part))
            if (*at, step) in self.lines:
                at = (*at, step)
        return len(at), self.lines[at]

    def problem(self, fault: Fault) -> str:
        """A line for the user: file, line, field and rule."""
        return problem(self.name, self.find(fault.path)[1], fault.field, fault.rule)


def problem(name: str, line: int | None, field: str, rule: str) -> str:
    """A line for the user, as Document.problem."""
    return ": ".join(filter(None, [name if line is None else f"{name}:{line}", field, rule]))


def names(folder: Path) -> list[str]:
    """The declarations in a folder, by name; none where there is no folder.

    Hidden files, editors' locks and folders are none; a file that cannot be read is one, and refused when it is
    read. Raises UserError where the folder cannot be listed.
    """
    try:
        found = [one for one in os.listdir(folder) if one.endswith(SUFFIX) and not one.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed: {error.strerror}") from None
    return sorted(one.removesuffix(SUFFIX) for one in found if not (folder / one).is_dir())


def read(path: Path, name: str) -> Document:
    """Read a file. Raises UserError with all that is wrong: not a file, not UTF-8, not YAML, a key twice …"""
    if not NAME.fullmatch(path.stem):
        raise UserError(problem(name, None, "", "a file's name has letters, digits, '_', '-' and '.' alone"))
    return parse(text(path, name), name)


def parse(written: str, name: str) -> Document:
    """The same of a text."""
    if strange := Reader.NON_PRINTABLE.search(written):
        line = written.count("\n", 0, strange.start()) + 1
        raise UserError(problem(name, line, "", f"cannot be read: no YAML has U+{ord(strange[0]):04X}"))
    try:
        node = yaml.compose(written, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = f"not valid YAML: {error.problem or error.context}"
        last = written.rstrip().count("\n") + 1
        raise UserError(problem(name, min(mark.line + 1, last) if mark else None, "", why)) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(problem(name, None, "", f"not valid YAML: {type(error).__name__}")) from None
    if not isinstance(node, yaml.MappingNode):
        raise UserError(problem(name, None, "", "expected a mapping of keys (KEY: VALUE)"))
    reader = _Reader(name, {(): node.start_mark.line + 1})
    try:
        content = reader.value(node, ())
    except _TooLargeError as error:
        raise UserError(problem(name, error.args[0], "", TOO_LARGE)) from None
    if reader.problems:
        raise UserError(*reader.problems)
    header = HEADER.match(written)
    return Document(name, content, reader.lines, header[1] if header else None)


def text(path: Path, name: str) -> str:
    """A file's text. Raises UserError where it is no file or not UTF-8; a byte-order mark is passed over."""
    if not path.is_file():
        what = "a link to nothing" if path.is_symlink() else "no file to read"
        raise UserError(problem(name, None, "", what))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(problem(name, None, "", f"cannot be read: {error.strerror}")) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        at = f"byte {error.start + 1} (0x{content[error.start]:02x}) is not UTF-8"
        raise UserError(problem(name, line, "", f"{at}; save the file as UTF-8")) from None


class _Loader(BASE):
    """Only a parser: which plain words are numbers, and what nodes become, is said here."""

    yaml_implicit_resolvers: dict[Any, Any] = {}


TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
PLAIN = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9_]*)",
    "float": r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": "<<",
}
"""Kind → what a word without quotes looks like. All others are text."""
for _kind, _pattern in PLAIN.items():
    _Loader.add_implicit_resolver(TAG + _kind, re.compile(f"^(?:{_pattern})$"), None)


class _TooLargeError(Exception):
    """The line where the file became too much."""


@dataclass
class _Reader:
    """Nodes → plain data. Goes on after a problem, so that all of them are found."""

    name: str
    lines: dict[FieldPath, int]
    problems: list[str] = field(default_factory=list)
    count: int = 0

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        self.count += 1
        if len(path) > DEEPEST or self.count > MOST_VALUES:
            raise _TooLargeError(_line(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in (f"{TAG}map", f"{TAG}seq"):
            return self._refuse(node, f"{node.tag} is no kind of value here")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return [self._item(item, (*path, place)) for place, item in enumerate(node.value)]

    def _item(self, node: yaml.Node, path: FieldPath) -> Any:
        self.lines[path] = _line(node)
        return self.value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[Any, Any]:
        content: dict[Any, Any] = {}
        first: dict[Any, int] = {}
        for key_node, value_node in self._pairs(node, path):
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if isinstance(key, bool) or not isinstance(key, (str, int, float)):
                self._refuse(key_node, "a key must be text or a number; put it in quotes")
            elif key in first:
                where = ".".join(map(str, (*path, key)))
                self._refuse(key_node, f"given twice, the first time in line {first[key]}", where)
            else:
                here = (*path, str(as_text(key)))
                first[key] = self.lines[here] = _line(key_node)
                content[key] = self.value(value_node, here)
        return content

    def _pairs(self, node: yaml.MappingNode, path: FieldPath) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Key and value of a mapping's own entries, and of the merged ones that it does not give itself."""
        own = [pair for pair in node.value if pair[0].tag != MERGE]
        yield from own
        given = {str(key.value) for key, _ in own}
        for _, merged in (pair for pair in node.value if pair[0].tag == MERGE):
            for source in merged.value if isinstance(merged, yaml.SequenceNode) else [merged]:
                if not isinstance(source, yaml.MappingNode) or len(path) > DEEPEST:
                    self._refuse(merged, "<< takes a mapping, or a list of them")
                    continue
                for key, value in self._pairs(source, (*path, "<<")):
                    if str(key.value) not in given:
                        given.add(str(key.value))
                        yield key, value

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        make = MAKERS.get(node.tag.removeprefix(TAG))
        if make is None:
            return self._refuse(node, f"{node.tag} is no kind of value here")
        try:
            return make(node.value)
        except ValueError:
            return self._refuse(node, f"{shown(node.value)} cannot be read as a number")

    def _refuse(self, node: yaml.Node, rule: str, where: str = "") -> None:
        self.problems.append(problem(self.name, _line(node), where, rule))


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


MAKERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": _float,
    "merge": str,
}
