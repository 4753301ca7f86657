"""How a line or a row looks, so that one colour has one meaning: a method has the same in every figure.

Points of other axes (temperatures, variants of a method) have colours that no method has, and so have classes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import seaborn as sns
from matplotlib.lines import Line2D

from clopbench.report.figures import canvas, placement
from clopbench.report.tables import Table
from clopbench.suite.figures import FigureDeclaration

Colour = tuple[float, float, float]

OF_METHODS = ("method", "variant")
"""Axes whose points may be methods."""
KNOWN = (
    *(
        "simclr",
        "supcon",
        "clop",
        "clop_supcon",
        "supervised",
        "barlow_twins",
        "vicreg",
        "etf",
        "directclr",
        "byol",
    ),
    *("tsc", "opl", "ntce", "fixmatch", "simmatch"),
)
"""Points with a colour and a marker of their own, in the order of the palette."""
SAME = {"clop_simclr": "clop"}
"""Other names of them: CLOP has InfoNCE beneath it where nothing else is said."""
DARKER = 0.55
"""Beyond the palette's ten colours come the same ones, made so much darker."""
NEUTRAL: Colour = (0.27, 0.35, 0.42)
"""Of dots whose row is no method: the row's name says what they are."""
OTHERS = "flare"
"""A palette from light to dark that holds no method's colour."""


@dataclass(frozen=True)
class Style:
    """How one line looks; a marker or dashes tell it apart where colours do not."""

    colour: Colour
    marker: str
    dashes: tuple[float, ...]


def of_method(axis: str | None, point: str) -> Style | None:
    """The look of a method that has one of its own; None for any other point."""
    name = SAME.get(point, point)
    return _look(KNOWN.index(name)) if axis in OF_METHODS and name in KNOWN else None


def of_row(axis: str, point: str) -> Colour:
    """The colour of a row's dots."""
    style = of_method(axis, point)
    return style.colour if style else NEUTRAL


def of_points(axis: str | None, points: Sequence[str]) -> dict[str, Style]:
    """Point → its look. Methods that are not known come after those that are."""
    unknown = [point for point in dict.fromkeys(points) if of_method(axis, point) is None]
    if axis == OF_METHODS[0]:
        made: Iterable[Style] = map(_look, count(len(KNOWN)))
    else:
        made = _others(len(unknown))
    own = dict(zip(unknown, made, strict=False))
    return {point: of_method(axis, point) or own[point] for point in dict.fromkeys(points)}


def styled(figure: FigureDeclaration, lines: str | None, tables: Sequence[Table]) -> dict[str, Style]:
    """Label → style of each line, the same at all scales; one without a name where there is one line only.

    lines: the axis whose points are the lines. Those of which nothing was run are left out.
    """
    if lines is None:
        return {"": Style(NEUTRAL, canvas.MARKERS[0], ())}
    points = [
        point
        for table in tables
        for point in placement.shown(figure, table.axes)[lines]
        if any(number.cells and number.coordinates[lines] == point for number in table.numbers)
    ]
    return {tables[0].point_label(point): style for point, style in of_points(lines, points).items()}


def legend(styles: Mapping[str, Style]) -> dict[str, Line2D]:
    """What stands beside each label."""
    return {
        label: Line2D([], [], color=style.colour, marker=style.marker, ms=5) for label, style in styles.items()
    }


def classes(amount: int) -> list[Colour]:
    """Tints for classes, paler than any method's colour."""
    return [(r, g, b) for r, g, b in sns.husl_palette(amount, s=0.62, l=0.68)]


def _look(place: int) -> Style:
    palette = sns.color_palette("colorblind", 10)
    r, g, b = palette[place % len(palette)]
    shade = DARKER ** (place // len(palette))
    marks = len(canvas.MARKERS)
    turned = (place + place // marks) % marks
    return Style((r * shade, g * shade, b * shade), canvas.MARKERS[turned], canvas.DASHES[turned])


def _others(amount: int) -> Iterator[Style]:
    marks = len(canvas.MARKERS)
    for place, (r, g, b) in enumerate(sns.color_palette(OTHERS, amount)):
        yield Style((r, g, b), canvas.MARKERS[place % marks], canvas.DASHES[place % marks])
