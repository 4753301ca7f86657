"""Which figures a table has: their captions, what is missing in them, and their files, drawn when asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from clopbench.report.figures import canvas, curves, embeddings, paired_dots, spectra, variance_shares
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.tables import Table
from clopbench.suite.figures import FigureDeclaration

FORMATS = {".png": canvas.png, ".pdf": canvas.pdf, ".webp": canvas.webp}
BESIDE_A_PAGE = (".png", ".pdf")
WITHIN_A_PAGE = (".webp",)
DRAWING = (paired_dots, curves, variance_shares, spectra, embeddings)
"""The files in which the kinds stand."""
KINDS = {
    found.declared: found for file in DRAWING for found in vars(file).values() if isinstance(found, FigureKind)
}
"""Declaration → the kind that answers for it."""


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

    def __init__(self, pictures: Mapping[str, Sequence[Picture]], endings: Sequence[str] = BESIDE_A_PAGE):
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
        canvas.as_words(figure)
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


class Some(Mapping[str, bytes]):
    """Those files whose path begins with one of some texts; the others are never drawn."""

    def __init__(self, files: Mapping[str, bytes], starts: tuple[str, ...]):
        self._files, self._names = files, [name for name in files if name.startswith(starts)]

    def __getitem__(self, name: str) -> bytes:
        if name not in self._names:
            raise KeyError(name)
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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
