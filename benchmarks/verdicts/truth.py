"""Families of claims with a known truth: every claim on the edge of being true, or some clearly true.

On the edge means: rows that are exchangeable, rows exactly a margin apart, medians exactly at a limit. Any
verdict on such a claim is false. A claim that is clearly true has all its comparisons on its side by `effect`
standard deviations of what is compared.
"""

from collections.abc import Sequence

import numpy as np
from mix import Meeting, Mix, Shape
from outcomes import SD, Draw, Floats, median

from clopbench.statistics import amounts
from clopbench.statistics.amounts import Amounts

POSITIONS = 6
"""Points of the grid on which a threshold lies."""


def family(
    mix: Mix, draw: Draw, rng: np.random.Generator, effects: Sequence[float], correlation: float
) -> list[list[Amounts]]:
    """The amounts of each claim. effects: one number for each, 0 for the edge."""
    gap = SD * np.sqrt(2 * (1 - correlation))
    return [_claim(shape, draw, rng, effect, gap) for shape, effect in zip(mix.shapes, effects, strict=True)]


def _claim(shape: Shape, draw: Draw, rng: np.random.Generator, effect: float, gap: float) -> list[Amounts]:
    if shape.kind == "equivalent":
        return _equivalent(shape, draw, rng, effect)
    return [_one(shape, meeting, draw, rng, effect, gap) for meeting in shape.meetings]


def _one(
    shape: Shape, meeting: Meeting, draw: Draw, rng: np.random.Generator, effect: float, gap: float
) -> Amounts:
    row = meeting.first[0]
    match shape.kind:
        case "at_least_as_good":
            first = by_seed(draw.values(row, effect * gap - shape.margin))
            return amounts.not_worse(first, by_seed(draw.values(meeting.second[0])), shape.margin)
        case "spread":
            first = draw.values(row, factor=np.exp(-effect / 2))
            return amounts.steadier(by_seed(first), by_seed(draw.values(meeting.second[0], shift=SD)))
        case "higher_threshold":
            first, second = (draw.z_NR[:, one[0]] for one in (meeting.first, meeting.second))
            return amounts.later(by_seed(_position(first + effect)), by_seed(_position(second)))
        case "less_sensitive":
            first, second = (
                np.ptp([draw.values(r) for r in side], axis=0) for side in (meeting.second, meeting.first)
            )
            return amounts.difference(by_seed(first + effect * SD), by_seed(second))
        case "at_most":
            values = draw.values(row, shift=effect * SD)
            return amounts.above(by_seed(values), median(draw.distribution))
        case "near":
            side = rng.choice([-1, 1]) if effect == 0 else 0
            margin = SD if effect == 0 else effect * SD
            return amounts.near(by_seed(draw.values(row, side * margin)), median(draw.distribution), margin)
        case _:
            first = by_seed(draw.values(row, effect * gap))
            return amounts.difference(first, by_seed(draw.values(meeting.second[0])))


def _equivalent(shape: Shape, draw: Draw, rng: np.random.Generator, effect: float) -> list[Amounts]:
    """Two rows exactly a margin apart and all others half-way, or half of the rows a margin from the others."""
    rows = sorted({side[0] for meeting in shape.meetings for side in (meeting.first, meeting.second)})
    margin = shape.margin if effect == 0 else max(shape.margin, effect * 2 * SD)
    shifts = dict.fromkeys(rows, 0.0)
    if effect == 0:
        moved = list(rng.permutation(rows))
        half = len(rows) // 2 if rng.random() < 0.5 else 1
        shifts |= dict.fromkeys(moved[:half], margin / 2) | dict.fromkeys(moved[-half:], -margin / 2)
    values = {row: by_seed(draw.values(row, shift)) for row, shift in shifts.items()}
    return [amounts.within(values[one.first[0]], values[one.second[0]], margin) for one in shape.meetings]


def _position(z_N: Floats) -> Floats:
    """How many points of a grid come before a threshold."""
    return np.clip(np.round(POSITIONS - 2 + z_N), 0, POSITIONS)


def by_seed(values_N: Floats) -> dict[int, float]:
    return dict(enumerate(values_N.tolist()))
