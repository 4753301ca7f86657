"""Seeds that are added until claims are settled: what is wrong over all looks, and what that costs."""

from collections.abc import Sequence

import numpy as np
from families import DRAWN
from mix import Mix
from outcomes import DISTRIBUTIONS, Distribution, draw
from rates import Rate, Table
from truth import family

from clopbench.statistics.family import LEVEL, judge
from clopbench.statistics.looks import Taken, declared_looks, judge_looks, spend
from clopbench.statistics.scores import Claim

MOST = 40
PLANS = {
    "declared: 5, 10, … 40": (declared_looks(MOST), declared_looks(MOST)),
    "declared: 10; by hand: 20, 30": ((10, 20, 30), (10,)),
    "none declared: 10, 20, 40": ((10, 20, 40), ()),
}


def false_over_looks(mix: Mix, repetitions: int) -> Table:
    """Families with a false verdict at any look, all claims on the edge."""
    rows: dict[str, dict[str, Rate]] = {}
    for plan, (taken, declared) in PLANS.items():
        levels = [look.level for look in spend([Taken(n, declared) for n in taken])]
        for distribution in DISTRIBUTIONS:
            rng = np.random.default_rng([DISTRIBUTIONS.index(distribution), len(taken)])
            wrong = 0
            for _ in range(repetitions):
                claims = _claims(mix, rng, distribution, taken[-1], [0.0] * len(mix))
                found = judge_looks(_at(claims, taken), levels, DRAWN)
                wrong += any(one.verdict.decided for one in found)
            rows.setdefault(plan, {})[distribution] = Rate(wrong, repetitions, high=LEVEL)
    return Table("Any false verdict at any look.", "looks", rows)


def found_over_looks(mix: Mix, repetitions: int, effects: Sequence[float] = (0.5, 0.8, 1.2)) -> Table:
    """True claims (a fifth; the others on the edge) that are settled, beside one look at all seeds."""
    looks = declared_looks(MOST)
    levels = [look.level for look in spend([Taken(n, looks) for n in looks])]
    rows: dict[str, dict[str, Rate]] = {}
    for effect in effects:
        rng = np.random.default_rng(int(10 * effect))
        by_look, alone, total = np.zeros(len(looks)), 0, 0
        for _ in range(repetitions):
            chosen = rng.random(len(mix)) < 0.2
            claims = _claims(mix, rng, "normal", MOST, np.where(chosen, effect, 0.0).tolist())
            places = np.flatnonzero(chosen)
            total += len(places)
            once = judge(claims, spend([Taken(MOST)])[0].level, DRAWN)
            alone += sum(once[place].verdict == "supported" for place in places)
            settled = judge_looks(_at(claims, looks), levels, DRAWN)
            for place in places:
                if settled[place].verdict.verdict == "supported":
                    by_look[settled[place].look] += 1
        rows[f"{effect} sd"] = {
            f"by n = {n}": Rate(float(by_look[: at + 1].sum()), total)
            for at, n in enumerate(looks)
            if n in (10, 20, 30, 40)
        } | {"one look at 40": Rate(alone, total)}
    return Table("True claims settled over declared looks at 5, 10, … 40 seeds.", "effect", rows)


def _at(claims: Sequence[Claim], looks: Sequence[int]) -> list[list[Claim]]:
    """The claims with the seeds of each look."""
    return [[[one and one.at(range(n)) for one in claim] for claim in claims] for n in looks]


def _claims(mix: Mix, rng: np.random.Generator, distribution: Distribution, n: int, effects: list[float]):
    return family(mix, draw(rng, distribution, n, mix.rows, 0.5), rng, effects, 0.5)
