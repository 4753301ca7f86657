"""From two sides of a comparison to signed amounts, one per seed, that are as likely as their opposites.

Positive speaks for the claim. Sides are mappings from seed to value, signed so that higher is better; seeds
that only one side has are left out. What each kind takes as its null hypothesis stands in its docstring.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from clopbench.statistics.flips import Floats

BySeed = Mapping[int, float]

NO_DIFFERENCE = 1e-12
"""Values that differ by less, relative to the larger, are equal: metrics are averages of thousands of terms."""
ONE_SIDED = 0.9
"""Part of its error that a claim with a margin or a limit may spend on a verdict in its favour."""
CENTRES = 5
"""Differences of location at which a comparison of spreads must hold."""
MIDDLE = (0.3, 0.7)
"""Quantiles of the paired differences between which those lie."""


@dataclass(frozen=True)
class Amounts:
    """One comparison of a claim: seed → amount, for each bound that must be cleared (two where |x| < margin).

    The comparison agrees with the claim where all bounds are cleared, and contradicts it where one is missed.
    in_favour: the part of the claim's error that a verdict in its favour may use. constant: whether a row is
    compared with a number, so that only the side of it counts. deterministic: the measurement has no noise,
    so that nothing is tested.
    """

    bounds: tuple[BySeed, ...]
    in_favour: float = 0.5
    constant: bool = False
    deterministic: bool = False

    @property
    def n(self) -> int:
        """Seeds that are compared."""
        return len(self.bounds[0])

    def without(self, seed: int) -> "Amounts":
        """The same without one seed."""
        left = tuple({s: amount for s, amount in bound.items() if s != seed} for bound in self.bounds)
        return replace(self, bounds=left)


def difference(first: BySeed, second: BySeed, deterministic: bool = False) -> Amounts:
    """First > second. Null hypothesis: the two rows are exchangeable within a seed."""
    return Amounts((_shifted(first, second, 0.0),), deterministic=deterministic)


def not_worse(first: BySeed, second: BySeed, margin: float, deterministic: bool = False) -> Amounts:
    """First > second - margin (non-inferiority). Null hypothesis: first + margin and second are exchangeable."""
    return Amounts((_shifted(first, second, margin),), ONE_SIDED, deterministic=deterministic)


def within(first: BySeed, second: BySeed, margin: float, deterministic: bool = False) -> Amounts:
    """|first - second| < margin: both one-sided null hypotheses of `not_worse` (Schuirmann 1987; Berger 1982)."""
    bounds = _shifted(first, second, margin), _shifted(second, first, margin)
    return Amounts(bounds, ONE_SIDED, deterministic=deterministic)


def later(first: BySeed, second: BySeed, deterministic: bool = False) -> Amounts:
    """First > second where only the order of two values is known: the sign of their difference.

    Equal values count for neither. Null hypothesis: of two that differ, either is as likely the larger.
    """
    amounts = _shifted(first, second, 0.0)
    signs = np.sign(list(amounts.values())).tolist()
    return Amounts((dict(zip(amounts, signs, strict=True)),), deterministic=deterministic)


def above(values: BySeed, limit: float, deterministic: bool = False) -> Amounts:
    """Values > limit, in the median. Null hypothesis: a value is as likely above as below it.

    A row minus a number is not symmetric where the row is skewed or collapses now and then, so only the side
    counts (sign test). No test of a mean could keep its level there and decide anything from ten seeds: one
    seed in five collapses in none of ten with a chance of 11 %. A value that equals the limit counts
    against whatever the others say.
    """
    bound = _shifted(values, dict.fromkeys(values, limit), 0.0)
    return Amounts((_sides(bound),), ONE_SIDED, True, deterministic)


def near(values: BySeed, number: float, margin: float, deterministic: bool = False) -> Amounts:
    """|values - number| < margin, in the median: both one-sided null hypotheses of `above`."""
    constant = dict.fromkeys(values, number)
    bounds = _shifted(values, constant, margin), _shifted(constant, values, margin)
    return Amounts(tuple(_sides(bound) for bound in bounds), ONE_SIDED, True, deterministic)


def steadier(first: BySeed, second: BySeed) -> Amounts:
    """First varies less than second. Null hypothesis: once their locations agree, the rows are exchangeable.

    The amount of a seed is |second - c| - |first - d - c|, where d is the difference of the two locations and c
    the median of all values after it is taken off. For the true d a swap of the rows within a seed changes the
    sign of its amount and nothing else (c is the same for both), whatever the distribution. d is not known, so
    the comparison must hold for CENTRES of them: from the difference of the medians to the MIDDLE of the
    paired differences. The amounts are those at the d that speaks least for either side, and 0 where two
    of them disagree.
    """
    seeds = sorted(first.keys() & second.keys())
    x_N, y_N = (np.array([side[seed] for seed in seeds], dtype=float) for side in (first, second))
    if not seeds:
        return Amounts(({},))
    low, high = np.quantile(x_N - y_N, MIDDLE)
    medians = np.median(x_N) - np.median(y_N)
    candidates = np.linspace(min(low, medians), max(high, medians), CENTRES)
    amounts_CN = np.stack([_spread_amounts(x_N - d, y_N) for d in candidates])
    scale_C = np.sqrt(np.sum(amounts_CN**2, axis=1))
    total_C = np.sum(amounts_CN, axis=1)
    strength_C = np.divide(total_C, scale_C, out=np.zeros_like(total_C), where=scale_C > 0)
    agree = len(set(np.sign(np.round(strength_C, 9)))) == 1
    weakest = amounts_CN[np.argmin(np.abs(strength_C))] * float(agree)
    return Amounts((dict(zip(seeds, weakest.tolist(), strict=True)),))


def matrix(bounds: list[BySeed], seeds: list[int]) -> Floats:
    """Columns of amounts [N, K], 0 where a seed is missing."""
    return np.array([[bound.get(seed, 0.0) for bound in bounds] for seed in seeds], dtype=float)


def _shifted(first: BySeed, second: BySeed, margin: float) -> dict[int, float]:
    """Seed → first - second + margin, and 0 for what is only rounding error."""
    seeds = sorted(first.keys() & second.keys())
    x_N, y_N = (np.array([side[seed] for seed in seeds], dtype=float) for side in (first, second))
    amounts_N = x_N - y_N + margin
    size_N = np.maximum(np.maximum(np.abs(x_N), np.abs(y_N)), margin)
    amounts_N[np.abs(amounts_N) <= NO_DIFFERENCE * size_N] = 0.0
    return dict(zip(seeds, amounts_N.tolist(), strict=True))


def _sides(amounts: BySeed) -> dict[int, float]:
    """The sign of each amount; what lies on neither side is given to the smaller one."""
    signs_N = np.sign(list(amounts.values()))
    signs_N[signs_N == 0] = -np.sign(signs_N.sum())
    return dict(zip(amounts, signs_N.tolist(), strict=True))


def _spread_amounts(x_N: Floats, y_N: Floats) -> Floats:
    centre = np.median(np.concatenate([x_N, y_N]))
    found_N = np.abs(y_N - centre) - np.abs(x_N - centre)
    size = max(np.abs(x_N).max(), np.abs(y_N).max())
    return np.where(np.abs(found_N) <= NO_DIFFERENCE * size, 0.0, found_N)
