"""Means against an axis of numbers: accuracy and rank against learning rate, batch size, λ, …"""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clopbench.report.figures import canvas, placement
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.curve_marks import (
    Interval,
    factor_of,
    line_of,
    mark_failures,
    name_lines,
    place_of,
    within,
)
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.figures.looks import Style, legend, styled
from clopbench.report.figures.paired_dots import counted, seeds_text
from clopbench.report.formats import wording
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.statistics.summaries import summarise
from clopbench.suite.declarations import Coordinates, MetricColumn
from clopbench.suite.figures import Curve
from clopbench.suite.metrics import bounds

HEIGHT = 2.3
"""Inches of a row of panels."""
TALL = 3.2
"""Of one with more lines than a legend can name: its lines bear their names."""
MANY = 6
DRAWN = 0.87
"""Of a tall panel's height is its drawn area, about."""
LETTERS = 30
"""That fit beside a panel in one line."""
BESIDE, BESIDE_LINEAR = 1.3, 0.05
"""A logarithmic axis reaches so many times beyond its points, a linear one by such a share of their range."""


def shows(figure: Curve, table: Table, _: Attachments) -> bool:
    """Whether some line has two points: one alone is no curve."""
    axis = figure.along
    lines = Counter(
        tuple(point for name, point in number.coordinates.items() if name != axis)
        for number in numbers(figure, table)
        if number.cells
    )
    return max(lines.values(), default=0) >= 2


def draw(figure: Curve, tables: Sequence[Table], _: Attachments) -> Figure:
    """A part for each scale, in it a column of panels per metric and a row per point of `panels`.

    Drawn are the mean over seeds and its 95 % t interval; a cross with k/n says that k of n cells collapsed
    or diverged. A point without any value is marked at the bottom.
    """
    metrics = shown_metrics(figure, tables[0])
    layouts = [list(placement.places(placement.shown(figure, t.axes), [figure.panels])) for t in tables]
    styles = styled(figure, figure.lines, tables)
    many = len(styles) > MANY
    columns, height = (1, TALL * len(metrics)) if many else (len(metrics), HEIGHT)
    drawn, parts = canvas.by_scale(tables, [0.45 + height * len(layout) for layout in layouts])
    for table, layout, part in zip(tables, layouts, parts, strict=True):
        part.suptitle(f"scale {table.scale.name}, {seeds_text(numbers(figure, table))}")
        grid = canvas.panels(part, len(layout) * len(metrics), columns, sharex=True)
        for panel, (place, metric) in zip(grid, product(layout, metrics), strict=True):
            _panel(panel, figure, table, metric, place, styles)
            panel.set_title(canvas.heading(table, place))
    handles = legend(styles) if figure.lines and not many else {}
    if any(canvas.failed(number) for table in tables for number in numbers(figure, table)):
        cross = Line2D([], [], color="black", marker="x", ls="", ms=7, mew=1.5)
        handles["collapsed or diverged (of all cells)"] = cross
    if handles:
        drawn.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False)
    return drawn


def caption(figure: Curve, tables: Sequence[Table], _: Attachments) -> str:
    """What is to be seen, what the band is, and n."""
    titles = " and ".join(metric.title for metric in shown_metrics(figure, tables[0]))
    seeds = {table.scale.name: seeds_text(numbers(figure, table)) for table in tables}
    marks = any(canvas.failed(number) for table in tables for number in numbers(figure, table))
    many = len(styled(figure, figure.lines, tables)) > MANY
    note = (
        " A cross with k/n marks a point of which k of n cells collapsed or diverged (the mean holds those "
        "that have a value; at the bottom: none has)."
        if marks and not many
        else " A cross marks a point of which some cells collapsed or diverged."
        if marks
        else ""
    )
    band = "" if many else "; the band is the 95 % t interval, where there are two seeds or more"
    title = wording.sentence(figure.title or f"{titles} against {figure.label}")
    return f"{title}. Means over seeds{band}.{note} {counted(seeds)}."


