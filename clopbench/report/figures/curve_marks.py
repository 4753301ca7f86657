"""What stands beside curves: names at their ends, failed cells, and values that lie off the axis."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from clopbench.report.figures import canvas
from clopbench.report.figures.far_off import Span, far_off
from clopbench.report.figures.looks import Style
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.statistics.summaries import summarise
from clopbench.suite.declarations import MetricColumn
from clopbench.suite.figures import Curve

Interval = Callable[[Any], tuple[float, float]]
POINTS_HIGH = 110
"""Points (1/72 inch) that the drawn area of a panel is high, about."""
FLOOR = 0.04
"""Where, as a share of the panel's height, a point without a mean is marked."""
WORTH_CUTTING = 0.5
"""An axis is cut where what stays takes less than this share of it."""
BESIDE = 0.06
LINE = 8.5
"""Points from one name to the next."""
INK = 0.75
"""Of a line's colour, for its name: the palest could not be read."""
READABLE = [withStroke(linewidth=2, foreground="white")]


def place_of(figure: Curve, number: Number) -> float:
    """Where a number stands on the horizontal axis."""
    return figure.number(number.coordinates[figure.along])


def line_of(figure: Curve, table: Table, number: Number) -> str:
    """The label of a number's line."""
    return table.point_label(number.coordinates[figure.lines]) if figure.lines else ""


def factor_of(metric: MetricColumn) -> int:
    return 100 if metric.format == "percent" else 1


def name_lines(axes: Axes, frame: pd.DataFrame, styles: Mapping[str, Style], points: float) -> None:
    """Each line's name beside its last point; names that would lie on each other move apart.

    points: how high the panel is, about.
    """
    low, high = axes.get_ylim()
    ends = {line: fmean(values) for (_, line), values in sorted(_points(frame).items())}  # The last x stays.
    shares = [
        min(max((value - low) / (high - low), 0.0), 1.0) for value in ends.values()
    ]  # Cut lines end there.
    up = canvas.spread_apart([share * points for share in shares], LINE)
    down = canvas.spread_apart([-min(height, points) for height in up], LINE)
    for label, height in zip(ends, down, strict=True):
        r, g, b = styles[label].colour
        axes.annotate(
            label, (1, -height / points), xycoords="axes fraction", xytext=(4, 0),
            textcoords="offset points",
            fontsize=7, va="center", color=(r * INK, g * INK, b * INK), annotation_clip=False,
        )  # fmt: skip


def within(
    axes: Axes, frame: pd.DataFrame, styles: Mapping[str, Style], interval: Interval, metric: MetricColumn
) -> None:
    """Cut the axis where a line that is far off at some place would flatten all others; its value in words."""
    values = _points(frame)
    spans = {key: interval(some) for key, some in values.items()}
    off: list[tuple[float, str]] = []
    for x in {x for x, _ in spans}:
        here = [key for key in spans if key[0] == x]
        off += [here[place] for place in far_off([spans[key] for key in here])]
    low, high = _ends(spans, off)
    off = [key for key in off if spans[key][1] < low or spans[key][0] > high]  # Others lie where lines are.
    low, high = _ends(spans, off)
    everything = max(high for _, high in spans.values()) - min(low for low, _ in spans.values())
    if not off or high - low >= WORTH_CUTTING * everything:
        return
    beside = BESIDE * (high - low)
    axes.set_ylim(canvas.limits([low], (low - beside, high + beside), metric.format))
    for x, line in sorted(off):
        mean = fmean(values[x, line])
        below, last = mean < low, x == max(x for x, _ in spans)
        axes.annotate(
            f"{'▾' if below else '▴'} {mean:.1f}", (x, 0.03 if below else 0.97),
            xycoords=("data", "axes fraction"), xytext=(-6 if last else 6, 0), textcoords="offset points",
            fontsize=7, ha="right" if last else "left",
            va="bottom" if below else "top", color=styles[line].colour, fontweight="bold",
            path_effects=READABLE,
        )  # fmt: skip


def _points(frame: pd.DataFrame) -> dict[tuple[float, str], list[float]]:
    """(x, line) → the values there."""
    found: dict[tuple[float, str], list[float]] = {}
    for x, line, value in zip(frame["x"], frame["line"], frame["value"], strict=True):
        found.setdefault((float(x), str(line)), []).append(float(value))
    return found


def _ends(spans: Mapping[tuple[float, str], Span], without: Sequence[tuple[float, str]]) -> Span:
    kept = [span for key, span in spans.items() if key not in without]
    return min(low for low, _ in kept), max(high for _, high in kept)


def mark_failures(
    axes: Axes,
    figure: Curve,
    table: Table,
    metric: MetricColumn,
    here: Sequence[Number],
    styles: Mapping[str, Style],
    counts: bool = True,
) -> None:
    """Crosses at the points with collapsed or diverged cells, with their counts beside them."""
    factor = factor_of(metric)
    low, high = axes.get_ylim()
    by_x: dict[float, list[tuple[float, str, str]]] = {}
    for number in here:
        if failures := canvas.failed(number):
            values = list(number.values_of(metric.metric).values())
            floor, ceiling = low + FLOOR * (high - low), high - FLOOR * (high - low)
            y = summarise(values).mean * factor if values else floor
            y = y if low <= y <= high else min(max(y, floor), ceiling)
            text = f"{failures}/{len(number.cells)}" if counts else ""
            by_x.setdefault(place_of(figure, number), []).append((y, text, line_of(figure, table, number)))
    for x, marks in by_x.items():
        heights = canvas.spread_apart([(y - low) / (high - low) * POINTS_HIGH for y, _, _ in marks], 8)
        for (y, text, line), height in zip(marks, heights, strict=True):
            axes.plot(x, y, marker="x", color="black", ms=7, mew=1.5, zorder=4)
            up = height - (y - low) / (high - low) * POINTS_HIGH
            axes.annotate(
                text, (x, y), xytext=(6, up + 2), textcoords="offset points", fontsize=7,
                color=styles[line].colour, fontweight="bold", annotation_clip=False, path_effects=READABLE,
            )  # fmt: skip
