"""Which figures a table has: their captions, what is missing in them, and their files, drawn when asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from clopbench.report.figures import canvas, curves, paired_dots, spectra
from clopbench.report.figures import embeddings as embeddings
from clopbench.report.figures.attachments import Attachments
from clopbench.report.tables import Table
from clopbench.suite.figures import (
    Curve,
    FigureDeclaration,
    PairedDots,
    PrototypeHeatmap,
    SpectrumFigure,
    TsneFigure,
)

FORMATS = {".png": canvas.png, ".pdf": canvas.pdf}


@dataclass(frozen=True)
class Picture:
    """One figure of a table; `draw` is None where there is nothing to be drawn."""

    name: str
    """What its files are called, without the ending."""
    alt: str
    caption: str
    draw: Callable[[], Figure] | None
    missing: Sequence[str] = ()
    """Sentences on what the figure should show, and does not."""


def pictures(tables: Sequence[Table], attachments: Attachments) -> list[Picture]:
    """The figures of one table at all its scales (one at least), in the order of their declaration."""
    return [_picture(figure, tables, attachments) for figure in tables[0].declaration.figures]


class Files(Mapping[str, bytes]):
    """Path → content of the pictures' files. Drawn when first asked for: to check names costs nothing.

    pictures: folder → those that lie in it.
    """

    def __init__(self, pictures: Mapping[str, Sequence[Picture]], endings: Sequence[str] = tuple(FORMATS)):
        self._endings = endings
        self._draw = {
            f"{folder}/{p.name}": p.draw
            for folder, some in pictures.items()
            for p in some
            if p.draw is not None
        }
        self._drawn: dict[str, Mapping[str, bytes]] = {}

    def __getitem__(self, name: str) -> bytes:
        stem, dot, ending = name.rpartition(".")
        if stem not in self._drawn:
            with canvas.theme():
                self._drawn[stem] = self._files(self._draw[stem]())
        return self._drawn[stem][dot + ending]

    def _files(self, figure: Figure) -> Mapping[str, bytes]:
        written = {}
        for ending in self._endings:
            written[ending] = FORMATS[ending](figure)
            figure.set_layout_engine("none")  # It has its place by now: half of the time is spent on that.
        plt.close(figure)
        return written

    def __iter__(self) -> Iterator[str]:
        return (stem + ending for stem in self._draw for ending in self._endings)

    def __len__(self) -> int:
        return len(self._draw) * len(self._endings)


def _picture(figure: FigureDeclaration, tables: Sequence[Table], attachments: Attachments) -> Picture:
    kind = KINDS[type(figure)]
    name, alt = figure.name, f"{tables[0].declaration.title}, {kind.alt}"
    here = [table for table in tables if kind.shows(figure, table, attachments)]
    missing = []
    for table in tables:
        absent = "; ".join(kind.missing(figure, table, attachments)) if table in here else kind.nothing
        if absent:
            missing.append(f"Not in figure {name} at scale {table.scale.name}: {absent}.")
    if not here:
        return Picture(name, alt, "", None, missing)
    caption = kind.caption(figure, here, attachments)
    return Picture(name, alt, caption, lambda: kind.draw(figure, here, attachments), missing)


def _nothing_missing(figure: FigureDeclaration, table: Table, attachments: Attachments) -> list[str]:
    """Of the kinds whose points show in the table itself where they have not been run."""
    return []


@dataclass(frozen=True)
class Kind:
    """How one kind of figure is described and drawn; each function takes figure, table(s), attachments."""

    alt: str
    nothing: str
    """What is said of a scale at which there is nothing to draw."""
    shows: Callable[[Any, Table, Attachments], bool]
    draw: Callable[[Any, Sequence[Table], Attachments], Figure]
    caption: Callable[[Any, Sequence[Table], Attachments], str]
    missing: Callable[[Any, Table, Attachments], Sequence[str]] = _nothing_missing


KINDS = {
    PairedDots: Kind("each seed", "no values", paired_dots.shows, paired_dots.draw, paired_dots.caption),
    Curve: Kind("curves", "no line has two points", curves.shows, curves.draw, curves.caption),
    SpectrumFigure: Kind(
        "spectra", "no spectra", spectra.shows, spectra.draw, spectra.caption, spectra.missing
    ),
    TsneFigure: Kind(
        "t-SNE", "no embeddings are at hand", embeddings.shows, embeddings.draw_tsne, embeddings.tsne_caption,
        embeddings.missing,
    ),
    PrototypeHeatmap: Kind(
        "cosines with prototypes", "no embeddings with prototypes are at hand", embeddings.shows,
        embeddings.draw_heatmap, embeddings.heatmap_caption, embeddings.missing,
    ),
}  # fmt: skip
