"""Looking more than once: what part of the error each look may spend, and what is decided at which look.

Whoever adds seeds until a claim is decided decides too many. So the looks are declared beforehand and share the
5 % (alpha spending; Lan & DeMets 1983, with equal parts as Pocock's 1977). The parts are added up without
regard to what looks have in common, so that they hold whatever is tested, sign flips included, and no level
depends on the data. Looks that nobody declared use a reserve, each half of what is left.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from clopbench.statistics.family import LEVEL, UNDECIDED, Verdict, judge
from clopbench.statistics.flips import DRAWN, fewest_seeds
from clopbench.statistics.scores import Claim

STEP = 5
"""Seeds from one look to the next, where nothing else is declared."""
RESERVE = 0.1
"""Part of the level that is kept for looks that were not declared."""


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


def spend(taken: Sequence[int], declared: Sequence[int], level: float = LEVEL) -> list[Look]:
    """What each look may spend, in order.

    taken, declared: seeds at each look, ascending. Whoever takes one look with all seeds declares it alone.
    The declared looks have equal parts of (1 - RESERVE) · level; the part of one that was not taken, or that
    has too few seeds to decide anything, is left to the next. A look beyond the last declared one may spend
    what is left of that and half of what is left of the reserve. Raises ValueError unless looks ascend.
    """
    for looks in (taken, declared):
        if list(looks) != sorted(set(looks)) or min(looks, default=1) < 1:
            raise ValueError("looks must ascend, with at least one seed each")
    able = [seeds for seeds in declared if seeds >= fewest_seeds(level)]
    reserve, spent, found = RESERVE * level, 0.0, []
    planned = level - reserve
    for seeds in taken:
        is_declared = bool(declared) and seeds <= declared[-1]
        due = planned * sum(one <= seeds for one in able) / len(able) if able else 0.0
        now = max(0.0, due - spent)
        if not is_declared:
            reserve /= 2
            now = max(0.0, level - reserve - spent)
        if seeds < fewest_seeds(level):
            now = 0.0
        spent += now
        found.append(Look(seeds, now, spent, is_declared))
    return found


def judge_looks(
    claims: Sequence[Claim], looks: Sequence[Collection[int]], levels: Sequence[float], drawn: int = DRAWN
) -> list[Settled]:
    """Judge claims at each look in turn; what is decided stays decided, and leaves the family.

    looks: the seeds that were there at each look; levels: from `spend`. The verdicts of earlier looks are found
    anew from their seeds, so nothing but the looks has to be kept.
    """
    settled: list[Settled | None] = [None] * len(claims)
    open_claims = list(range(len(claims)))
    for at, (seeds, level) in enumerate(zip(looks, levels, strict=True)):
        last = at == len(looks) - 1
        if level <= 0 and not last:
            continue
        seen = [[None if one is None else one.at(seeds) for one in claims[place]] for place in open_claims]
        found = (
            judge(seen, level, drawn) if level > 0 else [_only_shown(one) for one in judge(seen, LEVEL, drawn)]
        )
        for place, verdict in zip(list(open_claims), found, strict=True):
            if verdict.decided or last:
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
