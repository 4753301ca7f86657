"""The kinds of claims that a table may declare: what is compared with what, and how.

A claim names points by axis: `{method: clop, label_fraction: 10}`. An axis may list several points, and an
axis that a claim does not name stands for all its points: the claim must then hold at each of them. Where a
second set of points (`than`, `among`) does not name an axis, it takes the point of the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clopbench.errors import unknown
from clopbench.parameters import PointName, Positive, Strict

OWN = "a hypothesis of our own"
Direction = Literal["higher", "lower"]
Format = Literal["percent", "number"]


def as_list(value: Any) -> Any:
    """One value may be written without a list."""
    return value if isinstance(value, list) else [value]


def each_once(points: list[str]) -> list[str]:
    """The list, if nothing is in it twice. Raises ValueError."""
    for point in points:
        if points.count(point) > 1:
            raise ValueError(f"'{point}' is listed twice")
    return points


Points = dict[
    str, Annotated[list[PointName], BeforeValidator(as_list), Field(min_length=1), AfterValidator(each_once)]
]
"""Axis → the points meant (one may be written without a list)."""
Axes = Mapping[str, Sequence[str]]
"""Axis of a benchmark → its points."""
Misfit = tuple[str, str]
"""The field that does not fit a benchmark, and the rule that it breaks."""


class _Claim(Strict):
    """What every claim says. Metric, direction and format are the table's where they are not given."""

    name: str
    text: str
    paper: str = ""
    """The paper's own evidence for the claim, in words; empty: a hypothesis of one's own."""
    metric: str | None = None
    direction: Direction | None = None
    format: Format | None = None
    deterministic: bool = False
    """The measurement has no noise, so that the seeds are compared without a test."""

    @property
    def evidence(self) -> str:
        """What stands under 'the paper'."""
        return self.paper or OWN

    @property
    def sides(self) -> dict[str, Points]:
        """Field → the points that it names. Nothing else that a claim says is a dictionary."""
        return {field: value for field, value in self if isinstance(value, dict)}

    def misfits(self, axes: Axes, thresholds: Mapping[str, str]) -> Iterator[Misfit]:
        """What only this kind can have wrong, given a benchmark's axes and the thresholds (name → axis)."""
        yield from ()


class BetterClaim(_Claim):
    """`better` has the better mean than `than`."""

    kind: Literal["better"]
    better: Points
    than: Points


class BestClaim(_Claim):
    """`best` has a better mean than each of the others: of `among`, else of the one axis that it names."""

    kind: Literal["best"]
    best: Points
    among: Points | None = None

    @model_validator(mode="after")
    def _others_are_clear(self) -> "BestClaim":
        if self.among is None and len(self.best) != 1:
            raise ValueError("best names several axes, so among must say which points it is compared with")
        return self


class EachBeatsClaim(_Claim):
    """Every one of `each` has a better mean than the reference `than`."""

    kind: Literal["each_beats"]
    each: Points
    than: Points


class SpreadClaim(_Claim):
    """`smaller` varies less over seeds than `than`."""

    kind: Literal["spread"]
    smaller: Points
    than: Points

    @model_validator(mode="after")
    def _has_spread(self) -> "SpreadClaim":
        if self.deterministic:
            raise ValueError("deterministic: a measurement without noise has no spread to compare")
        return self


class EquivalentClaim(_Claim):
    """The means of all points of `among` lie within `margin` of each other."""

    kind: Literal["equivalent"]
    among: Points
    margin: Positive
    margin_reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _at_least_two(self) -> "EquivalentClaim":
        if all(len(points) < 2 for points in self.among.values()):
            raise ValueError("among must list two points or more of an axis")
        return self


class AtLeastAsGoodClaim(_Claim):
    """`candidate` is not worse than `than` by `margin` or more (non-inferiority)."""

    kind: Literal["at_least_as_good"]
    candidate: Points
    than: Points
    margin: Positive
    margin_reason: str = Field(min_length=1)


class LessSensitiveClaim(_Claim):
    """`less` changes less along the axis `to` than `than`: best minus worst point, in each seed."""

    kind: Literal["less_sensitive"]
    less: Points
    than: Points
    to: str

    def misfits(self, axes: Axes, thresholds: Mapping[str, str]) -> Iterator[Misfit]:
        if self.to not in axes:
            yield "to", str(unknown("axis", self.to, axes))
        yield from _named(self, self.to, "to", "`to` runs along")


class HigherThresholdClaim(_Claim):
    """The table's threshold of this name lies higher for `candidate` than for `than`, seed by seed."""

    kind: Literal["higher_threshold"]
    candidate: Points
    than: Points
    threshold: str

    @model_validator(mode="after")
    def _metric_is_the_thresholds(self) -> "HigherThresholdClaim":
        if self.metric or self.direction or self.format:
            raise ValueError("metric, direction and format are those of the threshold, so give none here")
        return self

    def misfits(self, axes: Axes, thresholds: Mapping[str, str]) -> Iterator[Misfit]:
        if self.threshold not in thresholds:
            yield "threshold", str(unknown("threshold", self.threshold, thresholds))
        else:
            yield from _named(self, thresholds[self.threshold], "threshold", "the threshold lies on")


def _named(claim: _Claim, axis: str, field: str, role: str) -> Iterator[Misfit]:
    """Rows run along an axis as a whole: no side may name points of it."""
    if any(axis in points for points in claim.sides.values()):
        yield field, f"axis '{axis}' is what {role}, so name no point of it"


class NearClaim(_Claim):
    """At each point of `at` the mean lies within `margin` of `value`, which is a number, not another row."""

    kind: Literal["near"]
    at: Points
    value: float
    margin: Positive
    margin_reason: str = Field(min_length=1)


class AtMostClaim(_Claim):
    """At each point of `at` the mean lies below `limit`."""

    kind: Literal["at_most"]
    at: Points
    limit: float
    limit_reason: str = Field(min_length=1)


ClaimDeclaration = Annotated[
    BetterClaim
    | BestClaim
    | EachBeatsClaim
    | SpreadClaim
    | EquivalentClaim
    | AtLeastAsGoodClaim
    | LessSensitiveClaim
    | HigherThresholdClaim
    | NearClaim
    | AtMostClaim,
    Field(discriminator="kind"),
]
