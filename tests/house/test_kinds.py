"""A kind (of claim, figure or study) is known in two places: where it is declared, and where it is answered.

Whoever adds one writes these two, and there is no ladder over the kinds to be found and lengthened.
"""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import getfile, isabstract
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from checkout import ROOT
from code_read import PACKAGE, modules

from clopbench.parameters import kinds
from clopbench.report.claims import kinds as claims
from clopbench.report.claims.claim_kind import ClaimKind
from clopbench.report.figures import pictures
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.studies import studying
from clopbench.studies.study_kind import StudyKind
from clopbench.study import StudyConfig
from clopbench.suite.claims import ClaimDeclaration
from clopbench.suite.figures import FigureDeclaration


@dataclass(frozen=True)
class Family:
    """One union of declared kinds, and who answers for them."""

    name: str
    declared: dict[str, type]
    """Kind → declaration."""
    registered: dict[type, Any]
    """Declaration → answerer, as the package finds it."""
    written: list[tuple[type, Path]]
    """Every answerer that is written anywhere in the room: its declaration, and its file."""

    def places(self, kind: str) -> set[Path]:
        """The files in which a kind is declared and answered."""
        declaration = self.declared[kind]
        return {Path(getfile(declaration)), *(file for of, file in self.written if of is declaration)}


def room(folder: str) -> list[ModuleType]:
    """All files of a room, imported: an answerer counts where it is written, registered or not."""
    paths = [path for path in modules() if path.parent == PACKAGE / folder]
    return [importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


def concrete(base: type) -> Iterator[type]:
    for found in base.__subclasses__():
        if found.__module__.startswith("clopbench.") and not isabstract(found):
            yield found
        yield from concrete(found)


def classes(base: type, folder: str, field: str) -> list[tuple[type, Path]]:
    room(folder)
    return [(found.__annotations__[field], Path(getfile(found))) for found in concrete(base)]


def figures() -> list[tuple[type, Path]]:
    return [
        (found.declared, Path(str(file.__file__)))
        for file in room("report/figures")
        for found in vars(file).values()
        if isinstance(found, FigureKind)
    ]


CLAIMS = kinds(ClaimDeclaration)
FAMILIES = [
    Family("claim", CLAIMS, claims.KINDS, classes(ClaimKind, "report/claims", "claim")),
    Family("figure", kinds(FigureDeclaration), pictures.KINDS, figures()),
    Family("study", kinds(StudyConfig), studying.KINDS, classes(StudyKind, "studies", "study")),
]


def named(tree: ast.AST) -> set[str]:
    """Every identifier of a file, and every text that may be one (an annotation in quotes)."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
            case ast.ClassDef(name=name) | ast.Constant(value=str(name)):
                found.add(name)
    return found


def ladders(tree: ast.AST, names: set[str]) -> Iterator[str]:
    """Kinds that something called `kind` is compared with; dictionaries that are keyed by several of them."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare() | ast.Match() if any(is_kind(inner) for inner in ast.walk(node)):
                yield from texts(node) & names
            case ast.Dict(keys=keys):
                inside = {text for key in keys if key is not None for text in texts(key)} & names
                yield from inside if len(inside) > 1 else ()


def is_kind(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "kind"


def texts(node: ast.AST) -> set[str]:
    constants = (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in modules()}
NAMED = {path: named(tree) for path, tree in TREES.items()}
EACH = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@EACH
def test_every_declared_kind_has_one_answerer_and_the_reverse(family):
    answered = [declaration for declaration, _ in family.written]
    assert len(family.declared) > 1
    assert sorted(map(str, answered)) == sorted(map(str, family.declared.values()))
    assert family.registered.keys() == set(answered)


@pytest.mark.parametrize(
    ("family", "kind"),
    [pytest.param(family, kind, id=f"{family.name}-{kind}") for family in FAMILIES for kind in family.declared],
)
def test_a_kind_is_named_where_it_is_declared_and_where_it_is_answered(family, kind):
    naming = {path for path, names in NAMED.items() if family.declared[kind].__name__ in names}
    places = family.places(kind)
    assert len(places) == 2
    assert places <= naming
    # What belongs to one kind alone may be spread over files that bear its name: sphere_objective.
    assert all(path.stem.startswith(f"{kind}_") for path in naming - places)


@EACH
def test_no_ladder_over_the_names_of_kinds(family):
    found = {path: set(ladders(tree, set(family.declared))) for path, tree in TREES.items()}
    assert not {path: names for path, names in found.items() if names}


@pytest.mark.parametrize(
    "text",
    [
        "def f(claim):\n    if claim.kind == 'near': return 1",
        "def f(claim):\n    return claim.kind in ('best', 'better')",
        "def f(claim):\n    match claim.kind:\n        case 'near': return 1",
        "def f(claim):\n    return {'near': 1, 'best': 2}[claim.kind]",
    ],
)
def test_a_ladder_would_be_seen(text):
    assert set(ladders(ast.parse(text), set(CLAIMS)))


def test_a_class_that_is_named_would_be_seen():
    text = "from clopbench.suite import claims\ndef f(claim):\n    return isinstance(claim, claims.NearClaim)"
    assert CLAIMS["near"].__name__ in named(ast.parse(text))
