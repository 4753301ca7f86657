"""From two sides of a comparison to signed amounts, one per seed, that are as likely as their opposites.

Positive speaks for the claim. Sides are mappings from seed to value, signed so that higher is better; seeds
that only one side has are left out. What each kind takes as its null hypothesis stands in its docstring.
Shapes: N seeds.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clopbench.statistics.flips import Floats

BySeed = Mapping[int, float]
Reduction = Callable[[Floats, Floats, float], tuple[Floats, ...]]
"""The values of both sides, [N] each, and a margin → amounts [N], for each bound that must be cleared."""

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
    """One comparison of a claim. It has one bound, or two where a difference must lie within a margin.

    The comparison agrees with the claim where all bounds are cleared, and contradicts it where one is missed.
    in_favour: the part of the claim's error that a verdict in its favour may use. constant: whether a row is
    compared with a number, so that only the side of it counts. deterministic: the measurement has no noise,
    so that nothing is tested.
    """

    first: BySeed
    second: BySeed
    reduction: Reduction
    margin: float = 0.0
    in_favour: float = 0.5
    constant: bool = False
    deterministic: bool = False

    @cached_property
    def seeds(self) -> list[int]:
        """Those that both sides have."""
        return sorted(self.first.keys() & self.second.keys())

    @property
    def n(self) -> int:
        return len(self.seeds)

    @cached_property
    def bounds(self) -> tuple[Floats, ...]:
        """Amounts by seed [N] for each bound; none where no seed is compared."""
        x_N, y_N = (np.array([side[s] for s in self.seeds], dtype=float) for side in (self.first, self.second))
        return self.reduction(x_N, y_N, self.margin) if self.n else ()

    def at(self, seeds: Collection[int]) -> "Amounts":
        """The same comparison with these seeds alone."""
        first, second = ({s: side[s] for s in side if s in seeds} for side in (self.first, self.second))
        return replace(self, first=first, second=second)


def difference(first: BySeed, second: BySeed, deterministic: bool = False) -> Amounts:
    """First > second. Null hypothesis: the two rows are exchangeable within a seed."""
    return Amounts(first, second, _moved, deterministic=deterministic)


def not_worse(first: BySeed, second: BySeed, margin: float, deterministic: bool = False) -> Amounts:
    """First > second - margin (non-inferiority). Null hypothesis: first + margin and second exchange."""
    return Amounts(first, second, _moved, margin, ONE_SIDED, deterministic=deterministic)


def within(first: BySeed, second: BySeed, margin: float, deterministic: bool = False) -> Amounts:
    """|first - second| < margin: both null hypotheses of `not_worse` (Schuirmann 1987; Berger 1982)."""
    return Amounts(first, second, _within, margin, ONE_SIDED, deterministic=deterministic)


def later(first: BySeed, second: BySeed, deterministic: bool = False) -> Amounts:
    """First > second where only the order of two values is known: the sign of their difference.

    Equal values count for neither. Null hypothesis: of two that differ, either is as likely the larger.
    """
    return Amounts(first, second, _order, deterministic=deterministic)


def above(values: BySeed, limit: float, deterministic: bool = False) -> Amounts:
    """Values > limit, in the median. Null hypothesis: a value is as likely above as below it.

    A row minus a number is not symmetric where the row is skewed or collapses now and then, so only the side
    counts (sign test). No test of a mean could keep its level there and decide anything from ten seeds: one
    seed in five collapses in none of ten with a chance of 11 %. A value that equals the limit counts
    against whatever the others say.
    """
    return Amounts(values, dict.fromkeys(values, limit), _side, 0.0, ONE_SIDED, True, deterministic)


def near(values: BySeed, number: float, margin: float, deterministic: bool = False) -> Amounts:
    """|values - number| < margin, in the median: both null hypotheses of `above`."""
    return Amounts(values, dict.fromkeys(values, number), _sides, margin, ONE_SIDED, True, deterministic)


def steadier(first: BySeed, second: BySeed) -> Amounts:
    """First varies less than second. Null hypothesis: once their locations agree, the rows are exchangeable.

    The amount of a seed is |second - c| - |first - d - c|, where d is the difference of the two locations and c
    the median of all values after it is taken off. For the true d a swap of the rows within a seed changes the
    sign of its amount and nothing else (c is the same for both), whatever the distribution. d is not known, so
    the comparison must hold for CENTRES of them: from the difference of the medians to the MIDDLE of the
    paired differences. The amounts are those at the d that speaks least for either side, and 0 where two
    of them disagree.
    """
    return Amounts(first, second, _steadiness)


def matrix(comparisons: Sequence[Amounts], seeds: Sequence[int]) -> Floats:
    """The bounds of all comparisons as columns [N, K], with 0 where a seed is missing."""
    at = {seed: row for row, seed in enumerate(seeds)}
    found = np.zeros((len(seeds), sum(len(one.bounds) for one in comparisons)))
    column = 0
    for one in comparisons:
        rows = [at[seed] for seed in one.seeds]
        for bound_N in one.bounds:
            found[rows, column] = bound_N
            column += 1
    return found


def _moved(x_N: Floats, y_N: Floats, margin: float) -> tuple[Floats, ...]:
    """The amounts x - y + margin, and 0 for what is only rounding error."""
    amounts_N = x_N - y_N + margin
    size_N = np.maximum(np.maximum(np.abs(x_N), np.abs(y_N)), margin)
    amounts_N[np.abs(amounts_N) <= NO_DIFFERENCE * size_N] = 0.0
    return (amounts_N,)


def _within(x_N: Floats, y_N: Floats, margin: float) -> tuple[Floats, ...]:
    return _moved(x_N, y_N, margin) + _moved(y_N, x_N, margin)


def _order(x_N: Floats, y_N: Floats, margin: float) -> tuple[Floats, ...]:
    return tuple(np.sign(amounts_N) for amounts_N in _moved(x_N, y_N, margin))


def _side(x_N: Floats, y_N: Floats, margin: float) -> tuple[Floats, ...]:
    return tuple(_larger_side(amounts_N) for amounts_N in _moved(x_N, y_N, margin))


def _sides(x_N: Floats, y_N: Floats, margin: float) -> tuple[Floats, ...]:
    return tuple(_larger_side(amounts_N) for amounts_N in _within(x_N, y_N, margin))


def _larger_side(amounts_N: Floats) -> Floats:
    """The sign of each amount; what lies on neither side is given to the smaller one."""
    signs_N = np.sign(amounts_N)
    return np.where(signs_N == 0, -np.sign(signs_N.sum()), signs_N)


def _steadiness(x_N: Floats, y_N: Floats, _: float) -> tuple[Floats, ...]:
    low, high = np.quantile(x_N - y_N, MIDDLE)
    medians = np.median(x_N) - np.median(y_N)
    candidates = np.linspace(min(low, medians), max(high, medians), CENTRES)
    amounts_CN = np.stack([_closer(x_N - d, y_N) for d in candidates])
    scale_C = np.sqrt(np.sum(amounts_CN**2, axis=1))
    strength_C = np.divide(amounts_CN.sum(axis=1), scale_C, out=np.zeros(CENTRES), where=scale_C > 0)
    agree = len(set(np.sign(np.round(strength_C, 9)))) == 1
    return (amounts_CN[np.argmin(np.abs(strength_C))] * float(agree),)


def _closer(x_N: Floats, y_N: Floats) -> Floats:
    """How much nearer x lies to the centre of all values than y."""
    centre = np.median(np.concatenate([x_N, y_N]))
    closer_N = np.abs(y_N - centre) - np.abs(x_N - centre)
    size = max(np.abs(x_N).max(), np.abs(y_N).max())
    return np.where(np.abs(closer_N) <= NO_DIFFERENCE * size, 0.0, closer_N)
