"""Singular values of the embeddings: whether they use all their dimensions, or have collapsed onto one.

After Figure 1 of the paper, which sets two learning rates beside each other.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from clopbench.report.figures import canvas, placement
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.figures.looks import Style, styled
from clopbench.report.figures.paired_dots import counted
from clopbench.report.formats import wording
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.suite.declarations import Coordinates
from clopbench.suite.figures import SpectrumFigure

COLUMNS = 3
HEIGHT = 2.4
DOWN_TO = 0.7e-2
"""The axis reaches at least so far down, so that it shows three powers of ten."""
SMALLEST = 1e-7
"""Below the rounding of float32 a singular value means nothing; smaller ones are drawn here."""


def draw(figure: SpectrumFigure, tables: Sequence[Table], attachments: Attachments) -> Figure:
    """A part for each scale, in it a panel per point of `panels`; median and range over seeds."""
    layouts = [list(placement.places(placement.shown(figure, t.axes), [figure.panels])) for t in tables]
    styles = styled(figure, figure.lines, tables)
    bands = [canvas.bands(len(layout), COLUMNS) for layout in layouts]
    drawn, parts = canvas.by_scale(tables, [0.45 + HEIGHT * band for band in bands])
    for table, layout, part in zip(tables, layouts, parts, strict=True):
        part.suptitle(f"scale {table.scale.name}, {seeds_text(figure, table, attachments)}")
        grid = canvas.panels(part, len(layout), COLUMNS, sharex=True, sharey=True)
        for panel, place in zip(grid, layout, strict=True):
            _panel(panel, figure, table, place, styles, attachments)
            panel.set_title(canvas.heading(table, place))
    handles = [
        Line2D([], [], color=style.colour, lw=1.4, ls=(0, style.dashes) if style.dashes else "-")
        for style in styles.values()
    ]
    drawn.legend(handles, list(styles), loc="outside lower center", ncols=5, frameon=False)
    return drawn


def caption(figure: SpectrumFigure, tables: Sequence[Table], attachments: Attachments) -> str:
    """What is to be seen, what the band is, and n."""
    seeds = {table.scale.name: seeds_text(figure, table, attachments) for table in tables}
    title = figure.title or "Singular values of the test embeddings"
    return (
        f"{title} in descending order, divided by the root of the number of images (their squares sum to 1). "
        "Lines are medians over seeds, bands reach from the smallest to the largest; values below "
        f"{SMALLEST:g} are drawn there. {counted(seeds)}."
    )


def shows(figure: SpectrumFigure, table: Table, attachments: Attachments) -> bool:
    return bool(_counts(figure, table, attachments))


def missing(figure: SpectrumFigure, table: Table, attachments: Attachments) -> list[str]:
    """The points that have been run and of which no spectrum is known."""
    return [
        f"{wording.name(table, number.coordinates)} (no spectrum)"
        for number in placement.at(table.numbers, placement.shown(figure, table.axes), {})
        if number.cells and not _spectra(number, attachments)
    ]


def seeds_text(figure: SpectrumFigure, table: Table, attachments: Attachments) -> str:
    return canvas.seeds_text(_counts(figure, table, attachments))


def _counts(figure: SpectrumFigure, table: Table, attachments: Attachments) -> list[int]:
    numbers = placement.at(table.numbers, placement.shown(figure, table.axes), {})
    counts = [len(_spectra(number, attachments)) for number in numbers]
    return [count for count in counts if count]


def _spectra(number: Number, attachments: Attachments) -> list[tuple[float, ...]]:
    """The spectra of all cells of an entry that have one."""
    found = [attachments.spectrum(cell.id) for cell in number.cells]
    return [spectrum for spectrum in found if spectrum]


def _panel(
    axes: Axes,
    figure: SpectrumFigure,
    table: Table,
    place: Coordinates,
    styles: Mapping[str, Style],
    attachments: Attachments,
) -> None:
    kept = placement.shown(figure, table.axes)
    frame = pd.DataFrame(
        [
            (index, max(value, SMALLEST), table.point_label(number.coordinates[figure.lines]))
            for number in placement.at(table.numbers, kept, place)
            for spectrum in _spectra(number, attachments)
            for index, value in enumerate(spectrum, 1)
        ],
        columns=["index", "value", "line"],
    )
    if frame.empty:
        canvas.without_values(axes)
    else:
        _draw_lines(axes, frame, styles)
    # Only now: on a logarithmic axis seaborn would take the median of the logarithms.
    axes.set(xlabel="index of the singular value", ylabel="singular value", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(left=0.5)
    axes.set_ylim(min(axes.get_ylim()[0], DOWN_TO), 1.5)


def _draw_lines(axes: Axes, frame: pd.DataFrame, styles: Mapping[str, Style]) -> None:
    sns.lineplot(
        frame, x="index", y="value", hue="line", style="line", hue_order=list(styles),
        style_order=list(styles), palette=[style.colour for style in styles.values()],
        dashes=[style.dashes for style in styles.values()], estimator="median", errorbar=("pi", 100),
        err_style="band", err_kws={"alpha": 0.2, "lw": 0}, lw=1.4, legend=False, ax=axes,
    )  # fmt: skip


KIND = FigureKind(SpectrumFigure, "spectra", "no spectra", shows, draw, caption, missing)
