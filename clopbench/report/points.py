"""Which points of a benchmark a claim speaks of: its declaration → pairs of sides to compare.

A side is one point, or (for the sensitivity along an axis, or a threshold on it) all points of that axis.
A claim about a number compares one point with that number: the second side is empty.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from clopbench.errors import UserError, unknown
from clopbench.statistics.comparisons import Equivalence, Hypothesis, NonInferiority, Order, Spread, Superiority
from clopbench.statistics.summaries import ALPHA
from clopbench.suite.claims import (
    AtLeastAsGoodClaim,
    AtMostClaim,
    BestClaim,
    BetterClaim,
    ClaimDeclaration,
    Direction,
    EachBeatsClaim,
    EquivalentClaim,
    HigherThresholdClaim,
    LessSensitiveClaim,
    NearClaim,
    Points,
    SpreadClaim,
)
from clopbench.suite.declarations import Coordinates
from clopbench.suite.thresholds import ThresholdDeclaration

Axes = Mapping[str, Sequence[str]]
Side = tuple[Coordinates, ...]


@dataclass(frozen=True)
class Pair:
    """Two sides that a claim compares."""

    first: Side
    second: Side


def hypothesis(claim: ClaimDeclaration) -> Hypothesis:
    """How each pair of a claim is tested."""
    match claim:
        case SpreadClaim():
            return Spread()
        case EquivalentClaim():
            return Equivalence(claim.margin)
        case AtLeastAsGoodClaim():
            return NonInferiority(claim.margin)
        case NearClaim():
            return Equivalence(claim.margin)
        case AtMostClaim():
            return Superiority(sides=1, confidence=1 - 2 * ALPHA)
        case HigherThresholdClaim():
            return Order()
        case _:
            return Superiority()


def constant(claim: ClaimDeclaration) -> float | None:
    """The number that a claim compares its points with, signed as they are; None where it compares points."""
    match claim:
        case NearClaim():
            return claim.value
        case AtMostClaim():
            return -claim.limit
        case _:
            return None


def higher_is_better(claim: ClaimDeclaration, of_the_table: Direction) -> bool:
    """Which way values are signed. Above a limit is worse, and nearness has no direction."""
    match claim:
        case NearClaim():
            return True
        case AtMostClaim():
            return False
        case _:
            return (claim.direction or of_the_table) == "higher"


def pairs(claim: ClaimDeclaration, axes: Axes, thresholds: Sequence[ThresholdDeclaration] = ()) -> list[Pair]:
    """All pairs that must agree with the claim, in the order of the axes.

    thresholds: those of the claim's table. Raises UserError where it names another.
    """
    match claim:
        case EquivalentClaim():
            return list(_within(claim.among, axes))
        case LessSensitiveClaim():
            return _rows_against(claim.less, claim.than, claim.to, axes)
        case HigherThresholdClaim():
            axis = threshold_of(claim, thresholds).axis
            return _rows_against(claim.candidate, claim.than, axis, axes)
        case BestClaim():
            others = claim.among or {axis: list(axes[axis]) for axis in claim.best}
            return list(_against(claim.best, others, axes))
        case BetterClaim():
            return list(_against(claim.better, claim.than, axes))
        case EachBeatsClaim():
            return list(_against(claim.each, claim.than, axes))
        case SpreadClaim():
            return list(_against(claim.smaller, claim.than, axes))
        case AtLeastAsGoodClaim():
            return list(_against(claim.candidate, claim.than, axes))
        case NearClaim() | AtMostClaim():
            return [Pair((one,), ()) for one in _expand(claim.at, axes)]


def threshold_of(
    claim: HigherThresholdClaim, thresholds: Sequence[ThresholdDeclaration]
) -> ThresholdDeclaration:
    """The threshold that a claim names. Raises UserError where its table has none of this name."""
    for threshold in thresholds:
        if threshold.name == claim.threshold:
            return threshold
    raise unknown("threshold", claim.threshold, [threshold.name for threshold in thresholds])


def check(
    claim: ClaimDeclaration,
    axes: Axes,
    where: str,
    known: bool = True,
    thresholds: Sequence[ThresholdDeclaration] = (),
) -> None:
    """Raise UserError where a claim names an axis or (if `known`) a point that the benchmark has not.

    known: whether `axes` holds all declared points; a run restricted by --only has fewer.
    """
    where = f"{where}: claim {claim.name}"
    if isinstance(claim, LessSensitiveClaim):
        _check_axis(claim.to, axes, f"{where}: to")
        _check_free(claim.to, (claim.less, claim.than), f"{where}: axis '{claim.to}' is what `to` runs along")
    if isinstance(claim, HigherThresholdClaim):
        try:
            axis = threshold_of(claim, thresholds).axis
        except UserError as problem:
            raise UserError(f"{where}: {problem}") from None
        _check_free(
            axis, (claim.candidate, claim.than), f"{where}: axis '{axis}' is what the threshold lies on"
        )
    for field, points in _sets_of_points(claim):
        for axis, named in points.items():
            _check_axis(axis, axes, f"{where}: {field}")
            for point in named:
                if known and point not in axes[axis]:
                    problem = unknown(f"point of axis {axis}", point, axes[axis])
                    raise UserError(f"{where}: {field}: {problem}")
    if known and not pairs(claim, axes, thresholds):
        raise UserError(f"{where}: compares nothing: both sides are the same points")


def _check_free(axis: str, sides: Iterable[Points], problem: str) -> None:
    if any(axis in points for points in sides):
        raise UserError(f"{problem}, so name no point of it")


def _check_axis(axis: str, axes: Axes, where: str) -> None:
    if axis not in axes:
        raise UserError(f"{where}: {unknown('axis', axis, axes)}")


def _sets_of_points(claim: ClaimDeclaration) -> Iterator[tuple[str, Points]]:
    for field in ("better", "best", "each", "smaller", "candidate", "less", "among", "at", "than"):
        points = getattr(claim, field, None)
        if points is not None:
            yield field, points


def _expand(points: Mapping[str, Sequence[str]], axes: Axes) -> Iterator[Coordinates]:
    """All points of the grid that lie in `points`; an axis not named is free."""
    choices = [points.get(axis, everywhere) for axis, everywhere in axes.items()]
    for choice in product(*choices):
        yield dict(zip(axes, choice, strict=True))


def _against(first: Points, second: Points, axes: Axes) -> Iterable[Pair]:
    """Each point of the first set with each of the second, which takes the first's point of other axes."""
    for one in _expand(first, axes):
        bound = {axis: [point] for axis, point in one.items()} | dict(second)
        for other in _expand(bound, axes):
            if other != one:
                yield Pair((one,), (other,))


def _rows_against(first: Points, second: Points, along: str, axes: Axes) -> list[Pair]:
    """The same, of whole rows along an axis."""
    others = {axis: points for axis, points in axes.items() if axis != along}
    return [
        Pair(_along(pair.first[0], along, axes), _along(pair.second[0], along, axes))
        for pair in _against(first, second, others)
    ]


def _within(among: Points, axes: Axes) -> Iterator[Pair]:
    """Every two points of a set that agree on all axes that it does not name."""
    for one, other in combinations(_expand(among, axes), 2):
        if all(one[axis] == other[axis] for axis in axes if axis not in among):
            yield Pair((one,), (other,))


def _along(point: Coordinates, axis: str, axes: Axes) -> Side:
    """The point's row along an axis, in the order of the grid's axes."""
    return tuple({name: place if name == axis else point[name] for name in axes} for place in axes[axis])
