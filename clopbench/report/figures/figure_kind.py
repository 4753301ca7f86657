"""What a kind of figure has to answer: whether there is something to draw, how, and what is said beneath it.

Each kind that clopbench/suite/figures.py declares has one FigureKind, in the file that draws it, where
pictures.py finds it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from clopbench.report.figures.attachments import Attachments
from clopbench.report.tables import Table


def _nothing_missing(figure: Any, table: Table, attachments: Attachments) -> list[str]:
    """Of the kinds whose points show in the table itself where they have not been run."""
    return []


@dataclass(frozen=True)
class FigureKind:
    """How one kind of figure is described and drawn; functions take figure, table(s), attachments."""

    declared: type
    """The declaration that it answers for."""
    alt: str
    nothing: str
    """What is said of a scale at which there is nothing to draw."""
    shows: Callable[[Any, Table, Attachments], bool]
    draw: Callable[[Any, Sequence[Table], Attachments], Figure]
    caption: Callable[[Any, Sequence[Table], Attachments], str]
    missing: Callable[[Any, Table, Attachments], Sequence[str]] = _nothing_missing
