"""What a table may declare about variance: an axis at whose points one source of randomness varies alone."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from clopbench.errors import unknown
from clopbench.parameters import PointName, Strict
from clopbench.suite.claims import Axes, Misfit, each_once


class VarianceDeclaration(Strict):
    """The variance over seeds of each of `metrics`, source by source, in each combination of the other axes.

    axis: at each of its points one source varies and the others stay, but at `together` all of them vary.
    of_test_images: the metrics are shares of the test images, which no seed changes; so the binomial
    variance of a test set of that size is set beside the sources.
    """

    axis: str
    together: PointName
    metrics: Annotated[list[str], Field(min_length=1), AfterValidator(each_once)]
    """The table's metric, or some of its further ones (`also`)."""
    of_test_images: bool = False

    def misfits(self, axes: Axes) -> Iterator[Misfit]:
        """What does not fit a benchmark with these axes."""
        if self.axis not in axes:
            yield "axis", str(unknown("axis", self.axis, axes))
            return
        points = axes[self.axis]
        if self.together not in points:
            yield "together", str(unknown(f"point of axis {self.axis}", self.together, points))
        elif len(points) < 2:
            yield "axis", f"axis {self.axis} has no point beside '{self.together}'"
