"""Claims about whole rows of a benchmark: what happens along one of its axes."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from clopbench.errors import unknown
from clopbench.report import points, threshold_lines
from clopbench.report.claims.claim_kind import ClaimKind
from clopbench.report.claims.contrast import Contrast
from clopbench.report.observations import Number
from clopbench.report.points import Axes, Pair
from clopbench.statistics.amounts import Amounts, later
from clopbench.statistics.comparisons import Comparison, Order
from clopbench.suite.claims import Direction, Format, HigherThresholdClaim, LessSensitiveClaim, Points
from clopbench.suite.thresholds import ThresholdDeclaration


class Along(ClaimKind):
    """Each row of one set against each row of another."""

    @property
    @abstractmethod
    def axis(self) -> str:
        """What the rows run along."""

    @property
    @abstractmethod
    def rows(self) -> tuple[Points, Points]:
        """The two sets of points of the other axes."""

    def pairs(self, axes: Axes) -> Iterable[Pair]:
        return points.rows_against(*self.rows, self.axis, axes)


class LessSensitive(Along):
    """A smaller range over the row: best minus worst point, in each seed."""

    claim: LessSensitiveClaim

    @property
    def axis(self) -> str:
        return self.claim.to

    @property
    def rows(self) -> tuple[Points, Points]:
        return self.claim.less, self.claim.than

    @property
    def direction(self) -> Direction:
        return "lower"

    def by_seed(self, side: Sequence[Number]) -> dict[int, float]:
        if len(side) < 2:  # A run restricted to one point of the axis: no range, so nothing to compare.
            return {}
        values = [number.values_of(self.metric) for number in side]
        complete = set.intersection(*(set(one) for one in values))
        return {seed: max(one[seed] for one in values) - min(one[seed] for one in values) for seed in complete}


class HigherThreshold(Along):
    """The threshold of the table lies higher. Of each seed only a bracket is known, so only order is tested."""

    claim: HigherThresholdClaim

    @property
    def threshold(self) -> ThresholdDeclaration:
        """The threshold that the claim names. Raises UserError where its table has none of this name."""
        for threshold in self.table.thresholds:
            if threshold.name == self.claim.threshold:
                return threshold
        raise unknown("threshold", self.claim.threshold, [one.name for one in self.table.thresholds])

    @property
    def axis(self) -> str:
        return self.threshold.axis

    @property
    def rows(self) -> tuple[Points, Points]:
        return self.claim.candidate, self.claim.than

    @property
    def metric(self) -> str:
        return self.threshold.metric

    @property
    def format(self) -> Format:
        return self.table.format

    @property
    def direction(self) -> Direction:
        return "higher"

    @property
    def hypothesis(self) -> Order:
        return Order()

    def amounts(self, contrast: Contrast) -> Amounts:
        return later(*contrast.signed, self.claim.deterministic)

    def by_seed(self, side: Sequence[Number]) -> dict[int, float]:
        """Seed → how many points of the grid lie before the threshold: all that the grid says for sure."""
        brackets = threshold_lines.by_seed(self.threshold, side)
        return {seed: float(bracket.position) for seed, bracket in brackets.items()}

    def effect(self, found: Comparison) -> str:
        """'higher in 7, lower in 1, tied in 2, share 0.88 [0.47, 1.00]': the share is of the seeds not tied."""
        won, tied = found.in_favour or 0, found.tied or 0
        text = f"higher in {won}, lower in {found.n - won - tied}, tied in {tied}"
        if found.estimate is None or found.low is None or found.high is None:
            return text
        return f"{text}, share {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"
