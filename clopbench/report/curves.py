"""Means against an axis of numbers: accuracy and rank against learning rate, batch size, λ, …"""

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from clopbench.declarations import Coordinates, MetricColumn
from clopbench.declared_figures import Curve
from clopbench.report import canvas, placement
from clopbench.report.attachments import Attachments
from clopbench.report.observations import Number
from clopbench.report.paired_dots import counted, seeds_text
from clopbench.report.statistics import summarise
from clopbench.report.tables import Table

HEIGHT = 2.3
"""Inches of a row of panels."""
POINTS_HIGH = 110
"""Points (1/72 inch) that the drawn area of a panel is high, about."""
FLOOR = 0.04
"""Where, as a share of the panel's height, a point without a mean is marked."""


def shows(figure: Curve, table: Table, _: Attachments) -> bool:
    return any(number.values for number in numbers(figure, table))


def draw(figure: Curve, tables: Sequence[Table], _: Attachments) -> Figure:
    """A part for each scale, in it a column of panels per metric and a row per point of `panels`.

    Drawn are the mean over seeds and its 95 % t interval; a cross with k/n says that k of n cells collapsed
    or diverged. A point without any value is marked at the bottom.
    """
    metrics = shown_metrics(figure, tables[0])
    rows = len(list(placement.places(placement.shown(figure, tables[0].axes), [figure.panels])))
    drawn, parts = canvas.by_scale(tables, [0.45 + HEIGHT * rows] * len(tables))
    for table, part in zip(tables, parts, strict=True):
        axes = placement.shown(figure, table.axes)
        part.suptitle(f"scale {table.scale.name}, {seeds_text(numbers(figure, table))}")
        grid = canvas.panels(part, rows * len(metrics), len(metrics), sharex=True)
        for row, place in enumerate(placement.places(axes, [figure.panels])):
            for column, metric in enumerate(metrics):
                panel = grid[row * len(metrics) + column]
                _panel(panel, figure, table, metric, place)
                panel.set_title(canvas.heading(table, place))
    handles = legend(figure.lines, tables[0], placement.shown(figure, tables[0].axes))
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
    title = canvas.sentence(figure.title or f"{titles} against {figure.label}")
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
    first = MetricColumn(metric=own.metric, title=own.metric_title, format=own.format)
    known = {column.metric: column for column in (first, *own.also)}
    return [known[name] for name in figure.metrics or [own.metric]]


def legend(axis: str | None, table: Table, axes: placement.Axes) -> dict[str, Line2D]:
    """Label → how the line of each point of an axis is drawn; empty without an axis."""
    points = axes[axis] if axis else []
    return {
        table.point_label(point): Line2D([], [], color=colour, marker=marker, ms=5)
        for point, colour, marker in zip(points, colours(len(points)), canvas.MARKERS, strict=False)
    }


def colours(count: int) -> list[tuple[float, float, float]]:
    return sns.color_palette("colorblind", count)


def t_interval(values: pd.Series) -> tuple[float, float]:
    """Bounds of the 95 % t interval of a mean, for seaborn; the mean itself below two values."""
    summary = summarise(values.tolist())
    half = summary.half_width or 0.0
    return summary.mean - half, summary.mean + half


def _panel(axes: Axes, figure: Curve, table: Table, metric: MetricColumn, place: Coordinates) -> None:
    kept = placement.shown(figure, table.axes)
    lines = [table.point_label(point) for point in kept[figure.lines]] if figure.lines else [""]
    here = placement.at(table.numbers, kept, place)
    factor = 100 if metric.format == "percent" else 1
    frame = pd.DataFrame(
        [
            (_x(figure, number), _line(figure, table, number), value * factor)
            for number in here
            for value in number.values_of(metric.metric).values()
        ],
        columns=["x", "line", "value"],
    )
    if figure.x == "log":
        axes.set_xscale("log")
        points = [figure.number(point) for point in kept[figure.along]]
        axes.set_xticks(points, [f"{point:g}" for point in points])
        axes.set_xticks([], minor=True)
    sns.lineplot(
        frame, x="x", y="value", hue="line", style="line", hue_order=lines, style_order=lines, dashes=False,
        palette=colours(len(lines)), markers=list(canvas.MARKERS[: len(lines)]), markersize=5, lw=1.3,
        errorbar=t_interval, err_style="band", err_kws={"alpha": 0.18, "lw": 0}, legend=False, ax=axes,
    )  # fmt: skip
    axes.set_ylim(canvas.limits(frame["value"], axes.get_ylim(), metric.format))
    _mark_failures(axes, figure, table, metric, here)
    unit = " (%)" if metric.format == "percent" else ""
    axes.set(xlabel=figure.label, ylabel=f"{metric.title}{unit}")


def _mark_failures(
    axes: Axes, figure: Curve, table: Table, metric: MetricColumn, here: Sequence[Number]
) -> None:
    """Crosses at the points with collapsed or diverged cells, with their counts beside them."""
    factor = 100 if metric.format == "percent" else 1
    low, high = axes.get_ylim()
    by_x: dict[float, list[tuple[float, str, str]]] = {}
    for number in here:
        if failures := canvas.failed(number):
            values = list(number.values_of(metric.metric).values())
            y = summarise(values).mean * factor if values else low + FLOOR * (high - low)
            text = f"{failures}/{len(number.cells)}"
            by_x.setdefault(_x(figure, number), []).append((y, text, _line(figure, table, number)))
    labels = legend(figure.lines, table, placement.shown(figure, table.axes))
    for x, marks in by_x.items():
        heights = canvas.spread_apart([(y - low) / (high - low) * POINTS_HIGH for y, _, _ in marks], 8)
        for (y, text, line), height in zip(marks, heights, strict=True):
            colour = labels[line].get_color() if line in labels else colours(1)[0]
            axes.plot(x, y, marker="x", color="black", ms=7, mew=1.5, zorder=4)
            up = height - (y - low) / (high - low) * POINTS_HIGH
            axes.annotate(
                text, (x, y), xytext=(6, up + 2), textcoords="offset points", color=colour, fontsize=7,
                fontweight="bold", annotation_clip=False,
                path_effects=[withStroke(linewidth=2, foreground="white")],
            )  # fmt: skip


def _x(figure: Curve, number: Number) -> float:
    return figure.number(number.coordinates[figure.along])


def _line(figure: Curve, table: Table, number: Number) -> str:
    return table.point_label(number.coordinates[figure.lines]) if figure.lines else ""
