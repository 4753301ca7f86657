"""What all figures have in common: theme, size, scales below one another, and the files that come out.

A figure is as wide as the text of a page, so that its type has its true size (7 points or more) in print.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from PIL import Image

from clopbench.errors import visible
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.suite.claims import Format
from clopbench.suite.declarations import Coordinates

DPI = 160
DPI_WITHIN = 90
"""Of pictures within a page."""
WIDTH = 7.0
"""Inches."""
COLOURS = 96
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
"""Beside the ten colours of seaborn's palette for the colour-blind, so that no line rests on colour alone."""
DASHES: tuple[tuple[float, ...], ...] = (
    *((), (4, 1.5), (1, 1), (3, 1.25, 1.5, 1.25), (5, 1, 1, 1)),
    *((6, 2), (2, 2), (8, 1), (6, 1, 2, 1), (1, 3)),
)
SETTINGS = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.title_fontsize": 7.5,
    "figure.titlesize": 8.5,
    "axes.linewidth": 0.8,
    "grid.linewidth": 0.5,
    "pdf.fonttype": 42,  # Journals refuse Type 3, matplotlib's default.
}


@contextmanager
def theme() -> Iterator[None]:
    """Seaborn's look for paper, for what is drawn and saved inside."""
    looks: dict[Any, Any] = sns.plotting_context("paper") | sns.axes_style("whitegrid") | SETTINGS
    with plt.rc_context(looks), sns.color_palette("colorblind"):
        yield


def by_scale(tables: Sequence[Table], heights: Sequence[float]) -> tuple[Figure, list[SubFigure]]:
    """An empty figure with a part for each scale; heights in inches."""
    figure = plt.figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(tables), 1, height_ratios=heights, squeeze=False)[:, 0]
    return figure, list(parts)


def panels(part: SubFigure, count: int, columns: int, sharex: bool = False, sharey: bool = False) -> list[Axes]:
    """Axes of `count` panels, at most `columns` beside each other and about equally many in each row."""
    rows = bands(count, columns)
    columns = -(-count // rows)
    grid = part.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).ravel()
    for unused in grid[count:]:
        unused.set_visible(False)
    for above in grid[count - columns : count]:  # Panels with none below them bear the scale.
        above.tick_params(labelbottom=True)
    return list(grid[:count])


def without_values(axes: Axes) -> None:
    """Say in a panel that there is nothing in it."""
    axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color="0.4")


def bands(count: int, columns: int) -> int:
    """Rows of panels that `count` of them need, at most `columns` beside each other."""
    return -(-count // columns)


def heading(table: Table, place: Coordinates) -> str:
    """A point in words: 'CLOP, learning rate 0.1'. An axis is named where its points have no labels."""
    labels = table.declaration.labels
    return ", ".join(labels.get(point, f"{axis.replace('_', ' ')} {point}") for axis, point in place.items())


def as_words(figure: Figure) -> None:
    """Make all texts of a figure such as are drawn as they are; of axes those that somebody has named."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(words(text.get_text()))
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        named = axis.get_major_formatter()
        if isinstance(named, FuncFormatter) and not isinstance(named, _Words):
            axis.set_major_formatter(_Words(named))


class _Words(FuncFormatter):
    """Marks of an axis that are words. Axes may share theirs, and then meet it again."""

    def __init__(self, named: FuncFormatter):
        super().__init__(lambda x, place: words(named(x, place)))


def words(text: str) -> str:
    """A text without formulas, in signs that matplotlib's own font has; others as escapes. Lines stay."""
    font = get_font(findfont("DejaVu Sans"))
    lines = [visible(line) for line in text.split("\n")]
    known = [
        "".join(s if font.get_char_index(ord(s)) else s.encode("unicode_escape").decode() for s in line)
        for line in lines
    ]
    return "\n".join(known).replace("$", r"\$")


def limits(values: Iterable[float], bounds: tuple[float, float], kind: Format) -> tuple[float, float]:
    """The drawn range of a metric: `bounds`, but a t interval that reaches below 0 or above 100 % is cut."""
    low, high = bounds
    if min(values, default=0.0) >= 0:
        low = max(low, -0.03 * high)
    return low, min(high, 103.0) if kind == "percent" else high


def seeds_text(counts: Sequence[int]) -> str:
    """'n = 10 seeds', or 'n = 3–10 seeds' where panels or lines differ."""
    low, high = min(counts, default=0), max(counts, default=0)
    amount = str(high) if low == high else f"{low}–{high}"
    return f"n = {amount} seed{'' if high == 1 else 's'}"


def failed(number: Number) -> int:
    """How many of a number's cells collapsed or diverged."""
    return number.count("collapsed") + number.count("diverged")


def png(figure: Figure) -> bytes:
    """The pixels with a palette of their own colours: a third of the size."""
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    pixels = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    pixels.save(small, format="png", optimize=True, dpi=(DPI, DPI))
    return small.getvalue()


def webp(figure: Figure) -> bytes:
    """The same for a page that holds its pictures itself: without loss, smaller still."""
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI_WITHIN)
    pixels = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    pixels.convert("RGB").save(small, format="webp", lossless=True, quality=100, method=4)
    return small.getvalue()


def pdf(figure: Figure) -> bytes:
    """Without dates and versions."""
    vector = io.BytesIO()
    figure.savefig(vector, format="pdf", metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return vector.getvalue()


def spread_apart(heights: Sequence[float], gap: float) -> list[float]:
    """The same heights, moved up where two would be nearer than `gap`; the order stays."""
    moved = np.asarray(heights, dtype=float).copy()
    below = -np.inf
    for position in np.argsort(moved, kind="stable"):
        moved[position] = below = max(moved[position], below + gap)
    return moved.tolist()
