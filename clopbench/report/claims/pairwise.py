"""Claims that set points of a benchmark against each other, two at a time."""

import math
from abc import abstractmethod
from collections.abc import Iterable

from clopbench.report import amounts, points
from clopbench.report.claims.claim_kind import Bound, ClaimKind
from clopbench.report.claims.contrast import Contrast
from clopbench.report.points import Axes, Pair
from clopbench.statistics.amounts import Amounts, not_worse, steadier, within
from clopbench.statistics.comparisons import Equivalence, NonInferiority, Spread
from clopbench.suite.claims import (
    AtLeastAsGoodClaim,
    BestClaim,
    BetterClaim,
    EachBeatsClaim,
    EquivalentClaim,
    Points,
    SpreadClaim,
)


class Against(ClaimKind):
    """Each point of one set against each point of another."""

    @abstractmethod
    def sets(self, axes: Axes) -> tuple[Points, Points]:
        """The two sets of points."""

    def pairs(self, axes: Axes) -> Iterable[Pair]:
        return points.against(*self.sets(axes), axes)


class Better(Against):
    """More in a paired comparison."""

    claim: BetterClaim

    def sets(self, axes: Axes) -> tuple[Points, Points]:
        return self.claim.better, self.claim.than


class Best(Against):
    """A better mean than each of the others: of the one axis that is named, where the claim does not say."""

    claim: BestClaim

    def sets(self, axes: Axes) -> tuple[Points, Points]:
        return self.claim.best, self.claim.among or {axis: list(axes[axis]) for axis in self.claim.best}


class EachBeats(Against):
    """Every one of several has a better mean than the reference."""

    claim: EachBeatsClaim

    def sets(self, axes: Axes) -> tuple[Points, Points]:
        return self.claim.each, self.claim.than


class SmallerSpread(Against):
    """Less variance over seeds, as a ratio of standard deviations."""

    claim: SpreadClaim

    def sets(self, axes: Axes) -> tuple[Points, Points]:
        return self.claim.smaller, self.claim.than

    @property
    def hypothesis(self) -> Spread:
        return Spread()

    def amounts(self, contrast: Contrast) -> Amounts:
        return steadier(*contrast.signed)

    def estimate(self, amount: float) -> str:
        return f"ratio of sd {'∞' if math.isinf(amount) else self.end(amount)}"

    def end(self, amount: float) -> str:
        return f"{amount:.2f}"


class AtLeastAsGood(Against):
    """Not worse by the margin or more."""

    claim: AtLeastAsGoodClaim

    def sets(self, axes: Axes) -> tuple[Points, Points]:
        return self.claim.candidate, self.claim.than

    @property
    def margin(self) -> float:
        return self.claim.margin

    @property
    def bound(self) -> Bound:
        return Bound("Margin", self.margin, self.claim.margin_reason)

    @property
    def hypothesis(self) -> NonInferiority:
        return NonInferiority(self.margin)

    def amounts(self, contrast: Contrast) -> Amounts:
        return not_worse(*contrast.signed, self.margin, self.claim.deterministic)

    @property
    def beside(self) -> str:
        return f", margin −{amounts.value(self.format, self.margin)}"


class Equivalent(ClaimKind):
    """Any two points of a set differ by less than the margin."""

    claim: EquivalentClaim

    def pairs(self, axes: Axes) -> Iterable[Pair]:
        return points.within(self.claim.among, axes)

    @property
    def margin(self) -> float:
        return self.claim.margin

    @property
    def bound(self) -> Bound:
        return Bound("Margin", self.margin, self.claim.margin_reason)

    @property
    def hypothesis(self) -> Equivalence:
        return Equivalence(self.margin)

    def amounts(self, contrast: Contrast) -> Amounts:
        return within(*contrast.signed, self.margin, self.claim.deterministic)

    @property
    def beside(self) -> str:
        return f", margin ±{amounts.value(self.format, self.margin)}"
