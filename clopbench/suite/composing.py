"""benchmarks/*.yaml with a scale → one mapping, composed by Hydra from files that were read strictly.

`defaults` names what a file is composed with: of a benchmark `scale: NAME` first, then perhaps other files
below benchmarks/, then the file itself (`_self_`), whose values come last. What Hydra gets to see is valid.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clopbench.errors import UserError, in_words, nearest, unknown
from clopbench.parameters import Fault, FieldPath, hint, shown
from clopbench.suite import reading
from clopbench.suite.declarations import SECTIONS, BenchmarkDeclaration
from clopbench.suite.reading import Document

SELF, DEFAULTS, SCALE = "_self_", "defaults", "scale"
OF_A_BENCHMARK = (DEFAULTS, *BenchmarkDeclaration.model_fields)
OF_A_SCALE = (DEFAULTS, SCALE, *SECTIONS)
NO_VALUE = "???"
"""To Hydra a value that is yet to come; a file below it would quietly keep its own."""


@dataclass(frozen=True)
class Composition:
    """A benchmark at a scale. documents: what it was made of; of two that give a value the later counts."""

    content: Mapping[str, Any]
    documents: Sequence[Document]
    problems: Sequence[str]
    """What is wrong with the files themselves, and is left out of the content."""
    meant: Collection[str]
    """Fields that unknown ones were probably meant to be."""

    def problem(self, fault: Fault) -> str:
        """A line for the user: where the value stands, and the rule that it breaks.

        A value that stands nowhere would stand in the scale, where that has the section.
        """
        documents = list(self.documents if fault.missing else reversed(self.documents))
        if fault.missing and len(fault.path) == 1:
            return documents[-1].problem(fault)
        return max(documents, key=lambda document: document.find(fault.path)[0]).problem(fault)

    def rank(self, path: FieldPath) -> int:
        """How late the last file comes that gives this value."""
        having = [document.find(path)[0] == len(path) for document in self.documents]
        return max((place for place, has in enumerate(having) if has), default=0)


class Composer:
    """Reads and composes the files below a folder benchmarks/, each once. others: where scales may lie too."""

    def __init__(self, folder: Path, *others: Path):
        self.folders = (folder, *others)
        self._parts: dict[str, _Part] = {}

    def compose(self, name: str, scale: str) -> Composition:
        """Raises UserError where a file cannot be read at all."""
        unreadable = [problem for one in (f"{SCALE}/{scale}", name) for problem in self._unreadable(one)]
        if unreadable:
            raise UserError(*unreadable)
        below, above = self._part(f"{SCALE}/{scale}"), self._part(name)
        content = OmegaConf.to_container(OmegaConf.merge(below.config, above.config), resolve=True)
        assert isinstance(content, dict)
        return Composition(
            {str(key): value for key, value in content.items()},
            [*below.documents, *above.documents],
            [*below.problems, *above.problems],
            below.meant | above.meant,
        )

    def scale_names(self) -> list[str]:
        return scale_names(self.folders)

    def problems(self, scale: str) -> Sequence[str]:
        """What is wrong with a scale's file, whichever benchmark it is composed with."""
        name = f"{SCALE}/{scale}"
        return self._unreadable(name) or self._part(name).problems

    def _unreadable(self, name: str) -> Sequence[str]:
        try:
            self._part(name)
        except UserError as error:
            return error.problems
        return ()

    def _part(self, name: str) -> "_Part":
        """A file with all that its defaults name but the scale, which is composed once for all benchmarks.

        Raises UserError where a file cannot be read at all.
        """
        if name not in self._parts:
            gathering = _Gathering(self.folders)
            gathering.add(name)
            if gathering.unreadable:
                raise UserError(*gathering.unreadable, *gathering.problems)
            config = _compose(name, gathering.nodes)
            self._parts[name] = _Part(
                config, list(gathering.documents.values()), gathering.problems, gathering.meant
            )
        return self._parts[name]


@dataclass(frozen=True)
class _Part:
    config: DictConfig
    documents: Sequence[Document]
    problems: Sequence[str]
    meant: set[str]


