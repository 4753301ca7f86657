"""How far a metric must fall along a grid before the fall is more than noise.

`clopbench.statistics.thresholds.bracket` takes the first point below a share of the best before it. The best of
several noisy points is too good, and one of the later ones too bad: of rows that do not fall at all, with 5 %
noise and a share of 90 %, half the seeds would have a threshold. So the share is lowered to what noise does not
reach in 95 of 100 rows without a fall.

Shapes: S seeds, P points of the grid, J = P - 1 steps between them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FALSE_FALLS = 0.05
"""Seeds of a row without a fall in which one is found, at most."""
NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
MAD_EFFICIENCY = 0.37
"""Of that estimate, beside the standard deviation's (Rousseeuw & Croux 1993)."""
LEAST_FREEDOM = 3
"""Degrees of freedom below which a spread is hardly known, and no share is lowered because of it."""
FEW_SEEDS = 5
"""Below so many seeds the deviations of all steps are taken together."""


@dataclass(frozen=True)
class Noise:
    """Of one value, relative to it. freedom: degrees of freedom with which it is known."""

    relative: float
    freedom: float


def noise(values_SP: Sequence[Sequence[float]] | NDArray[np.float64]) -> Noise | None:
    """What changes from a point to the next beyond what all seeds share.

    values_SP: NaN where a cell has no value. Of each step of the grid the changes in log(value), seed by seed:
    what they have in common (a fall of the row) is taken off, and of what is left the median absolute deviation
    is the spread. From FEW_SEEDS seeds on that is one spread for each step and the median of these, so that
    steps at which some seeds fall and others do not count for little; below that all steps are taken together.
    What all points of a seed have in common cancels. None below LEAST_FREEDOM degrees of freedom.
    """
    values = np.asarray(values_SP, dtype=float)
    if values.ndim != 2 or values.shape[1] < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        steps_SJ = np.diff(np.where(values > 0, np.log(values), np.nan), axis=1)
    samples = [step_S[np.isfinite(step_S)] for step_S in steps_SJ.T]
    samples = [sample for sample in samples if len(sample) >= 2]
    large = [sample for sample in samples if len(sample) >= FEW_SEEDS]
    count = sum(len(sample) - 1 for sample in large or samples)
    if MAD_EFFICIENCY * count < LEAST_FREEDOM:
        return None
    spread = float(np.median([_spread(sample) for sample in large])) if large else _spread_together(samples)
    return Noise(spread / math.sqrt(2), MAD_EFFICIENCY * count)


def largest_share(share: float, row: Noise | None, points: int) -> float:
    """The declared share of the best, or the smaller one that noise leaves.

    Without a fall each value may be below each one before it: a t test for every two of so many points, and
    Bonferroni's correction for their number. Where the noise is not known the declared share stands.
    """
    if row is None or points < 2:
        return share
    drop = math.sqrt(2) * float(stats.t.isf(FALSE_FALLS / math.comb(points, 2), row.freedom))
    return min(share, math.exp(-drop * row.relative))


def _spread(changes: NDArray[np.float64]) -> float:
    n = len(changes)
    # In small samples the median absolute deviation is too small, by about n / (n - 0.8).
    return float(NORMAL_MAD * np.median(np.abs(changes - np.median(changes)))) * n / (n - 0.8)


def _spread_together(samples: Sequence[NDArray[np.float64]]) -> float:
    """The same of several small samples with centres of their own; n changes have n - 1 degrees of freedom."""
    left = [(one - one.mean()) * math.sqrt(len(one) / (len(one) - 1)) for one in samples]
    return float(NORMAL_MAD * np.median(np.abs(np.concatenate(left))))
