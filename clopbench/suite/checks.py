"""What a table may declare as a sign of failure: a metric of a cell, and the limit beyond which it shows."""

from collections.abc import Mapping

from pydantic import Field, model_validator

from clopbench.parameters import Strict


class CheckDeclaration(Strict):
    """The sign shows in a cell whose `metric` (less another, `minus`) is above, or below, a limit.

    One of `above` and `below` is given, with the reason for it. Limits hold at every scale, and for cells of
    any table.
    """

    name: str
    text: str
    """What has failed where the sign shows."""
    metric: str
    minus: str | None = None
    above: float | None = None
    below: float | None = None
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_limit(self) -> "CheckDeclaration":
        if (self.above is None) == (self.below is None):
            raise ValueError("needs one limit: above or below")
        return self

    @property
    def metrics(self) -> list[str]:
        """What a cell must have measured."""
        return [self.metric, *([] if self.minus is None else [self.minus])]

    def amount(self, measured: Mapping[str, float | None]) -> float | None:
        """What is set against the limit, None where a cell has not measured it."""
        first = measured.get(self.metric)
        other = 0.0 if self.minus is None else measured.get(self.minus)
        return None if first is None or other is None else first - other

    def shows(self, amount: float) -> bool:
        """Whether the sign shows; at the limit itself it does not."""
        if self.above is not None:
            return amount > self.above
        assert self.below is not None
        return amount < self.below

    @property
    def rule(self) -> str:
        """'prototype_top1 - probe_top1 below -0.1'."""
        side, limit = ("below", self.below) if self.above is None else ("above", self.above)
        return f"{' - '.join(self.metrics)} {side} {limit:g}"
