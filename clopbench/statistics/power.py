"""How many seeds a test needs for 80 % power, if the effect and the spread are those seen so far.

statsmodels' power of the t test does the work; where it has nothing (equivalence, equality of variances)
the formula stands here. All functions return None where more than MOST_SEEDS would be needed.
"""

import bisect
import math
from collections.abc import Callable

from scipy import stats
from statsmodels.stats.power import TTestPower

POWER = 0.80
MOST_SEEDS = 10_000
CAUTION = 0.80
"""Confidence of the one-sided limit of a spread that is known from few seeds (Browne 1995)."""


def t_test_seeds(effect: float, alpha: float, sides: int = 2) -> int | None:
    """Seeds for a paired t test of |effect| = mean difference / sd of the differences."""
    if effect == 0:
        return None
    return _smallest(lambda n: _t_power(abs(effect), n, alpha, sides), abs(effect), alpha / sides)


def equivalence_seeds(difference: float, sd: float, margin: float, alpha: float) -> int | None:
    """Seeds for two one-sided t tests that a difference lies within ± margin.

    Power is at least 1 minus the chances that either test fails, and nearly that where it is high.
    """
    if abs(difference) >= margin:
        return None
    if sd == 0:
        return 2

    def power(n: int) -> float:
        gaps = (margin - difference) / sd, (margin + difference) / sd
        return sum(_t_power(gap, n, alpha, 1) for gap in gaps) - 1

    return _smallest(power, (margin - abs(difference)) / sd, alpha)


def correlation_seeds(correlation: float, alpha: float) -> int | None:
    """Seeds for a two-sided test of a correlation, by Fisher's z: ((z_(1-α/2) + z_power) / atanh r)² + 3."""
    if correlation == 0:
        return None
    if abs(correlation) >= 1:
        return 4
    wanted = (stats.norm.isf(alpha / 2) + stats.norm.ppf(POWER)) / math.atanh(abs(correlation))
    n = math.ceil(wanted**2 + 3)
    return n if n <= MOST_SEEDS else None


def sign_test_seeds(share: float, untied: float, alpha: float) -> int | None:
    """Seeds for a two-sided sign test where a `share` of the seeds that differ are on one side.

    untied: the share of seeds that differ at all; the others count for nothing.
    """
    if share <= 0.5:
        return None
    spread = stats.norm.isf(alpha / 2) / 2 + stats.norm.ppf(POWER) * math.sqrt(share * (1 - share))
    normal = (spread / (share - 0.5)) ** 2 / untied
    if normal > MOST_SEEDS:
        return None
    # Power rises in a sawtooth, so the first n that has enough is sought, from below the normal approximation.
    for n in range(max(2, int(0.8 * normal) - 10), MOST_SEEDS + 1):
        differing = round(n * untied)
        # isf: a fair coin exceeds it with a chance of alpha / 2 at most.
        if stats.binom.sf(stats.binom.isf(alpha / 2, differing, 0.5), differing, share) >= POWER:
            return n
    return None


def cautious_sd(sd: float, n: int) -> float:
    """Upper one-sided limit of a standard deviation that was estimated from n normal values."""
    return sd * math.sqrt((n - 1) / float(stats.chi2.ppf(1 - CAUTION, n - 1)))


def cautious_correlation(correlation: float, n: int) -> float:
    """Lower one-sided limit of |correlation| by Fisher's z; 0 where it is not told from 0."""
    if n <= 3 or abs(correlation) >= 1:
        return abs(correlation) if abs(correlation) >= 1 else 0.0
    return math.tanh(max(0.0, math.atanh(abs(correlation)) - stats.norm.ppf(CAUTION) / math.sqrt(n - 3)))


def cautious_share(share: float, n: int) -> float:
    """Lower one-sided limit of a share of n seeds (Clopper & Pearson)."""
    found = stats.binomtest(round(share * n), n, alternative="greater")
    return float(found.proportion_ci(CAUTION).low)


def _t_power(effect: float, n: int, alpha: float, sides: int) -> float:
    power = TTestPower().power(effect, n, alpha, alternative="two-sided" if sides == 2 else "larger")
    # The noncentral t overflows to NaN only where the effect is enormous.
    return 1.0 if math.isnan(power) else float(power)


def _smallest(power: Callable[[int], float], effect: float, tail: float) -> int | None:
    """The smallest n with enough power, sought upwards from what a normal distribution would need.

    A t test needs more than that, but not much more; and the power of large n is slow to compute.
    """
    normal = ((stats.norm.isf(tail) + stats.norm.ppf(POWER)) / effect) ** 2
    if normal > MOST_SEEDS:
        return None
    low = max(2, int(normal))
    high = low
    while high <= MOST_SEEDS and power(high) < POWER:
        low, high = high, high + max(2, high // 8)
    n = low + bisect.bisect_left(range(low, high), True, key=lambda n: power(n) >= POWER)
    return n if n <= MOST_SEEDS else None
