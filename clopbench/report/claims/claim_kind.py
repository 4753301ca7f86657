"""What a kind of claim has to answer: what is compared and tested, which way is better, how it reads.

Each kind that clopbench/suite/claims.py declares has one class, in a file for its family, whose `claim` is that
declaration; kinds.py finds it. What most kinds have in common stands here and is their default.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clopbench.report import amounts, paper_numbers
from clopbench.report.claims.contrast import Contrast
from clopbench.report.observations import Number
from clopbench.report.points import Axes, Pair, Side
from clopbench.statistics.amounts import Amounts, difference
from clopbench.statistics.comparisons import Comparison, Equivalence, Hypothesis, NonInferiority, Superiority
from clopbench.statistics.replication import Prediction
from clopbench.suite.claims import ClaimDeclaration, Direction, Format
from clopbench.suite.declarations import TableDeclaration

Places = Mapping[tuple[tuple[str, str], ...], Number]
"""Coordinates, as items, → the number there."""


@dataclass(frozen=True)
class Bound:
    """A number that a verdict rests on and that nobody measured, with the reason for it."""

    word: str
    amount: float
    reason: str


@dataclass(frozen=True)
class ClaimKind(ABC):
    """One claim of a table. A class for each kind says what is special about it."""

    claim: ClaimDeclaration
    table: TableDeclaration

    @abstractmethod
    def pairs(self, axes: Axes) -> Iterable[Pair]:
        """All pairs that must agree with the claim, in the order of the axes."""

    @property
    def metric(self) -> str:
        return self.claim.metric or self.table.metric

    @property
    def format(self) -> Format:
        return self.claim.format or self.table.format

    @property
    def direction(self) -> Direction:
        return self.claim.direction or self.table.direction

    @property
    def constant(self) -> float | None:
        """The number that points are compared with; None where they are compared with each other."""
        return None

    @property
    def margin(self) -> float:
        """See Contrast."""
        return 0.0

    @property
    def bound(self) -> Bound | None:
        """The margin or limit that the table's page must give a reason for."""
        return None

    @property
    def hypothesis(self) -> Hypothesis:
        """What is asked of each comparison, and how its effect is expressed."""
        return Superiority()

    def amounts(self, contrast: Contrast) -> Amounts:
        """What a comparison is tested on: amounts that are positive where its seed agrees with the claim."""
        return difference(*contrast.signed, self.claim.deterministic)

    def expected(self, contrast: Contrast) -> Prediction | None:
        """The effect that the paper's numbers let us expect; None where it is no difference of two means."""
        if not isinstance(self.hypothesis, (Superiority, NonInferiority, Equivalence)):
            return None
        theirs = [number.paper for number in contrast.numbers if number.metric == self.metric]
        if len(contrast.pair.first) != 1 or len(contrast.pair.second) != 1 or len(theirs) != 2:
            return None
        first, second = theirs
        sides = ({seed: side[seed] for seed in contrast.seeds} for side in (contrast.first, contrast.second))
        one, other = sides
        return paper_numbers.expected(first, second, (one, other), contrast.sign)

    def by_seed(self, side: Sequence[Number]) -> dict[int, float]:
        """Seed → the value of a side, from its entries in the table (one at least)."""
        return side[0].values_of(self.metric)

    def contrasts(self, axes: Axes, places: Places) -> list[Contrast]:
        """What the claim compares, with the values that are there."""
        return [self._contrast(pair, places) for pair in self.pairs(axes)]

    def effect(self, found: Comparison) -> str:
        """A comparison in words, positive in the claim's favour: '+0.42 [−0.10, +0.94], margin ±1.20'."""
        if found.estimate is None:
            return "no spread"
        return self.estimate(found.estimate) + self.interval(found.low, found.high) + self.beside

    def estimate(self, amount: float) -> str:
        return amounts.value(self.format, amount, signed=True)

    def end(self, amount: float) -> str:
        """One end of an interval."""
        return amounts.value(self.format, amount, signed=True)

    @property
    def beside(self) -> str:
        """What stands after the estimate: the margin or the number that it is measured from."""
        return ""

    def interval(self, low: float | None, high: float | None) -> str:
        """' [−0.10, +0.94]'; the confidence is named where it is not the heading's 95 %."""
        if low is None or high is None:
            return ""
        ends = f"{self.end(low)}, {self.end(high)}"
        confidence = round(self.hypothesis.confidence * 100)
        return f" [{ends}]" if confidence == 95 else f" [{confidence} %: {ends}]"

    def _contrast(self, pair: Pair, places: Places) -> Contrast:
        one, other = (_numbers(side, places) for side in (pair.first, pair.second))
        first = self.by_seed(one) if one else {}
        if self.constant is not None:
            second = dict.fromkeys(first, self.constant)
        else:
            second = self.by_seed(other) if other else {}
        return Contrast(pair, first, second, self.direction, self.margin, (*one, *other))


def _numbers(side: Side, places: Places) -> list[Number]:
    """The numbers of a side; none where one of them is not in the table (a restricted run)."""
    found = [places.get(tuple(coordinates.items())) for coordinates in side]
    return [number for number in found if number is not None] if None not in found else []
