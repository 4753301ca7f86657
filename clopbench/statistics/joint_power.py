"""How many seeds a claim needs, all of its comparisons together, and how well that can be known.

The chances are those of t tests at the level that the claim must reach whatever the other claims do. They are
found by simulation with the effects, spreads and correlations of the seeds at hand: G draws of K means and K
spreads, the same draws for every number of seeds, so that more seeds never look worse.

Seeds are promised only where the effect's interval leaves 0 out, and a small effect does that only where luck
has made it look large. So an effect counts by 1 / the chance that it would have been promised anything (Taylor
& Muller 1996; Anderson, Kelley & Maxwell 2017). Without this, of the promises for effects of half a standard
deviation 43 % were kept.

Shapes: N seeds at hand, K columns (bounds of comparisons), G draws.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from clopbench.statistics.amounts import Amounts, matrix
from clopbench.statistics.family import LEVEL
from clopbench.statistics.flips import Floats, fewest_seeds

POWER = 0.80
MOST_SEEDS = 10_000
MORE_SEEDS = 10
"""Seeds that somebody may add, for the effect that could then be detected."""
RANGE = 0.80
"""Confidence of the effect's interval from which the range of seeds comes."""
DRAWS = 4000
DRAWS_SEED = 0
FEWEST = 4
"""Below so many seeds nothing is said: a spread is hardly known."""


@dataclass(frozen=True)
class Need:
    """What a claim needs to be settled with a chance of 80 %, either way.

    seeds: the chance is averaged over what the seeds at hand leave open; None where zero lies inside the
    effect's 95 % interval, because nothing can be promised then, or where more than MOST_SEEDS would be needed.
    low, high: the seeds if the effect were as large, or as small, as 80 % of what they leave open (high None:
    more than MOST_SEEDS, or 0 is among it). detectable: the smallest mean difference, in units of the metric,
    that as many seeds as now and MORE_SEEDS more would find, for the comparison that the claim hangs on.
    """

    seeds: int | None
    low: int | None
    high: int | None
    detectable: tuple[float, float]


def need(claim: Sequence[Amounts], claims: int, level: float = LEVEL, share: float = 1.0) -> Need | None:
    """The seeds for a claim whose comparisons share all their seeds (others are left out).

    claims: how many the family has; share: the part of the level that its group of claims may use. Each
    comparison is tested at its part of the error, as if no claim were correlated with another. Where the means
    speak against the claim, the chance is that of the comparison that speaks against it most. None below FEWEST
    seeds, where a comparison does not vary, and for comparisons with constants, which are no t tests.
    """
    if not claim or any(one.constant for one in claim):
        return None
    seeds = sorted(set.intersection(*(set(one.seeds) for one in claim)))
    if len(seeds) < FEWEST:
        return None
    amounts_NK = matrix([one.at(seeds) for one in claim], seeds)
    sd_K = amounts_NK.std(axis=0, ddof=1)
    if np.any(sd_K <= 1e-12 * np.abs(amounts_NK).max(axis=0, initial=1e-300)):
        return None
    of_claim, in_favour = level * share / max(1, claims), claim[0].in_favour
    effects_K = amounts_NK.mean(axis=0) / sd_K
    if effects_K.min() >= 0:
        return _need(amounts_NK, of_claim * in_favour, of_claim * (1 - in_favour) / len(effects_K))
    k = int(np.argmin(effects_K))
    return _need(-amounts_NK[:, [k]], of_claim * (1 - in_favour) / len(effects_K), of_claim * in_favour)


def joint_power(effects_K: Floats, correlation_KK: Floats, n: int, tail: float) -> float:
    """The chance that n seeds make all K comparisons significant. effects: mean / sd of what is tested."""
    draws = _Draws.correlated(np.asarray(correlation_KK, dtype=float))
    return draws.power(np.asarray(effects_K, dtype=float), n, tail)


def detectable(sd: float, n: int, tail: float) -> float:
    """The smallest mean difference that n seeds find with a chance of 80 %."""
    draws, critical = _Draws.correlated(np.eye(1)), float(stats.t.isf(tail, n - 1))
    # Each draw is significant from one effect on; POWER of the draws are, at this quantile of those effects.
    enough_GK = (critical * np.sqrt(_chi_square(draws.spread_GK, n - 1)) - draws.mean_GK) / math.sqrt(n)
    return sd * float(np.quantile(enough_GK, POWER))


