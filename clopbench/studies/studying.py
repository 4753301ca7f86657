"""Cells with a study: nothing is trained to be judged, something is measured."""

from inspect import get_annotations, isabstract, isclass

from clopbench.cell import Cell
from clopbench.studies import overhead, sphere
from clopbench.studies.study_kind import StudyKind
from clopbench.suite.plugins import Plugins

STUDYING = (sphere, overhead)
"""The files in which the classes stand."""
KINDS: dict[type, type[StudyKind]] = {
    get_annotations(found)["study"]: found
    for file in STUDYING
    for found in vars(file).values()
    if isclass(found) and issubclass(found, StudyKind) and not isabstract(found)
}
"""Declaration → the class whose `study` it is."""


def study_of(cell: Cell, plugins: Plugins) -> StudyKind | None:
    """What is to be made of a cell; None where it is an ordinary training."""
    return None if cell.study is None else KINDS[type(cell.study)](cell.study, cell, plugins)