class _Gathering:
    """The files that one is composed of, by name in ascending precedence, as Hydra is to see them."""

    def __init__(self, folders: Sequence[Path]):
        self.folders = folders
        self.documents: dict[str, Document] = {}
        self.nodes: dict[str, dict[Any, Any]] = {}
        self.problems: list[str] = []
        self.unreadable: list[str] = []
        self.meant: set[str] = set()

    def add(self, name: str, trail: tuple[str, ...] = ()) -> None:
        """Add a file, after those of its defaults."""
        try:
            document = reading.read(self._path(name), file_name(name))
        except UserError as error:
            self.unreadable += error.problems
            return
        group = name.rpartition("/")[0]
        known = OF_A_SCALE if group == SCALE else OF_A_BENCHMARK
        for key in document.content:
            if key not in known:
                self._refuse(document, (key,), f"unknown field{hint(str(key), known)}")
                self.meant |= {nearest(str(key), known) or ""}
        if document.package not in (None, "_global_"):
            self._refuse(document, (), f"# @package must be _global_ (got {document.package})")
        for path, value in _leaves(document.content):
            if value == NO_VALUE:
                self._refuse(document, path, f"'{NO_VALUE}' is no value")
        others = []
        for other in self._others(document, group, first=not trail and group != SCALE):
            if other in (*trail, name):
                loop = " → ".join([*trail, name, other])
                self._refuse(document, (DEFAULTS,), f"a loop: {loop}")
            elif other in self.documents:
                self._refuse(document, (DEFAULTS,), f"'{other}' is there twice")
            else:
                others.append(other)
                self.add(other, (*trail, name))
        self.documents[name] = document
        kept = [key for key in document.content if key in known and key != DEFAULTS]
        values = {key: _escaped(document.content[key]) for key in kept}
        self.nodes[name] = {DEFAULTS: [*(f"/{other}" for other in others), SELF], **values}

    def _path(self, name: str) -> Path:
        """Of a scale the file in the first folder that has it; all else is the suite's own."""
        paths = [folder / f"{name}{reading.SUFFIX}" for folder in self.folders]
        scales = paths if name.startswith(f"{SCALE}/") else paths[:1]
        return next((path for path in scales if path.exists() or path.is_symlink()), paths[0])

    def _others(self, document: Document, group: str, first: bool) -> list[str]:
        """The other files that `defaults` names. first: the benchmark itself, which must name a scale."""
        entries = document.content.get(DEFAULTS, [])
        rule = f"a list that begins with 'scale: NAME' and ends with '{SELF}'" if first else "a list of files"
        if not isinstance(entries, list):
            self._refuse(document, (DEFAULTS,), f"must be {rule} (got {shown(entries)})")
            return []
        begins = isinstance(entries[0], dict) and SCALE in entries[0] if entries else False
        if (first and not begins) or SELF in entries[:-1]:
            self._refuse(document, (DEFAULTS,), f"must be {rule} (got {shown(entries)})")
            return []
        others = []
        for place, entry in enumerate(entries):
            path: FieldPath = (DEFAULTS, place)
            if first and place == 0 and isinstance(entry, dict) and list(entry) == [SCALE]:
                scales = scale_names(self.folders)
                if entry[SCALE] not in scales:
                    self._refuse(document, path, str(unknown("scale", str(entry[SCALE]), scales)))
            elif not isinstance(entry, str):
                self._refuse(document, path, f"no name of a file below benchmarks/ (got {shown(entry)})")
            elif entry != SELF:
                name = entry.removeprefix("/") if entry.startswith("/") or not group else f"{group}/{entry}"
                if re.fullmatch(r"[\w.-]+(/[\w.-]+)*", name) and self._path(name).is_file():
                    others.append(name)
                else:
                    self._refuse(document, path, f"there is no file benchmarks/{name}.yaml")
        return others

    def _refuse(self, document: Document, path: FieldPath, rule: str) -> None:
        self.problems.append(document.problem(Fault(path, rule)))


def scale_names(folders: Sequence[Path]) -> list[str]:
    """The scales in some folders benchmarks/, by name."""
    return sorted({name for folder in folders for name in reading.names(folder / SCALE)})


def file_name(name: str) -> str:
    """A file below benchmarks/ as messages have it."""
    return f"benchmarks/{name}{reading.SUFFIX}"


def _compose(name: str, nodes: Mapping[str, Mapping[Any, Any]]) -> DictConfig:
    try:
        if len(nodes) == 1:  # There is nothing to compose it with, and Hydra takes 80 ms to find that out.
            return OmegaConf.create({key: one for key, one in nodes[name].items() if key != DEFAULTS})
        # Hydra stores configurations of its own when it starts: these are to stay.
        with initialize(version_base="1.3", config_path=None), _stored(nodes):
            config = compose(name)
    except (HydraException, OmegaConfBaseException, RecursionError) as error:
        raise UserError(reading.problem(file_name(name), None, "", in_words(error))) from None
    OmegaConf.set_struct(config, False)  # A benchmark adds keys to its scale's.
    return config


@contextmanager
def _stored(nodes: Mapping[str, Mapping[Any, Any]]) -> Iterator[None]:
    """The files in Hydra's store of configurations, and nothing else of ours before and after."""
    store = ConfigStore.instance()
    before = store.repo
    store.repo = {name: dict(one) if isinstance(one, dict) else one for name, one in before.items()}
    try:
        for name, node in nodes.items():
            group, _, own = name.rpartition("/")
            store.store(own, dict(node), group or None, "_global_")
        yield
    finally:
        store.repo = before


def _leaves(value: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in items:
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value


def _escaped(value: Any) -> Any:
    """Words are words: what OmegaConf would take for an interpolation (`${x}`) is marked not to be one."""
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value
