"""Dots of one row that would lie on each other, set beside each other."""

from collections.abc import Sequence

import numpy as np


def lanes(values: Sequence[float], width: float) -> list[int]:
    """A lane for each value: 0 in the middle, then 1, −1, 2, −2, …; in one lane none are nearer than `width`.

    The smallest values choose first, each the free lane that is nearest to the middle.
    """
    taken: dict[int, float] = {}
    chosen = [0] * len(values)
    for place in np.argsort(np.asarray(values, dtype=float), kind="stable"):
        lane = 0
        while lane in taken and values[place] - taken[lane] < width:
            lane = -lane if lane > 0 else 1 - lane
        taken[lane] = values[place]
        chosen[int(place)] = lane
    return chosen


def heights(values: Sequence[float], width: float, step: float, room: float) -> list[float]:
    """How far each value is moved out of the middle: `step` a lane, less where they would leave ± `room`."""
    found = lanes(values, width)
    most = max(map(abs, found), default=0)
    return [lane * (step if most * step <= room else room / most) for lane in found]
