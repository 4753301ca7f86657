"""What the verdicts were before: a t test for each comparison and Holm's correction over claims.

For comparison only. Claims with a margin or a limit use one-sided p values in both directions, so that on the
margin they are wrong twice as often as they say.
"""

from collections.abc import Sequence

import numpy as np
from outcomes import Floats
from scipy import stats
from statsmodels.stats.multitest import multipletests

from clopbench.statistics.amounts import Amounts

SIDES = {"at_least_as_good": 1, "equivalent": 1, "near": 1, "at_most": 1}


def judge(kinds: Sequence[str], claims: Sequence[Sequence[Amounts]]) -> list[str]:
    """Verdicts: supported, contradicted or undecided."""
    both = np.array([_claim(kind, claim) for kind, claim in zip(kinds, claims, strict=True)])
    sides = np.array([SIDES.get(kind, 2) for kind in kinds])
    corrected = multipletests(np.minimum(1.0, sides * both.min(axis=1)), method="holm")[1]
    return [
        "undecided" if p > 0.05 else "supported" if one <= other else "contradicted"
        for p, (one, other) in zip(np.asarray(corrected), both, strict=True)
    ]


def _claim(kind: str, claim: Sequence[Amounts]) -> tuple[float, float]:
    """P in favour (intersection-union) and against (Bonferroni)."""
    parts = [_comparison(kind, one) for one in claim]
    return max(one for one, _ in parts), min(1.0, len(parts) * min(other for _, other in parts))


def _comparison(kind: str, one: Amounts) -> tuple[float, float]:
    x_N, y_N = (np.array([side[seed] for seed in one.seeds]) for side in (one.first, one.second))
    if kind == "spread":
        found = stats.pearsonr(x_N + y_N, x_N - y_N)
        r, p = float(found.statistic), float(found.pvalue)  # pyright: ignore[reportAttributeAccessIssue]
        return (p / 2, 1 - p / 2) if r < 0 else (1 - p / 2, p / 2)
    if kind == "higher_threshold":
        won, lost = int(np.sum(x_N > y_N)), int(np.sum(x_N < y_N))
        above, below = (float(stats.binom.sf(k - 1, max(1, won + lost), 0.5)) for k in (won, lost))
        return above, below
    inside, outside = zip(*(_t(sign * (x_N - y_N) + one.margin) for sign in _signs(kind)), strict=True)
    return max(inside), min(1.0, len(outside) * min(outside))


def _signs(kind: str) -> tuple[int, ...]:
    return (1, -1) if kind in ("equivalent", "near") else (1,)


def _t(amounts_N: Floats) -> tuple[float, float]:
    """One-sided p above and below 0; without spread the t statistic is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = amounts_N.mean() / (amounts_N.std(ddof=1) / np.sqrt(len(amounts_N)))
    above = 0.5 if np.isnan(t) else float(stats.t.sf(t, len(amounts_N) - 1))
    return above, 1 - above
