"""Families of claims: how often any verdict is false, and how often true claims are found."""

from collections.abc import Iterator, Sequence

import baseline
import numpy as np
from mix import Meeting, Mix, Shape
from outcomes import DISTRIBUTIONS, Distribution, draw
from rates import Rate, Table
from truth import family

from clopbench.statistics.family import LEVEL, judge

CORRELATIONS = (0.0, 0.5, 0.9)
SEEDS = (2, 3, 5, 6, 8, 10, 20)
DRAWN = 2000
"""Flips beyond fourteen seeds; the product draws ten times as many, which changes the rates by nothing."""
CLEAR = 3.0
CONSTANTS = ("near", "at_most")
GROUPS = {
    "two rows compared": ("better", "best", "each_beats", "less_sensitive"),
    "within a margin": ("at_least_as_good", "equivalent"),
    "row and number": CONSTANTS,
    "threshold": ("higher_threshold",),
    "spread": ("spread",),
}


def false_verdicts(
    mix: Mix, scale: str, repetitions: int, seeds: Sequence[int] = SEEDS, true_share: float = 0.0
) -> Table:
    """Families with any false verdict. true_share: of the claims, those that are clearly true instead."""
    rows: dict[str, dict[str, Rate]] = {}
    for distribution in DISTRIBUTIONS:
        for correlation in CORRELATIONS:
            name = f"{distribution}, {correlation}"
            rows[name] = {
                f"n = {n}": _false(mix, distribution, n, correlation, repetitions if n > 5 else 20, true_share)
                for n in seeds
            }
    others = "all on the edge" if not true_share else f"{true_share:.0%} clearly true, the others on the edge"
    title = f"Any false verdict among the {len(mix)} claims at scale {scale}, {others}."
    return Table(title, "outcomes, correlation of rows", rows)


def by_kind(mix: Mix, repetitions: int, n: int = 10) -> Table:
    """Families with a false verdict on a claim of a kind, each kind by itself as the whole family."""
    rows: dict[str, dict[str, Rate]] = {}
    for kind in dict.fromkeys(shape.kind for shape in mix.shapes):
        alone = Mix(tuple(shape for shape in mix.shapes if shape.kind == kind), mix.rows)
        rows[kind] = {
            distribution: _false(alone, distribution, n, 0.5, repetitions, 0.0)
            for distribution in DISTRIBUTIONS
        }
    return Table(
        f"Any false verdict if the family is one kind of claim, n = {n}, correlation 0.5.", "kind", rows
    )


def power_of_mix(mix: Mix, repetitions: int) -> Table:
    """True claims that are found: a fifth of the claims, the others on the edge, constants clearly inside."""
    kinds = [shape.kind for shape in mix.shapes]
    constant = np.isin(kinds, CONSTANTS)
    rows: dict[str, dict[str, Rate]] = {}
    for effect in (1.5, 2.5):
        for n in (8, 10, 20):
            rng = np.random.default_rng([n, int(10 * effect)])
            found: dict[str, list[int]] = {}
            wrong = [0, 0]
            for _ in range(repetitions):
                chosen = rng.random(len(mix)) < 0.2
                effects = np.where(chosen, effect, np.where(constant, 8.0, 0.0))
                claims = family(mix, draw(rng, "normal", n, mix.rows, 0.5), rng, effects.tolist(), 0.5)
                verdicts = [one.verdict for one in judge(claims, drawn=DRAWN)], baseline.judge(kinds, claims)
                for place in np.flatnonzero(chosen):
                    for name in ("all", *(group for group, those in GROUPS.items() if kinds[place] in those)):
                        counts = found.setdefault(name, [0, 0, 0])
                        counts[2] += 1
                        for side in (0, 1):
                            counts[side] += verdicts[side][place] == "supported"
                edge = np.flatnonzero(effects == 0)
                for side in (0, 1):
                    wrong[side] += any(verdicts[side][place] != "undecided" for place in edge)
            for side, who in enumerate(("flips", "t and Holm")):
                rows[f"{effect} sd, n = {n}, {who}"] = {
                    name: Rate(found[name][side], found[name][2]) for name in ("all", *GROUPS) if name in found
                } | {"any false verdict": Rate(wrong[side], repetitions, high=None if side else LEVEL)}
    title = f"True claims found among the {len(mix)} (normal outcomes, correlation 0.5), by effect."
    return Table(title, "effect, seeds, method", rows)


def power_of_pairs(repetitions: int, claims: int = 40, true: int = 8) -> Table:
    """The same for a plain family of pairs of rows, every comparison with two sides."""
    shapes = tuple(Shape(str(k), "better", 0.0, (Meeting((2 * k,), (2 * k + 1,)),)) for k in range(claims))
    mix, effects = Mix(shapes, 2 * claims), np.zeros(claims)
    kinds = ["better"] * claims
    rows: dict[str, dict[str, Rate]] = {}
    for distribution in DISTRIBUTIONS:
        for n in (8, 10, 20):
            rng = np.random.default_rng([n, DISTRIBUTIONS.index(distribution)])
            for effect in (1.5, 2.5):
                effects[:true] = effect
                counts = np.zeros((2, 2))
                for _ in range(repetitions):
                    amounts = family(mix, draw(rng, distribution, n, mix.rows, 0.3), rng, effects.tolist(), 0.3)
                    old = baseline.judge(kinds, amounts)
                    for side, found in enumerate(([one.verdict for one in judge(amounts, drawn=DRAWN)], old)):
                        counts[side] += (
                            np.sum(np.array(found[:true]) == "supported"),
                            set(found[true:]) != {"undecided"},
                        )
                for side, who in enumerate(("flips", "t and Holm")):
                    row = rows.setdefault(f"{distribution}, n = {n}, {who}", {})
                    row[f"found at {effect} sd"] = Rate(counts[side, 0], true * repetitions)
                    limit = None if side else LEVEL
                    row[f"any false at {effect} sd"] = Rate(counts[side, 1], repetitions, high=limit)
    return Table(
        f"{claims} pairs of rows, {true} of which differ, correlation 0.3.", "outcomes, seeds, method", rows
    )


def _false(
    mix: Mix, distribution: Distribution, n: int, correlation: float, repetitions: int, true_share: float
) -> Rate:
    rng = np.random.default_rng([n, DISTRIBUTIONS.index(distribution), int(10 * correlation), len(mix)])
    return Rate(
        sum(_any_false(mix, distribution, n, correlation, rng, repetitions, true_share)),
        repetitions,
        high=LEVEL,
    )


def _any_false(
    mix: Mix, distribution: Distribution, n: int, correlation: float,
    rng: np.random.Generator, repetitions: int, true_share: float,
) -> Iterator[bool]:  # fmt: skip
    for _ in range(repetitions):
        effects = np.where(rng.random(len(mix)) < true_share, CLEAR, 0.0)
        claims = family(
            mix, draw(rng, distribution, n, mix.rows, correlation), rng, effects.tolist(), correlation
        )
        yield any(
            verdict.decided and (not effect or verdict.verdict == "contradicted")
            for verdict, effect in zip(judge(claims, drawn=DRAWN), effects, strict=True)
        )
