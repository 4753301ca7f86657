"""Each seed's value in each row of a table, joined by lines: whether rows differ in every seed or in one."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from clopbench.report import amounts
from clopbench.report.figures import canvas, placement
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.formats import wording
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.suite.declarations import Coordinates
from clopbench.suite.figures import PairedDots

COLUMNS = 4
"""Panels beside each other."""
ROOMY, DENSE = 0.42, 0.25
"""Inches for each row of a panel: of few rows, and of more than four."""


def shows(figure: PairedDots, table: Table, _: Attachments) -> bool:
    return bool(_panels(figure, table))


def draw(figure: PairedDots, tables: Sequence[Table], _: Attachments) -> Figure:
    """A part for each scale, in it a panel for each point of the axes that do not run down the table.

    Rows stand below one another, so that long names fit and any number of them. Lines that run the same way
    say more than two overlapping clouds: the rows are paired over seeds.
    """
    layouts = [_panels(figure, table) for table in tables]
    drawn, parts = canvas.by_scale(tables, [_height(layout) for layout in layouts])
    for table, layout, part in zip(tables, layouts, parts, strict=True):
        everything = [number for _, numbers in layout for number in numbers]
        part.suptitle(f"scale {table.scale.name}, {seeds_text(everything)}")
        part.supxlabel(_metric(table), fontsize=8)
        axes = canvas.panels(part, len(layout), COLUMNS, sharex=True, sharey=True)
        for panel, (place, numbers) in zip(axes, layout, strict=True):
            _panel(panel, table, numbers)
            panel.set_title(canvas.heading(table, place))
        values = [
            100 * v if table.declaration.format == "percent" else v
            for n in everything
            for v in n.values.values()
        ]
        axes[0].set_xlim(canvas.limits(values, axes[0].get_xlim(), table.declaration.format))
    return drawn


def caption(figure: PairedDots, tables: Sequence[Table], _: Attachments) -> str:
    """What is to be seen, and what the marks mean."""
    title = figure.title or f"{tables[0].declaration.metric_title} of each seed"
    seeds = {table.scale.name: seeds_text(table.numbers) for table in tables}
    return (
        f"{wording.sentence(title)}. Dots are seeds, grey lines join those of one seed, crosses are collapsed "
        f"or diverged cells; diamonds are means with 95 % t intervals. {counted(seeds)}."
    )


def counted(by_scale: dict[str, str]) -> str:
    """'Scale laptop: n = 10 seeds; scale cpu: n = 3 seeds'."""
    return wording.sentence("; ".join(f"scale {scale}: {n}" for scale, n in by_scale.items()))


def seeds_text(numbers: Sequence[Number]) -> str:
    """How many seeds the numbers that have any stand for."""
    return canvas.seeds_text([len(number.values) for number in numbers if number.values])


def _panels(figure: PairedDots, table: Table) -> list[tuple[Coordinates, list[Number]]]:
    axes = placement.shown(figure, table.axes)
    others = [axis for axis in axes if axis != table.declaration.rows]
    found = [(place, placement.at(table.numbers, axes, place)) for place in placement.places(axes, others)]
    return [(place, numbers) for place, numbers in found if any(number.values for number in numbers)]


def _height(layout: Sequence[tuple[Coordinates, list[Number]]]) -> float:
    """Inches for all panels of one scale, headings included."""
    rows = max(len(numbers) for _, numbers in layout)
    bands = canvas.bands(len(layout), COLUMNS)
    title = 0.22 if len(layout) > 1 else 0.0
    return 0.75 + bands * (rows * (ROOMY if rows <= 4 else DENSE) + 0.25 + title)


def _metric(table: Table) -> str:
    unit = amounts.unit(table.declaration.format).strip()
    return f"{table.declaration.metric_title} ({unit})" if unit else table.declaration.metric_title


def _panel(axes: Axes, table: Table, numbers: Sequence[Number]) -> None:
    factor = 100 if table.declaration.format == "percent" else 1
    order = [table.label(number.coordinates) for number in numbers]
    dots, lines = [], defaultdict(list)
    places = [str(place) for place in range(len(order))]
    for place, number in enumerate(numbers):
        status = {cell.seed: cell.status for cell in number.cells}
        for seed, value in number.values.items():
            dots.append({"row": places[place], "value": value * factor, "done": status[seed] == "done"})
            lines[seed].append((value * factor, place))
    axes.add_collection(LineCollection(list(lines.values()), color="0.8", lw=0.7, zorder=1))
    frame = pd.DataFrame(dots)
    for done, marker in ((True, "o"), (False, "X")):
        some: Any = frame[frame["done"] == done]
        if len(some):
            sns.stripplot(
                some, x="value", y="row", order=places, hue="row", hue_order=places, legend=False, jitter=False,
                palette=sns.color_palette("colorblind", len(order)), size=4, alpha=0.75, marker=marker,
                ax=axes, zorder=2,
            )  # fmt: skip
    for place, number in enumerate(numbers):
        if summary := number.summary:
            ends = [] if summary.low is None or summary.high is None else [
                [(summary.mean - summary.low) * factor], [(summary.high - summary.mean) * factor]
            ]  # fmt: skip
            axes.errorbar(
                summary.mean * factor, place + 0.24, xerr=ends or None,
                fmt="D", ms=3.5, color="black", capsize=2.5, lw=1, zorder=3,
            )  # fmt: skip
    axes.set(xlabel="", ylabel="", ylim=(len(order) - 0.4, -0.5), yticks=range(len(order)), yticklabels=order)


KIND = FigureKind(PairedDots, "each seed", "no values", shows, draw, caption)
