"""Our numbers beside the paper's: four outcomes, and where our effect was to be expected.

- *reproduced*: our mean lies within the margin of the paper's (two one-sided tests, TOST);
- *differs inside the margin*: the same, and the two differ by more than chance explains;
- *outside the margin*: it lies beyond the margin (a minimum-effect test; Lakens 2017);
- *open*: none of these can be said yet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05
INSIDE_ONE_DRAW = 0.0025
"""Level of each one-sided test where the paper's number is one draw: see `judge_number`."""
FEWEST_FOR_OUTSIDE = 8
"""Seeds below which nothing lies outside the margin of one draw: see `judge_number`."""
CONFIDENCE = 0.95

REPRODUCED, DIFFERS_INSIDE, OUTSIDE, OPEN = (
    "reproduced", "differs inside the margin", "outside the margin", "open",
)  # fmt: skip
ONE_DRAW = "the paper's number is taken as one draw with our spread"


@dataclass(frozen=True)
class PaperNumber:
    """A mean that the paper gives; sd and n only where it gives both, with n of at least 2."""

    mean: float
    sd: float | None = None
    n: int | None = None

    @property
    def is_sample(self) -> bool:
        return self.sd is not None and self.n is not None and self.n >= 2


@dataclass(frozen=True)
class Reproduction:
    """outcome: one of the four. difference: ours minus the paper's, with its 90 % interval.

    p_inside: that it lies within the margin is not chance; p_outside: that it lies beyond; p_different: that it
    is not 0. None where there is no spread to test with. reason: what the reader must know.
    """

    outcome: str
    difference: float
    low: float | None = None
    high: float | None = None
    p_inside: float | None = None
    p_outside: float | None = None
    p_different: float | None = None
    reason: str = ""


def judge_number(values: Sequence[float], paper: PaperNumber, margin: float) -> Reproduction:
    """Set our values, one per seed, beside a number of the paper.

    With the paper's sd and n the tests are two-sample t tests in which the larger of both spreads stands for
    both, since the settings are said to be the same. (Each with its own, Welch's test calls a shift by the
    margin *reproduced* in up to 15 % where values are skewed and few, because a small sample often
    misses its own tail.)

    Without them the number is taken as one run whose spread is ours: the standard error is s √(1/n + 1). A
    single draw from a skewed distribution says little of its mean, so *inside* is tested at INSIDE_ONE_DRAW
    (at 5 % up to 12 % would be wrong), and *outside* asks in addition that every seed of ours lies on the same
    side of the number by more than the margin, and for FEWEST_FOR_OUTSIDE seeds: of these and one draw more
    the draw alone has collapsed with a chance of at most 4 %, however often runs collapse.

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values to set beside the paper's")
    ours = np.asarray(values, dtype=float)
    n, difference = len(ours), float(ours.mean() - paper.mean)
    reason = "" if paper.is_sample else ONE_DRAW
    if n == 1:
        return Reproduction(OPEN, difference, reason="one seed")
    spread = float(ours.std(ddof=1))
    if paper.is_sample:
        assert paper.sd is not None and paper.n is not None
        spread, error, freedom = max(spread, paper.sd), math.sqrt(1 / n + 1 / paper.n), n + paper.n - 2
    else:
        error, freedom = math.sqrt(1 / n + 1), n - 1
    if spread <= 1e-12 * max(1.0, abs(paper.mean)):
        return Reproduction(OPEN, difference, reason="no spread over seeds")
    error *= spread
    size = abs(difference)
    inside = float(stats.t.cdf((size - margin) / error, freedom))
    outside = min(1.0, 2 * float(stats.t.sf((size - margin) / error, freedom)))
    different = 2 * float(stats.t.sf(size / error, freedom))
    half = float(stats.t.ppf(1 - LEVEL, freedom)) * error
    found = (difference, difference - half, difference + half, inside, outside, different)
    if inside <= (LEVEL if paper.is_sample else INSIDE_ONE_DRAW):
        return Reproduction(DIFFERS_INSIDE if different <= LEVEL else REPRODUCED, *found, reason)
    if outside <= LEVEL and (paper.is_sample or _is_apart(ours, paper.mean, margin)):
        return Reproduction(OUTSIDE, *found, reason)
    return Reproduction(OPEN, *found, reason)


@dataclass(frozen=True)
class Prediction:
    """Where the effect of a replication lies with 95 % if the paper's numbers and its setting are right."""

    effect: float
    low: float
    high: float
    reason: str = ""

    def holds(self, effect: float) -> bool:
        """Whether an effect lies inside."""
        return self.low <= effect <= self.high


def predict(
    first: PaperNumber, second: PaperNumber, n: int, ours: tuple[Sequence[float], Sequence[float]] | None = None
) -> Prediction | None:
    """The prediction interval of first - second over n paired seeds of ours.

    Patil, Peng & Leek 2016 and Spence & Stanley 2016: the paper's effect has an error, and ours has one too.
    Where the paper gives sd and n of both rows, both errors come from its sd, as if its rows and ours were not
    paired (pairing would make ours smaller, so the interval is on the safe side). Else both numbers are taken
    as single draws with the spreads of `ours`, the values of both rows by seed; None without those or below
    two seeds.
    """
    effect = first.mean - second.mean
    if first.is_sample and second.is_sample:
        parts = [
            (row.sd**2 * (1 / row.n + 1 / n), row.n - 1)
            for row in (first, second)
            if row.sd is not None and row.n is not None
        ]
        variance = sum(part for part, _ in parts)
        if variance == 0:
            return None
        freedom = variance**2 / sum(part**2 / df for part, df in parts)
        return _prediction(effect, variance, freedom, "")
    if ours is None or len(ours[0]) < 2:
        return None
    one, other = (np.asarray(side, dtype=float) for side in ours)
    variance = float(one.var(ddof=1) + other.var(ddof=1) + (one - other).var(ddof=1) / n)
    return _prediction(effect, variance, len(one) - 1, ONE_DRAW) if variance > 0 else None


def _prediction(effect: float, variance: float, freedom: float, reason: str) -> Prediction:
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(variance)
    return Prediction(effect, effect - half, effect + half, reason)


def _is_apart(ours: np.ndarray, number: float, margin: float) -> bool:
    """Whether every seed lies on one side of the number by more than the margin."""
    if len(ours) < FEWEST_FOR_OUTSIDE:
        return False
    return bool(np.all(ours > number + margin) or np.all(ours < number - margin))
