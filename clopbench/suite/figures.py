"""The kinds of figures that a table may declare: what is drawn, against what, in how many panels.

`points` says which points of the axes are shown; an axis that it does not name shows all of its points.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from clopbench.errors import unknown
from clopbench.parameters import ByPoint, Positive, Strict, Whole
from clopbench.suite.claims import Axes, Misfit, Points

FigureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Figure(Strict):
    """What every figure says. name: what its files are called in the table's folder; else its kind."""

    name: FigureName
    title: str = ""
    """What is to be seen, in a few words; the kind's own words where it is empty."""
    points: Points = {}
    embedded: ClassVar[bool] = False
    """Whether it shows embeddings themselves, and not only numbers."""
    with_prototypes: ClassVar[bool] = False
    """Whether it shows no embeddings without prototypes."""
    of_variance: ClassVar[bool] = False
    """Whether it shows what the table declares as `variance`."""

    @property
    def drawn_axes(self) -> dict[str, str]:
        """Field → the axis that it names; where there are any, each other axis must be held at one point."""
        return {}

    @property
    def named_metrics(self) -> list[str]:
        """The metrics that it names."""
        return []

    def misfits(self, axes: Axes) -> Iterator[Misfit]:
        """What does not fit a benchmark whose axes and points it names are all there."""
        drawn = self.drawn_axes
        if len(set(drawn.values())) < len(drawn):
            yield "", f"{', '.join(drawn)} must name different axes"
        for axis, points in axes.items() if drawn else ():
            chosen = self.points.get(axis, points)
            if axis not in drawn.values() and len(chosen) > 1:
                rule = f"axis '{axis}' is not drawn, so points must name one of it ({', '.join(chosen)})"
                yield "points", rule


class PairedDots(_Figure):
    """Each seed's value in each row of the table, a panel for each point of the other axes."""

    kind: Literal["paired_dots"] = "paired_dots"
    name: FigureName = "paired_dots"


class Curve(_Figure):
    """Means with their intervals against an axis of numbers, one panel for each metric.

    lines: the axis whose points are the lines; panels: an axis whose points are rows of panels.
    """

    kind: Literal["curve"]
    name: FigureName = "curve"
    along: str
    label: str = Field(min_length=1)
    """What the horizontal axis says: the quantity, and its unit in brackets."""
    lines: str | None = None
    panels: str | None = None
    metrics: list[str] = []
    """The table's metric, or some of its further ones (`also`); none named: the table's metric."""
    x: Literal["linear", "log"] = "linear"
    values: ByPoint[float] = {}
    """Point → its number, for points whose name is not one."""

    @property
    def drawn_axes(self) -> dict[str, str]:
        return _named(lines=self.lines, panels=self.panels, along=self.along)

    @property
    def named_metrics(self) -> list[str]:
        return self.metrics

    def misfits(self, axes: Axes) -> Iterator[Misfit]:
        yield from super().misfits(axes)
        points = self.points.get(self.along, axes[self.along])
        for point in self.values:
            if point not in points:
                yield "values", str(unknown(f"point of axis {self.along}", point, points))
        for point in points:
            try:
                number = self.number(point)
            except ValueError:
                yield "", f"point '{point}' is no number; values must say what it is"
                continue
            if (self.x == "log" and not number > 0) or not math.isfinite(number):
                yield "", f"point '{point}' is {number:g}, which a {self.x} axis cannot show"

    def number(self, point: str) -> float:
        """Where a point lies on the horizontal axis. Raises ValueError where that is not known."""
        return self.values[point] if point in self.values else float(point)


class VarianceShares(_Figure):
    """Deviations and shares of the sources of the table's `variance`, a row of panels for each metric of it."""

    kind: Literal["variance_shares"]
    name: FigureName = "variance_shares"
    of_variance: ClassVar[bool] = True


class SpectrumFigure(_Figure):
    """Singular values of the embeddings in descending order, a line per point of `lines`."""

    kind: Literal["spectrum"]
    name: FigureName = "spectrum"
    lines: str
    panels: str | None = None

    @property
    def drawn_axes(self) -> dict[str, str]:
        return _named(lines=self.lines, panels=self.panels)


class TsneFigure(_Figure):
    """t-SNE of test embeddings of seed 0 with the prototypes, a panel for each point."""

    kind: Literal["tsne"]
    name: FigureName = "tsne"
    embedded: ClassVar[bool] = True
    perplexity: Positive = 30.0
    seed: Whole = 0


class PrototypeHeatmap(_Figure):
    """Cosines of the classes' mean embeddings, and of the prototypes, with the prototypes; seed 0."""

    kind: Literal["prototype_heatmap"]
    name: FigureName = "prototype_heatmap"
    embedded: ClassVar[bool] = True
    with_prototypes: ClassVar[bool] = True


FigureDeclaration = Annotated[
    PairedDots | Curve | VarianceShares | SpectrumFigure | TsneFigure | PrototypeHeatmap,
    Field(discriminator="kind"),
]
DEFAULT: list[FigureDeclaration] = [PairedDots()]
"""The figures of a table that declares none."""


def shared_name(figures: Sequence[_Figure]) -> str | None:
    """The first name that two figures of a table share."""
    names = [figure.name for figure in figures]
    return next((name for name in names if names.count(name) > 1), None)


def _named(**axes: str | None) -> dict[str, str]:
    return {field: axis for field, axis in axes.items() if axis is not None}
