"""What a table may declare as a threshold: the point of a numeric axis at which a metric falls.

A threshold is sought along one axis, in each combination of the points of the others.
"""

import re
from typing import Annotated

from annotated_types import Gt, Lt
from pydantic import Field, field_validator

from clopbench.parameters import Strict

REFERENCE = re.compile(r"(?P<key>[a-z_][\w.]*)(?:\s*(?P<sign>[*/])\s*(?P<number>\d+(?:\.\d+)?))?")


class ThresholdDeclaration(Strict):
    """The first point of the ascending `axis` at which `metric` falls below `share` of its best before.

    A cell that collapsed or diverged has fallen, whatever its metric says. The metric must be one of which
    more is better and that is above 0, such as an accuracy or the effective rank.
    """

    name: str
    text: str
    """What is sought, in words: the heading of its table."""
    axis: str
    """Its points are numbers above 0."""
    metric: str
    share: Annotated[float, Gt(0), Lt(1)] = 0.5
    reference: str | None = None
    """What a theory predicts: a numeric setting, times or divided by a number: 'method.temperature / 2'."""
    reference_title: str = Field("prediction", min_length=1)

    @field_validator("reference")
    @classmethod
    def _is_an_expression(cls, value: str | None) -> str | None:
        found = None if value is None else REFERENCE.fullmatch(value)
        if value is not None and (found is None or (found["sign"] == "/" and float(found["number"]) == 0)):
            raise ValueError("a setting, or a setting * or / a number, such as method.temperature / 2")
        return value

    @property
    def setting(self) -> str | None:
        """The dotted key that the reference starts from."""
        found = REFERENCE.fullmatch(self.reference or "")
        return found["key"] if found else None

    def predicted(self, setting: float) -> float:
        """The reference for a value of its setting."""
        found = REFERENCE.fullmatch(self.reference or "")
        assert found is not None
        number = float(found["number"] or 1)
        return setting / number if found["sign"] == "/" else setting * number
