"""Means against an axis of numbers: accuracy and rank against learning rate, batch size, λ, …"""

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, product
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from clopbench.report.figures import canvas, placement
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.figures.paired_dots import counted, seeds_text
from clopbench.report.formats import wording
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.statistics.summaries import summarise
from clopbench.suite.declarations import Coordinates, MetricColumn
from clopbench.suite.figures import Curve, FigureDeclaration
from clopbench.suite.metrics import bounds

HEIGHT = 2.3
"""Inches of a row of panels."""
POINTS_HIGH = 110
"""Points (1/72 inch) that the drawn area of a panel is high, about."""
LETTERS = 30
"""That fit beside a panel in one line."""
BESIDE, BESIDE_LINEAR = 1.3, 0.05
"""A logarithmic axis reaches so many times beyond its points, a linear one by such a share of their range."""
FLOOR = 0.04
"""Where, as a share of the panel's height, a point without a mean is marked."""


@dataclass(frozen=True)
class Style:
    """How one line looks; a marker or dashes tell it apart where colours do not."""

    colour: tuple[float, float, float]
    marker: str
    dashes: tuple[float, ...]


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
    drawn, parts = canvas.by_scale(tables, [0.45 + HEIGHT * len(layout) for layout in layouts])
    for table, layout, part in zip(tables, layouts, parts, strict=True):
        part.suptitle(f"scale {table.scale.name}, {seeds_text(numbers(figure, table))}")
        grid = canvas.panels(part, len(layout) * len(metrics), len(metrics), sharex=True)
        for panel, (place, metric) in zip(grid, product(layout, metrics), strict=True):
            _panel(panel, figure, table, metric, place, styles)
            panel.set_title(canvas.heading(table, place))
    handles = legend(styles) if figure.lines else {}
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
    note = (
        " A cross with k/n marks a point of which k of n cells collapsed or diverged (the mean holds those "
        "that have a value; at the bottom: none has)."
        if marks
        else ""
    )
    title = wording.sentence(figure.title or f"{titles} against {figure.label}")
    return (
        f"{title}. Means over seeds; the band is the 95 % t interval, where there are two seeds or more."
        f"{note} {counted(seeds)}."
    )


def numbers(figure: Curve, table: Table) -> list[Number]:
    """The entries that the figure shows."""
    return placement.at(table.numbers, placement.shown(figure, table.axes), {})


def shown_metrics(figure: Curve, table: Table) -> list[MetricColumn]:
    """The metrics with their titles, as the table names them."""
    own = table.declaration
    known = {column.metric: column for column in own.columns_of_metrics}
    return [known[name] for name in figure.metrics or [own.metric]]


def styled(figure: FigureDeclaration, lines: str | None, tables: Sequence[Table]) -> dict[str, Style]:
    """Label → style of each line, the same at all scales; one without a name where there is one line only.

    lines: the axis whose points are the lines.
    """
    if lines is None:
        return {"": Style(sns.color_palette("colorblind")[0], canvas.MARKERS[0], ())}
    axes = [placement.shown(figure, table.axes)[lines] for table in tables]
    labels = dict.fromkeys(tables[0].point_label(point) for points in axes for point in points)
    palette = sns.color_palette("colorblind", len(labels))
    looks = zip(palette, cycle(canvas.MARKERS), cycle(canvas.DASHES), strict=False)
    return {label: Style(*look) for label, look in zip(labels, looks, strict=False)}


def legend(styles: Mapping[str, Style]) -> dict[str, Line2D]:
    """What stands beside each label."""
    return {
        label: Line2D([], [], color=style.colour, marker=style.marker, ms=5) for label, style in styles.items()
    }


def t_interval(values: Any, metric: MetricColumn) -> tuple[float, float]:
    """The 95 % t interval of a mean, as seaborn asks for it; the mean itself below two values.

    Values of a metric that is shown in per cent are in per cent.
    """
    factor, ends = _factor(metric), bounds(metric.metric)
    summary = summarise(list(values), ends and (ends[0] * factor, ends[1] * factor))
    return (
        (summary.mean, summary.mean)
        if summary.low is None or summary.high is None
        else (summary.low, summary.high)
    )


def _factor(metric: MetricColumn) -> int:
    return 100 if metric.format == "percent" else 1


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
    factor, unit = _factor(metric), " (%)" if metric.format == "percent" else ""
    frame = pd.DataFrame(
        [
            (_x(figure, number), _line(figure, table, number), value * factor)
            for number in here
            for value in number.values_of(metric.metric).values()
        ],
        columns=["x", "line", "value"],
    )
    _scale(axes, figure, [figure.number(point) for point in kept[figure.along]])
    if frame.empty:
        canvas.without_values(axes)
    else:
        _draw_lines(axes, frame, styles, partial(t_interval, metric=metric))
        axes.set_ylim(canvas.limits(frame["value"], axes.get_ylim(), metric.format))
    axes.set(xlabel=figure.label, ylabel=textwrap.fill(f"{metric.title}{unit}", LETTERS))
    _mark_failures(axes, figure, table, metric, here, styles)


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
    axes: Axes, frame: pd.DataFrame, styles: Mapping[str, Style], interval: Callable[[Any], tuple[float, float]]
) -> None:
    sns.lineplot(
        frame, x="x", y="value", hue="line", style="line", hue_order=list(styles), style_order=list(styles),
        palette=[style.colour for style in styles.values()], dashes=False,
        markers=[style.marker for style in styles.values()], markersize=5, lw=1.3,
        errorbar=interval, err_style="band", err_kws={"alpha": 0.18, "lw": 0}, legend=False, ax=axes,
    )  # fmt: skip
    for label, alone in frame.groupby("line"):
        if len(set(alone["x"])) == 1:  # A band needs two points.
            low, high = interval(alone["value"])
            axes.vlines(alone["x"].iloc[0], low, high, color=styles[str(label)].colour, lw=1)


def _mark_failures(
    axes: Axes,
    figure: Curve,
    table: Table,
    metric: MetricColumn,
    here: Sequence[Number],
    styles: Mapping[str, Style],
) -> None:
    """Crosses at the points with collapsed or diverged cells, with their counts beside them."""
    factor = _factor(metric)
    low, high = axes.get_ylim()
    by_x: dict[float, list[tuple[float, str, str]]] = {}
    for number in here:
        if failures := canvas.failed(number):
            values = list(number.values_of(metric.metric).values())
            y = summarise(values).mean * factor if values else low + FLOOR * (high - low)
            text = f"{failures}/{len(number.cells)}"
            by_x.setdefault(_x(figure, number), []).append((y, text, _line(figure, table, number)))
    for x, marks in by_x.items():
        heights = canvas.spread_apart([(y - low) / (high - low) * POINTS_HIGH for y, _, _ in marks], 8)
        for (y, text, line), height in zip(marks, heights, strict=True):
            axes.plot(x, y, marker="x", color="black", ms=7, mew=1.5, zorder=4)
            up = height - (y - low) / (high - low) * POINTS_HIGH
            axes.annotate(
                text, (x, y), xytext=(6, up + 2), textcoords="offset points", fontsize=7,
                color=styles[line].colour, fontweight="bold", annotation_clip=False,
                path_effects=[withStroke(linewidth=2, foreground="white")],
            )  # fmt: skip


def _x(figure: Curve, number: Number) -> float:
    return figure.number(number.coordinates[figure.along])


def _line(figure: Curve, table: Table, number: Number) -> str:
    return table.point_label(number.coordinates[figure.lines]) if figure.lines else ""


KIND = FigureKind(Curve, "curves", "no line has two points", shows, draw, caption)
