"""Claims that set points of a benchmark against a number that is declared, and not against other points."""

from abc import abstractmethod
from collections.abc import Iterable

from clopbench.report import amounts, points
from clopbench.report.claims.claim_kind import Bound, ClaimKind
from clopbench.report.claims.contrast import Contrast
from clopbench.report.points import Axes, Pair
from clopbench.statistics.amounts import Amounts, above, near
from clopbench.statistics.comparisons import Below, Nearness
from clopbench.suite.claims import AtMostClaim, Direction, NearClaim, Points


class AgainstNumber(ClaimKind):
    """Each point of a set against the same number."""

    @property
    @abstractmethod
    def at(self) -> Points: ...

    @property
    @abstractmethod
    def constant(self) -> float: ...

    def pairs(self, axes: Axes) -> Iterable[Pair]:
        return points.alone(self.at, axes)


class Near(AgainstNumber):
    """Within the margin of the number."""

    claim: NearClaim

    @property
    def at(self) -> Points:
        return self.claim.at

    @property
    def constant(self) -> float:
        return self.claim.value

    @property
    def direction(self) -> Direction:
        """Nearness has none."""
        return "higher"

    @property
    def margin(self) -> float:
        return self.claim.margin

    @property
    def bound(self) -> Bound:
        return Bound("Margin", self.margin, self.claim.margin_reason)

    @property
    def hypothesis(self) -> Nearness:
        return Nearness(self.margin)

    def amounts(self, contrast: Contrast) -> Amounts:
        values, _ = contrast.signed
        return near(values, self.constant, self.margin, self.claim.deterministic)

    @property
    def beside(self) -> str:
        value, margin = (amounts.value(self.format, amount) for amount in (self.constant, self.margin))
        return f" from {value}, margin ±{margin}"


class AtMost(AgainstNumber):
    """Below the limit: above it is worse, whatever the table's direction."""

    claim: AtMostClaim

    @property
    def at(self) -> Points:
        return self.claim.at

    @property
    def constant(self) -> float:
        return self.claim.limit

    @property
    def direction(self) -> Direction:
        return "lower"

    @property
    def bound(self) -> Bound:
        return Bound("Limit", self.constant, self.claim.limit_reason)

    @property
    def hypothesis(self) -> Below:
        return Below()

    def amounts(self, contrast: Contrast) -> Amounts:
        """Both are signed: that less is better turns 'below the limit' into 'above its opposite'."""
        values, _ = contrast.signed
        return above(values, -self.constant, self.claim.deterministic)

    @property
    def beside(self) -> str:
        return f" below {amounts.value(self.format, self.constant)}"
