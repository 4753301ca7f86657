"""Each seed's value in each row of a table: joined by lines in a few rows, beside the interval in many."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clopbench.report import amounts
from clopbench.report.figures import canvas, looks, placement, swarm
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.far_off import Span, far_off
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.formats import wording
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.suite.declarations import Coordinates
from clopbench.suite.figures import PairedDots

COLUMNS = 4
"""Panels beside each other."""
MANY = 6
"""More rows than these are no pairs to the eye: lines between all of them would hide what they join."""
ROOMY, DENSE = 0.42, 0.25
"""Inches for each row of a panel: of few rows, and of many."""
LETTER = 0.062
"""Inches of a letter of a row's name, about."""
BESIDE = 0.05
"""Of the drawn values' range, left free on both sides."""


@dataclass(frozen=True)
class Marks:
    """How the seeds and the mean of a row stand: sizes in points, heights in rows."""

    size: float
    alpha: float
    dots_at: float
    room: float
    mean_at: float


PAIRED = Marks(size=4, alpha=0.75, dots_at=0.0, room=0.2, mean_at=0.33)
INTERVALS = Marks(size=2.4, alpha=0.6, dots_at=0.22, room=0.12, mean_at=-0.12)

Panel = tuple[Coordinates, list[Number]]


def shows(figure: PairedDots, table: Table, _: Attachments) -> bool:
    return bool(_panels(figure, table))


def draw(figure: PairedDots, tables: Sequence[Table], _: Attachments) -> Figure:
    """A part for each scale, in it a panel for each point of the axes that do not run down the table.

    Rows stand below one another, so that long names fit and any number of them. Lines that run the same way
    say more than two overlapping clouds: the rows are paired over seeds. Each panel has its own axis, so that
    none flattens the others.
    """
    layouts = [_panels(figure, table) for table in tables]
    drawn, parts = canvas.by_scale(tables, [_height(layout) for layout in layouts])
    for table, layout, part in zip(tables, layouts, parts, strict=True):
        part.suptitle(f"scale {table.scale.name}, {seeds_text([n for _, some in layout for n in some])}")
        part.supxlabel(_metric(table), fontsize=8)
        axes = canvas.panels(part, len(layout), COLUMNS, sharey=True)
        inches = _panel_width(table, layout)
        for panel, (place, numbers) in zip(axes, layout, strict=True):
            _panel(panel, table, numbers, inches)
            panel.set_title(canvas.heading(table, place))
    return drawn


def caption(figure: PairedDots, tables: Sequence[Table], _: Attachments) -> str:
    """What is to be seen, and what the marks mean."""
    title = figure.title or f"{tables[0].declaration.metric_title} of each seed"
    layouts = [_panels(figure, table) for table in tables]
    seeds = {table.scale.name: seeds_text(table.numbers) for table in tables}
    panels = [(t, numbers) for t, layout in zip(tables, layouts, strict=True) for _, numbers in layout]
    joined = any(_is_paired(numbers) for _, numbers in panels)
    lines = " grey lines join those of one seed," if joined else ""
    apart = any(_off(*panel) for panel in panels)
    words = " A row that lies far off stands at the edge, in words." if apart else ""
    return (
        f"{wording.sentence(title)}. Dots are seeds,{lines} crosses are collapsed "
        f"or diverged cells; diamonds are means with 95 % t intervals.{words} {counted(seeds)}."
    )


def counted(by_scale: dict[str, str]) -> str:
    """'Scale laptop: n = 10 seeds; scale cpu: n = 3 seeds'."""
    return wording.sentence("; ".join(f"scale {scale}: {n}" for scale, n in by_scale.items()))


def seeds_text(numbers: Sequence[Number]) -> str:
    """How many seeds the numbers that have any stand for."""
    return canvas.seeds_text([len(number.values) for number in numbers if number.values])


def _panels(figure: PairedDots, table: Table) -> list[Panel]:
    """The panels that hold any value, with the rows that were run in any of them."""
    axes = placement.shown(figure, table.axes)
    rows = table.declaration.rows
    run = {n.coordinates[rows] for n in placement.at(table.numbers, axes, {}) if n.values}
    others = [axis for axis in axes if axis != rows]
    found = [
        (place, [n for n in placement.at(table.numbers, axes, place) if n.coordinates[rows] in run])
        for place in placement.places(axes, others)
    ]
    return [(place, numbers) for place, numbers in found if any(number.values for number in numbers)]


def _height(layout: Sequence[Panel]) -> float:
    """Inches for all panels of one scale, headings included."""
    rows = max(len(numbers) for _, numbers in layout)
    bands = canvas.bands(len(layout), COLUMNS)
    title = 0.22 if len(layout) > 1 else 0.0
    return 0.55 + bands * (rows * (ROOMY if rows <= MANY else DENSE) + 0.45 + title)


