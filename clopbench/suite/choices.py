"""What a table may declare as a choice: a further point of an axis that is, in each row, its best one."""

from collections.abc import Iterator

from clopbench.errors import unknown
from clopbench.parameters import PointName, Strict
from clopbench.suite.claims import Axes, Misfit


class ChoiceDeclaration(Strict):
    """`point` of `axis`: that of the benchmark's points at which `metric` has the highest mean over seeds.

    It is chosen anew in each combination of the other axes, and has the cells of the point that was chosen, so
    nothing is trained for it. To choose by a metric of held-out images keeps the test set out of the choice.
    metric: the table's own or one of its further ones (`also`); of equal points the first counts.
    """

    axis: str
    point: PointName
    metric: str

    def with_point(self, axes: Axes) -> dict[str, list[str]]:
        """The axes of a table: those of its benchmark, with the chosen point behind the others of its axis."""
        return {axis: [*points, *([self.point] if axis == self.axis else [])] for axis, points in axes.items()}

    def misfits(self, axes: Axes) -> Iterator[Misfit]:
        """What does not fit a benchmark with these axes."""
        if self.axis not in axes:
            yield "axis", str(unknown("axis", self.axis, axes))
        elif self.point in axes[self.axis]:
            yield "point", f"'{self.point}' is a point of the benchmark; call the chosen one otherwise"
