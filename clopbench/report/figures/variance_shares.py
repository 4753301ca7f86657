"""Where the variance over seeds comes from: the deviation that each source causes alone, and its share."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clopbench.report import amounts
from clopbench.report.figures import canvas, looks, placement
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.figures.looks import Style
from clopbench.report.figures.paired_dots import counted
from clopbench.report.formats import variance_wording, wording
from clopbench.report.tables import Table
from clopbench.report.variance_parts import Breakdown, breakdowns
from clopbench.statistics.intervals import Estimate
from clopbench.statistics.variance import Part
from clopbench.suite.figures import VarianceShares

ROW = 0.34
"""Inches for each source."""
APART = 0.5
"""Of the height of a source that the marks of its rows take."""
TEST_SET = "other test images"


def shows(figure: VarianceShares, table: Table, _: Attachments) -> bool:
    return bool(_known(figure, table))


def draw(figure: VarianceShares, tables: Sequence[Table], _: Attachments) -> Figure:
    """A part for each scale, in it for each metric the deviations on the left and the shares on the right."""
    by_table = [_known(figure, table) for table in tables]
    heights = [0.75 + sum(_height(some) for some in _by_metric(known)) for known in by_table]
    drawn, parts = canvas.by_scale(tables, heights)
    styles = _styles([(t, one) for t, known in zip(tables, by_table, strict=True) for one in known])
    for table, known, part in zip(tables, by_table, parts, strict=True):
        part.suptitle(f"scale {table.scale.name}, {_seeds_text(known)}")
        metrics = list(_by_metric(known))
        grid = canvas.panels(part, 2 * len(metrics), 2)
        for some, left, right in zip(metrics, grid[::2], grid[1::2], strict=True):
            _panel(left, table, some, styles, lambda part: part.sd, 100 if _percent(some) else 1)
            _panel(right, table, some, styles, lambda part: part.share, 100)
            unit = " (points)" if _percent(some) else ""
            left.set(xlabel=f"standard deviation{unit}")
            right.set(xlabel="share of the sum of the single sources (%)", xlim=(-2, 102))
            left.set_title(wording.sentence(some[0].metric.title))
    handles = [
        Line2D([], [], color=style.colour, marker=style.marker, ls="", ms=5) for style in styles.values()
    ]
    drawn.legend(handles, list(styles), loc="outside lower center", ncols=4, frameon=False)
    return drawn


def caption(figure: VarianceShares, tables: Sequence[Table], _: Attachments) -> str:
    """What is to be seen, what the bars are, and n."""
    known = {table.scale.name: _known(figure, table) for table in tables}
    seeds = {scale: _seeds_text(some) for scale, some in known.items()}
    note = (
        f" '{wording.sentence(TEST_SET)}' is what another test set of the same size would change in one "
        "model's accuracy, by the binomial distribution."
        if any(one.images for some in known.values() for one in some)
        else ""
    )
    title = figure.title or "Where the spread over seeds comes from"
    return (
        f"{wording.sentence(title)}: in each row one source of randomness follows the seed and the others "
        f"stay. Bars are 95 % intervals by leaving out one seed at a time.{note} {counted(seeds)}."
    )


def _known(figure: VarianceShares, table: Table) -> list[Breakdown]:
    """Those that can be drawn, at the points that the figure shows."""
    axes = placement.shown(figure, table.axes)
    return [
        one
        for one in breakdowns(table)
        if one.parts is not None and all(point in axes[axis] for axis, point in one.coordinates.items())
    ]


def _by_metric(known: Sequence[Breakdown]) -> Iterator[list[Breakdown]]:
    for metric in dict.fromkeys(one.metric.metric for one in known):
        yield [one for one in known if one.metric.metric == metric]


def _height(some: Sequence[Breakdown]) -> float:
    """Inches of the panels of one metric."""
    return 0.6 + ROW * max(len(one.parts.sources) + 2 for one in some if one.parts is not None)


def _percent(some: Sequence[Breakdown]) -> bool:
    return bool(amounts.unit(some[0].metric.format))


def _seeds_text(known: Sequence[Breakdown]) -> str:
    return canvas.seeds_text([one.parts.n for one in known if one.parts is not None])


def _row(table: Table, one: Breakdown) -> str:
    """What the marks of a breakdown are called in the legend."""
    return ", ".join(map(table.point_label, one.coordinates.values())) or wording.sentence("all cells")


def _styles(rows: Sequence[tuple[Table, Breakdown]]) -> dict[str, Style]:
    """Label → look of each row of marks: that of its method, where methods are what tells the rows apart."""
    points = {_row(table, one): list(one.coordinates.items()) for table, one in rows}
    axis = next((only[0][0] for only in points.values() if len(only) == 1), None)
    names = {label: only[0][1] if len(only) == 1 else label for label, only in points.items()}
    found = looks.of_points(axis, list(names.values()))
    return {label: found[name] for label, name in names.items()}


def _panel(
    axes: Axes,
    table: Table,
    some: Sequence[Breakdown],
    styles: Mapping[str, Style],
    amount: Callable[[Part], Estimate | None],
    factor: float,
) -> None:
    """Marks with their intervals, the sources below one another."""
    names: dict[str, int] = {}
    for one in some:
        label = _row(table, one)
        style = styles[label]
        shift = APART * ((list(styles).index(label) + 0.5) / len(styles) - 0.5)
        for name, part in variance_wording.named(table, one):
            found = amount(part)
            if found is None or name == variance_wording.SUM:
                continue
            source = TEST_SET if one.parts is not None and part is one.parts.test_set else name
            height = names.setdefault(source, len(names)) + shift
            bar = None
            if found.low is not None and found.high is not None:
                bar = [[(found.value - found.low) * factor], [(found.high - found.value) * factor]]
            axes.errorbar(
                found.value * factor, height, xerr=bar, fmt=style.marker, color=style.colour,
                ms=4.5, capsize=2, lw=1,
            )  # fmt: skip
    axes.set(ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)), yticklabels=list(names))
    axes.grid(axis="y", visible=False)


KIND = FigureKind(
    VarianceShares, "sources of variance", "no row has two seeds at every source", shows, draw, caption
)