def _panel_width(table: Table, layout: Sequence[Panel]) -> float:
    """Inches of the drawn area of a panel, about."""
    names = max(len(table.label(number.coordinates)) for _, numbers in layout for number in numbers)
    beside = -(-len(layout) // canvas.bands(len(layout), COLUMNS))
    return max((canvas.WIDTH - LETTER * names) / beside - 0.2, 0.5)


def _metric(table: Table) -> str:
    unit = amounts.unit(table.declaration.format).strip()
    return f"{table.declaration.metric_title} ({unit})" if unit else table.declaration.metric_title


def _is_paired(numbers: Sequence[Number]) -> bool:
    return len(numbers) <= MANY


def _factor(table: Table) -> int:
    return 100 if table.declaration.format == "percent" else 1


def _span(table: Table, number: Number) -> Span:
    """All that is drawn of a row: its seeds, and the interval."""
    drawn = list(number.values.values())
    if number.summary is not None:
        drawn += [end for end in (number.summary.low, number.summary.high) if end is not None]
    return min(drawn) * _factor(table), max(drawn) * _factor(table)


def _off(table: Table, numbers: Sequence[Number]) -> set[int]:
    """Positions of the rows that are said in words."""
    run = [place for place, number in enumerate(numbers) if number.values]
    return {run[place] for place in far_off([_span(table, numbers[place]) for place in run])}


def _panel(axes: Axes, table: Table, numbers: Sequence[Number], inches: float) -> None:
    order = [table.label(number.coordinates) for number in numbers]
    marks = PAIRED if _is_paired(numbers) else INTERVALS
    off = _off(table, numbers)
    kept = {place: number for place, number in enumerate(numbers) if number.values and place not in off}
    low, high = _range(table, list(kept.values()))
    width = marks.size / 72 / inches * (high - low)
    spots = {place: dict(_spots(table, number, place, marks, width)) for place, number in kept.items()}
    if _is_paired(numbers):
        axes.add_collection(LineCollection(list(_lines(spots)), color="0.8", lw=0.7, zorder=1))
    for place, number in kept.items():
        _dots(axes, table, number, spots[place], marks)
        _mean(axes, table, number, place + marks.mean_at)
    for place in off:
        _in_words(axes, table, numbers[place], place, (low + high) / 2)
    axes.set(
        xlabel="", ylabel="", xlim=(low, high),
        ylim=(len(order) - 0.4, -0.5), yticks=range(len(order)), yticklabels=order,
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(max(2, min(8, round(inches / 0.55)))))


def _range(table: Table, numbers: Sequence[Number]) -> tuple[float, float]:
    """The ends of a panel's axis."""
    spans = [_span(table, number) for number in numbers]
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    beside = BESIDE * (high - low) or BESIDE * (abs(high) or 1)
    return canvas.limits([low], (low - beside, high + beside), table.declaration.format)


def _spots(
    table: Table, number: Number, place: int, marks: Marks, width: float
) -> Iterator[tuple[int, tuple[float, float]]]:
    """Seed → where its dot stands; dots that would lie on each other stand side by side."""
    values = [value * _factor(table) for value in number.values.values()]
    row = ROOMY if marks is PAIRED else DENSE
    apart = swarm.heights(values, width, marks.size / 72 / row, marks.room)
    for seed, value, height in zip(number.values, values, apart, strict=True):
        yield seed, (value, place + marks.dots_at + height)


def _lines(spots: dict[int, dict[int, tuple[float, float]]]) -> Iterator[list[tuple[float, float]]]:
    """Each seed's way through the rows; it breaks off at a row where it has no dot."""
    for seed in dict.fromkeys(seed for row in spots.values() for seed in row):
        way: list[tuple[float, float]] = []
        for place in range(max(spots) + 1):
            if seed in spots.get(place, {}):
                way.append(spots[place][seed])
            elif way:
                yield way
                way = []
        if way:
            yield way


def _dots(
    axes: Axes, table: Table, number: Number, spots: dict[int, tuple[float, float]], marks: Marks
) -> None:
    rows = table.declaration.rows
    status = {cell.seed: cell.status for cell in number.cells}
    for done, marker in ((True, "o"), (False, "X")):
        some = [spot for seed, spot in spots.items() if (status[seed] == "done") == done]
        if some:
            axes.scatter(
                *zip(*some, strict=True), s=marks.size**2, marker=marker, alpha=marks.alpha, lw=0, zorder=2,
                color=looks.of_row(rows, number.coordinates[rows]),
            )  # fmt: skip


def _mean(axes: Axes, table: Table, number: Number, height: float) -> None:
    if summary := number.summary:
        factor = _factor(table)
        ends = [] if summary.low is None or summary.high is None else [
            [(summary.mean - summary.low) * factor], [(summary.high - summary.mean) * factor]
        ]  # fmt: skip
        axes.errorbar(
            summary.mean * factor, height, xerr=ends or None,
            fmt="D", ms=3.5, color="black", capsize=2.5, lw=1, zorder=3,
        )  # fmt: skip


def _in_words(axes: Axes, table: Table, number: Number, place: int, middle: float) -> None:
    """The mean of a row that is off the axis, at the edge behind which it lies."""
    assert number.summary is not None
    text = wording.mean(number.summary, table.declaration.format)
    below = number.summary.mean * _factor(table) < middle
    axes.text(
        0.02 if below else 0.98, place, f"◂ {text}" if below else f"{text} ▸", fontsize=7,
        transform=axes.get_yaxis_transform(), ha="left" if below else "right", va="center",
    )  # fmt: skip


KIND = FigureKind(PairedDots, "each seed", "no values", shows, draw, caption)
