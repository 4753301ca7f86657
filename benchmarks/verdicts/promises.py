"""Whether "so many seeds settle this with 80 %" is kept."""

import numpy as np
from mix import Meeting, Mix, Shape
from outcomes import draw
from rates import Rate, Table
from truth import family

from clopbench.statistics.family import judge
from clopbench.statistics.joint_power import POWER, joint_power, need

KEPT = 0.75, 0.90
CLAIMS = 10
"""Claims of the family, of which one is promised something and the others are on the edge."""


def known_truth(repetitions: int) -> Table:
    """The promised seeds of a claim whose effect is known, and how often they settle it in a family."""
    rows: dict[str, dict[str, Rate]] = {}
    for rivals in (1, 2, 3, 4):
        for effect in (0.8, 1.2):
            correlation = np.full((rivals, rivals), 0.5) + 0.5 * np.eye(rivals)
            tail = 0.05 / 2 / CLAIMS
            n = next(
                n for n in range(6, 500) if joint_power(np.full(rivals, effect), correlation, n, tail) >= POWER
            )
            kept = sum(_settled(rivals, effect, n, rng) for rng in _streams(repetitions, rivals, effect))
            rows.setdefault(f"{rivals} rivals", {})[f"{effect} sd"] = Rate(kept, repetitions, *KEPT)
    return Table("Promised 80 % with the effect known: claims settled.", "better than each of", rows)


def from_pilots(repetitions: int, pilot: int = 10) -> Table:
    """The same where effect and spread come from a pilot, over the pilots from which anything is promised."""
    rows: dict[str, dict[str, Rate]] = {}
    for effect in (0.3, 0.5, 0.8, 1.2, 2.0):
        kept = promised = 0
        for rng in _streams(repetitions, pilot, effect):
            found = need(_claims(1, effect, pilot, rng)[0], CLAIMS)
            if found is not None and found.seeds is not None:
                promised += 1
                kept += _settled(1, effect, found.seeds, rng)
        row = rows.setdefault(f"{effect} sd", {})
        row["anything promised"] = Rate(promised, repetitions)
        if promised:
            row["kept"] = Rate(kept, promised, *KEPT)
    return Table(f"Promised 80 % from a pilot of {pilot} seeds: claims settled.", "true effect", rows)


def _streams(repetitions: int, *key: float):
    seeds = np.random.SeedSequence([int(10 * part) for part in key]).spawn(repetitions)
    return map(np.random.default_rng, seeds)


def _settled(rivals: int, effect: float, n: int, rng: np.random.Generator) -> bool:
    return judge(_claims(rivals, effect, n, rng), drawn=2000)[0].verdict == "supported"


def _claims(rivals: int, effect: float, n: int, rng: np.random.Generator):
    """One claim that a row beats its rivals, by `effect` standard deviations, and others on the edge."""
    best = Shape("best", "best", 0.0, tuple(Meeting((0,), (1 + k,)) for k in range(rivals)))
    rows = [(1 + rivals + 2 * k, 2 + rivals + 2 * k) for k in range(CLAIMS - 1)]
    others = [Shape(str(one), "better", 0.0, (Meeting((one,), (other,)),)) for one, other in rows]
    mix = Mix((best, *others), 1 + rivals + 2 * len(others))
    return family(mix, draw(rng, "normal", n, mix.rows, 0.0), rng, [effect] + [0.0] * len(others), 0.0)