def _need(amounts_NK: Floats, tail: float, other_tail: float) -> Need:
    """tail: of each comparison on the side where they lie; other_tail: of each on the other side."""
    n, sd_K = len(amounts_NK), amounts_NK.std(axis=0, ddof=1)
    effects_K = amounts_NK.mean(axis=0) / sd_K
    k = int(np.argmin(effects_K))
    draws = _Draws.correlated(np.corrcoef(amounts_NK, rowvar=False).reshape(len(sd_K), len(sd_K)))
    within_reach = detectable(float(sd_K[k]), n, tail), detectable(float(sd_K[k]), n + MORE_SEEDS, tail)
    possible_GK = draws.possible(effects_K, n)
    critical = float(stats.t.ppf(1 - LEVEL / 2, n - 1))
    zero_inside = abs(float(effects_K[k])) * math.sqrt(n) <= critical
    weight_G = np.ones(DRAWS) if zero_inside else 1 / _chance_beyond(critical, possible_GK[:, k], n)
    ends = _quantiles(possible_GK[:, k], weight_G, [(1 + RANGE) / 2, (1 - RANGE) / 2])
    least = fewest_seeds(LEVEL)
    low, high = (
        _smallest(lambda m, end=end: draws.power(effects_K - effects_K[k] + end, m, tail), least)
        if end > 0
        else None
        for end in ends
    )
    if zero_inside:
        return Need(None, low, high, within_reach)
    seeds = _smallest(lambda m: draws.power(possible_GK, m, tail, other_tail, weight_G), least)
    return Need(seeds, low, high, within_reach)


def _chance_beyond(critical: float, effects_G: Floats, n: int) -> Floats:
    """The chance that a t test of n seeds has |t| > critical, for effects in standard deviations [G]."""
    size_G = np.abs(effects_G)
    grid = np.linspace(0.0, size_G.max(), 200)
    t = stats.nct(n - 1, grid * math.sqrt(n))
    # For large effects scipy's tails are not numbers; there the chance is 1.
    chance = np.clip(np.nan_to_num(t.sf(critical) + t.cdf(-critical), nan=1.0), LEVEL, 1.0)
    return np.interp(size_G, grid, chance)


def _quantiles(values_G: Floats, weight_G: Floats, shares: Sequence[float]) -> list[float]:
    order_G = np.argsort(values_G)
    below_G = np.cumsum(weight_G[order_G]) / weight_G.sum()
    return [float(values_G[order_G[int(np.searchsorted(below_G, share))]]) for share in shares]


@dataclass(frozen=True)
class _Draws:
    """Standard normal draws [G, K] with the comparisons' correlation, and with that of their spreads."""

    mean_GK: Floats
    spread_GK: Floats
    past_mean_GK: Floats
    past_spread_GK: Floats

    @classmethod
    def correlated(cls, correlation_KK: Floats) -> "_Draws":
        rng = np.random.default_rng(DRAWS_SEED)
        # Sample variances of normal values correlate by the square of what the values do.
        roots = [_root(correlation_KK), _root(correlation_KK**2)]
        size = (DRAWS, len(correlation_KK))
        return cls(*(rng.standard_normal(size) @ root.T for root in (*roots, *roots)))

    def power(
        self, effects: Floats, n: int, tail: float, other_tail: float = 0.0, weight_G: Floats | None = None
    ) -> float:
        """The chance that all comparisons are significant, or that one is on the other side.

        effects: [K], or [G, K] where they are not known; weight_G: how much each of these counts.
        """
        t_GK = (effects * math.sqrt(n) + self.mean_GK) / np.sqrt(_chi_square(self.spread_GK, n - 1))
        settled_G = np.all(t_GK >= stats.t.isf(tail, n - 1), axis=1)
        settled_G |= np.any(t_GK <= -stats.t.isf(other_tail, n - 1), axis=1)
        return float(np.average(settled_G, weights=weight_G))

    def possible(self, effects_K: Floats, n: int) -> Floats:
        """Effects that n seeds leave open (the fiducial distribution of mean / sd)."""
        return effects_K * np.sqrt(_chi_square(self.past_spread_GK, n - 1)) + self.past_mean_GK / math.sqrt(n)


def _chi_square(normal: Floats, freedom: int) -> Floats:
    """χ² / freedom from standard normal draws (Wilson & Hilferty 1931)."""
    part = 2 / (9 * freedom)
    return np.maximum(1 - part + normal * math.sqrt(part), 1e-3) ** 3


def _root(correlation_KK: Floats) -> Floats:
    """A matrix whose product with its transpose is the correlation, also where that is singular."""
    values_K, vectors_KK = np.linalg.eigh(correlation_KK)
    return vectors_KK * np.sqrt(np.clip(values_K, 0.0, None))


def _smallest(power: Callable[[int], float], least: int) -> int | None:
    """The smallest n from `least` on with enough power, by doubling and halving; None beyond MOST_SEEDS."""
    low, high = least - 1, max(least, 2)
    while power(high) < POWER:
        low, high = high, 2 * high
        if low >= MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high if high <= MOST_SEEDS else None