def numbers(figure: Curve, table: Table) -> list[Number]:
    """The entries that the figure shows."""
    return placement.at(table.numbers, placement.shown(figure, table.axes), {})


def shown_metrics(figure: Curve, table: Table) -> list[MetricColumn]:
    """The metrics with their titles, as the table names them."""
    own = table.declaration
    known = {column.metric: column for column in own.columns_of_metrics}
    return [known[name] for name in figure.metrics or [own.metric]]


def t_interval(values: Any, metric: MetricColumn) -> tuple[float, float]:
    """The 95 % t interval of a mean, as seaborn asks for it; the mean itself below two values.

    Values of a metric that is shown in per cent are in per cent.
    """
    factor, ends = factor_of(metric), bounds(metric.metric)
    summary = summarise(list(values), ends and (ends[0] * factor, ends[1] * factor))
    return (
        (summary.mean, summary.mean)
        if summary.low is None or summary.high is None
        else (summary.low, summary.high)
    )


def _panel(
    axes: Axes,
    figure: Curve,
    table: Table,
    metric: MetricColumn,
    place: Coordinates,
    styles: Mapping[str, Style],
) -> None:
    kept = placement.shown(figure, table.axes)
    here = placement.at(table.numbers, kept, place)
    factor, unit = factor_of(metric), " (%)" if metric.format == "percent" else ""
    frame = pd.DataFrame(
        [
            (place_of(figure, number), line_of(figure, table, number), value * factor)
            for number in here
            for value in number.values_of(metric.metric).values()
        ],
        columns=["x", "line", "value"],
    )
    _scale(axes, figure, [figure.number(point) for point in kept[figure.along]])
    if frame.empty:
        canvas.without_values(axes)
    else:
        interval = None if len(styles) > MANY else partial(t_interval, metric=metric)
        _draw_lines(axes, frame, styles, interval)
        axes.set_ylim(canvas.limits(frame["value"], axes.get_ylim(), metric.format))
        within(axes, frame, styles, partial(t_interval, metric=metric), metric)
        if len(styles) > MANY:
            name_lines(axes, frame, styles, points=DRAWN * TALL * 72)
    axes.set(xlabel=figure.label, ylabel=textwrap.fill(f"{metric.title}{unit}", LETTERS))
    mark_failures(axes, figure, table, metric, here, styles, counts=len(styles) <= MANY)


def _scale(axes: Axes, figure: Curve, points: Sequence[float]) -> None:
    """The horizontal axis, the same whichever of its points have been run."""
    if figure.x == "log":
        axes.set_xlim(min(points) / BESIDE, max(points) * BESIDE)
        axes.set_xscale("log")
        axes.set_xticks(points, [f"{point:g}" for point in points])
        axes.set_xticks([], minor=True)
    else:
        beside = BESIDE_LINEAR * (max(points) - min(points))
        axes.set_xlim(min(points) - beside, max(points) + beside)


def _draw_lines(
    axes: Axes,
    frame: pd.DataFrame,
    styles: Mapping[str, Style],
    interval: Interval | None,
) -> None:
    sns.lineplot(
        frame, x="x", y="value", hue="line", style="line", hue_order=list(styles), style_order=list(styles),
        palette=[style.colour for style in styles.values()], dashes=False,
        markers=[style.marker for style in styles.values()], markersize=5, lw=1.3,
        errorbar=interval, err_style="band", err_kws={"alpha": 0.18, "lw": 0}, legend=False, ax=axes,
    )  # fmt: skip
    for label, alone in frame.groupby("line"):
        if interval is not None and len(set(alone["x"])) == 1:  # A band needs two points.
            low, high = interval(alone["value"])
            axes.vlines(alone["x"].iloc[0], low, high, color=styles[str(label)].colour, lw=1)


KIND = FigureKind(Curve, "curves", "no line has two points", shows, draw, caption)
