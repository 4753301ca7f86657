"""What a kind of study has to answer: what must be at hand, what can be wrong with it, and what it measures.

Each kind that clopbench/study.py declares has one class, in the file of its name, whose `study` is that
declaration; studying.py finds it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from clopbench.cell import Cell
from clopbench.study import StudyConfig
from clopbench.suite.plugins import Plugins
from clopbench.training.assembly import Prepared

Preparing = Callable[[Cell], Prepared]
"""Builds all that a cell trains with."""


@dataclass(frozen=True)
class Outcome:
    """What a study brings into its cell's record."""

    metrics: dict[str, float | None]
    history: list[dict[str, Any]]
    pairing: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyKind(ABC):
    """The study of one cell. A class for each kind says how it is made."""

    study: StudyConfig
    cell: Cell
    plugins: Plugins
    trains: ClassVar[bool]
    """Whether it takes steps of training, so that the cell's images and model must fit."""

    @abstractmethod
    def check(self, images: Callable[[], int]) -> None:
        """Raise UserError where the study cannot be made of the cell.

        images: counts the training images that the cell keeps, for the studies that use any.
        """

    @abstractmethod
    def measure(self, prepare: Preparing) -> Outcome:
        """Make the study. prepare: for those that train."""
