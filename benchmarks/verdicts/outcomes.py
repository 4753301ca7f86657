"""Outcomes with a known truth: rows of values over shared seeds, of four distributions, correlated or not."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Distribution = Literal["normal", "lognormal", "multiples of 1/360", "one seed in five collapses"]

DISTRIBUTIONS: tuple[Distribution, ...] = (
    "normal", "lognormal", "multiples of 1/360", "one seed in five collapses",
)  # fmt: skip
SD = 0.015
"""Of every row over seeds: Table 7's."""
ACCURACY, CHANCE = 0.85, 0.1
IMAGES = 360
COLLAPSES = 0.2


@dataclass(frozen=True)
class Draw:
    """One draw of all rows: latent noise [N seeds, R rows], and which cells collapse."""

    distribution: Distribution
    z_NR: Floats
    collapsed_NR: NDArray[np.bool_]

    def values(self, row: int, shift: float = 0.0, factor: float = 1.0) -> Floats:
        """Values of a row [N], moved by `shift`, its deviations multiplied by `factor`."""
        z_N = self.z_NR[:, row]
        match self.distribution:
            case "normal":
                return ACCURACY + shift + factor * SD * z_N
            case "lognormal":
                mean, sd = np.exp(0.5), np.sqrt((np.e - 1) * np.e)
                return ACCURACY + shift + factor * SD * (np.exp(z_N) - mean) / sd
            case "multiples of 1/360":
                return np.round((ACCURACY + shift + factor * SD * z_N) * IMAGES) / IMAGES
            case "one seed in five collapses":
                good_N, bad_N = ACCURACY + factor * SD * z_N, CHANCE + factor * SD * z_N / 10
                # Collapsed seeds move too. If they stayed, rows a margin apart would be nearer than that in the
                # mean, and what is said to lie on the edge would be true.
                return shift + np.where(self.collapsed_NR[:, row], bad_N, good_N)


def draw(rng: np.random.Generator, distribution: Distribution, n: int, rows: int, correlation: float) -> Draw:
    """n seeds of so many rows; `correlation` is that of any two rows' latent normal noise."""
    return Draw(
        distribution, _latent(rng, n, rows, correlation),
        _latent(rng, n, rows, correlation) < stats.norm.ppf(COLLAPSES),
    )  # fmt: skip


def median(distribution: Distribution) -> float:
    """The true median of a row with shift 0; of multiples of 1/360 the one before rounding."""
    match distribution:
        case "lognormal":
            return float(ACCURACY + SD * (1 - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e))
        case "one seed in five collapses":
            return float(ACCURACY + SD * stats.norm.ppf((0.5 - COLLAPSES) / (1 - COLLAPSES)))
        case _:
            return ACCURACY


def _latent(rng: np.random.Generator, n: int, rows: int, correlation: float) -> Floats:
    shared_N1 = rng.standard_normal((n, 1))
    return np.sqrt(correlation) * shared_N1 + np.sqrt(1 - correlation) * rng.standard_normal((n, rows))
