"""Looking more than once: what part of the error each look may spend, and what is decided at which look.

Whoever adds seeds until a claim is decided decides too many. So looks that are declared beforehand share the
5 % (alpha spending; Lan & DeMets 1983, with equal parts as Pocock's 1977). The parts are added up without
regard to what looks have in common, so that they hold whatever is tested, sign flips included, and no level
depends on the data. A look that nobody declared takes nearly all that is left: whoever looks once loses hardly
anything, and whoever looks again has hardly anything left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clopbench.statistics.family import LEVEL, UNDECIDED, Verdict, judge
from clopbench.statistics.flips import DRAWN, fewest_seeds
from clopbench.statistics.scores import Claim

STEP = 5
"""Seeds from one look to the next, where nothing else is declared."""
RESERVE = 0.02
"""Part of what is left that looks which nobody declared leave to those after them."""


@dataclass(frozen=True)
class Taken:
    """A look that was taken. declared: the seeds of all looks that it was one of; empty: nobody declared it."""

    seeds: int
    declared: tuple[int, ...] = ()


@dataclass(frozen=True)
class Look:
    """level: what may be spent at this look; spent: what is spent after it, of the whole level."""

    seeds: int
    level: float
    spent: float
    declared: bool


@dataclass(frozen=True)
class Settled:
    """The verdict that stands, and the position of the look at which it fell (the last one where undecided)."""

    verdict: Verdict
    look: int


def declared_looks(most: int, step: int = STEP) -> tuple[int, ...]:
    """Seeds at each look: step, 2 · step, …, and `most`. Raises ValueError unless both are at least 1."""
    if most < 1 or step < 1:
        raise ValueError("looks need at least one seed each")
    return (*range(step, most, step), most)


def spend(taken: Sequence[Taken], level: float = LEVEL) -> list[Look]:
    """What each look may spend, in the order in which they were taken.

    Declared looks have equal parts of what was left at the first of them, but for the RESERVE; the part of one
    that was not taken, or that has too few seeds to decide anything, is left to the next. A look that nobody
    declared takes all but the RESERVE. Raises ValueError where a look has no seed, or declared looks do not
    ascend.
    """
    spent, found, plan = 0.0, [], _Plan((), 0.0, 0.0)
    for look in taken:
        if look.seeds < 1 or list(look.declared) != sorted(set(look.declared)) or 0 in look.declared:
            raise ValueError("looks have at least one seed each, and declared ones ascend")
        declared = look.seeds in look.declared
        if declared and look.declared != plan.looks:
            plan = _Plan(look.declared, spent, (level - spent) * (1 - RESERVE))
        if look.seeds < fewest_seeds(level):
            now = 0.0
        elif declared:
            now = max(0.0, plan.due(look.seeds, level) - spent)
        else:
            now = (level - spent) * (1 - RESERVE)
        spent += now
        found.append(Look(look.seeds, now, spent, declared))
    return found


@dataclass(frozen=True)
class _Plan:
    """Declared looks, what was spent before the first of them, and what they may spend together."""

    looks: tuple[int, ...]
    before: float
    together: float

    def due(self, seeds: int, level: float) -> float:
        """What may be spent once so many seeds are reached."""
        able = [one for one in self.looks if one >= fewest_seeds(level)]
        return self.before + self.together * sum(one <= seeds for one in able) / len(able)


def judge_looks(
    families: Sequence[Sequence[Claim]], levels: Sequence[float], drawn: int = DRAWN
) -> list[Settled]:
    """Judge a family at each look in turn; what is decided stays decided, and leaves the family.

    families: the same claims at each look, with the seeds that were there; levels: from `spend`. The verdicts
    of earlier looks are found anew from their seeds, so nothing but the looks has to be kept.
    """
    settled: list[Settled | None] = [None] * len(families[-1])
    open_claims = list(range(len(settled)))
    for at, (family, level) in enumerate(zip(families, levels, strict=True)):
        last = at == len(families) - 1
        if level <= 0 and not last:
            continue
        seen = [family[place] for place in open_claims]
        found = (
            judge(seen, level, drawn) if level > 0 else [_only_shown(one) for one in judge(seen, LEVEL, drawn)]
        )
        for place, verdict in zip(list(open_claims), found, strict=True):
            # What nothing is tested of depends on no look: it is compared as it is now.
            if last or (verdict.decided and verdict.p is not None):
                settled[place] = Settled(verdict, at)
                open_claims.remove(place)
    return [one for one in settled if one is not None]


def _only_shown(verdict: Verdict) -> Verdict:
    """What a look finds that may not decide anything that is tested."""
    if verdict.p is None:
        return verdict
    return replace(
        verdict, verdict=UNDECIDED, reason=verdict.reason or "no error is left to spend at this look"
    )
