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
FEW_SEEDS = 5
"""Below so many seeds all steps are taken as one sample."""


@dataclass(frozen=True)
class Noise:
    """Of one value, relative to it. freedom: degrees of freedom with which it is known."""

    relative: float
    freedom: float


def noise(values_SP: Sequence[Sequence[float]] | NDArray[np.float64]) -> Noise | None:
    """What changes from a point to the next beyond what all seeds share.

    values_SP: NaN where a cell has no value. For each step of the grid the spread over seeds of the change in
    log(value), by the median absolute deviation; of these the median, so that steps at which some seeds fall
    and others do not count for little. What all points of a seed have in common cancels. None where nothing is
    left to estimate it from.
    """
    values = np.asarray(values_SP, dtype=float)
    if values.ndim != 2 or values.shape[1] < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        steps_SJ = np.diff(np.where(values > 0, np.log(values), np.nan), axis=1)
    samples = [step_S[np.isfinite(step_S)] for step_S in steps_SJ.T]
    samples = [sample for sample in samples if len(sample) >= FEW_SEEDS] or [np.concatenate(samples)]
    count = sum(len(sample) - 1 for sample in samples)
    if count < 1:
        return None
    spread = float(np.median([_spread(sample) for sample in samples]))
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
