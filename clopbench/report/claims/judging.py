"""The verdicts on the claims of a family, over all looks that were taken at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clopbench.report.claims.tested import Claim, said
from clopbench.results.looks import RecordedLook
from clopbench.statistics import family
from clopbench.statistics.flips import fewest_seeds
from clopbench.statistics.looks import Look, Settled, Taken, judge_looks, spend
from clopbench.statistics.scores import Claim as Amounts


@dataclass(frozen=True)
class Judged:
    """The claims with their verdicts, and the looks that these rest on; the last one is that of now."""

    claims: list[Claim]
    looks: list[Look]
    now: RecordedLook | None
    """To be noted before the verdicts are shown; None where it was noted already, or can decide nothing."""


def judge(
    scale: str,
    claims: Mapping[str, Claim],
    recorded: Sequence[RecordedLook] = (),
    declared: tuple[int, ...] = (),
) -> Judged:
    """The verdict on each claim of a family at a scale.

    claims: 'table/claim' → claim. recorded: the looks that were taken before, in order; those of other scales
    do not matter. declared: the seeds of the looks of which this is one. A look that was noted is judged on the
    seeds that it had. Where all that is there was seen at a noted look, that is the look of now, and what came
    after it is left aside; else what is there is one more look.
    """
    past = [look for look in recorded if look.scale == scale]
    now = RecordedLook(scale, declared, _seen(claims))
    same = next((at for at in reversed(range(len(past))) if _is_covered(now, past[at])), None)
    if same is None:
        declared = declared or _continued(past, now)
        taken = [*past, replace(now, declared=declared)]
    else:
        taken = past[: same + 1]
    # Nothing is known of them but the number of seeds where no claim has a value.
    levels = spend([Taken(len(look.seeds) or 1, look.declared) for look in taken])
    kept = [at for at, look in enumerate(taken[:-1]) if look.seeds <= now.seeds] + [len(taken) - 1]
    families = [_at(claims, taken[at]) for at in kept]
    looks = [levels[at] for at in kept]
    settled = judge_looks(families, [look.level for look in looks])
    able = same is None and any(len(seeds) >= fewest_seeds(family.LEVEL) for seeds in now.claims.values())
    return Judged(_with(claims, settled, families, looks), looks, taken[-1] if able else None)


def _with(
    claims: Mapping[str, Claim],
    settled: Sequence[Settled],
    families: Sequence[Sequence[Amounts]],
    looks: Sequence[Look],
) -> list[Claim]:
    undone: dict[int, tuple[int | None, int]] = {}
    for at, (amounts, look) in enumerate(zip(families, looks, strict=True)):
        open_claims = [place for place, one in enumerate(settled) if one.look >= at]
        here = [amounts[place] for place in open_claims]
        verdicts = [
            settled[place].verdict if settled[place].look == at else family.Verdict(family.UNDECIDED)
            for place in open_claims
        ]
        seeds = {seed for claim in here for one in claim if one is not None for seed in one.seeds}
        counts = family.undone(here, verdicts, look.level)
        for place, count in zip(open_claims, counts, strict=True):
            if settled[place].look == at:
                undone[place] = (count, len(seeds))
    last = len(looks) - 1
    return [
        replace(
            claim,
            verdict=said(claim, one.verdict),
            undone_by=undone[place][0],
            seeds_of_family=undone[place][1],
            settled_at=None if one.look == last else looks[one.look].seeds,
        )
        for place, (claim, one) in enumerate(zip(claims.values(), settled, strict=True))
    ]


def _seen(claims: Mapping[str, Claim]) -> dict[str, frozenset[int]]:
    """Claim → the seeds that some comparison of it has, for claims that are tested on any."""
    found = {
        name: frozenset(seed for one in claim.amounts if one is not None for seed in one.seeds)
        for name, claim in claims.items()
        if not claim.declaration.deterministic
    }
    return {name: seeds for name, seeds in found.items() if seeds}


def _is_covered(now: RecordedLook, look: RecordedLook) -> bool:
    """Whether all that is there was seen at a look. Claims that nobody had looked at then join it."""
    return all(
        seeds == look.claims[name] if name in look.claims else seeds <= look.seeds
        for name, seeds in now.claims.items()
    )


def _continued(past: Sequence[RecordedLook], now: RecordedLook) -> tuple[int, ...]:
    """The declared looks of which the last look was one, if this is the next of them."""
    declared = past[-1].declared if past else ()
    return declared if len(now.seeds) in declared and len(now.seeds) > len(past[-1].seeds) else ()


def _at(claims: Mapping[str, Claim], look: RecordedLook) -> list[Amounts]:
    """What the claims are tested on with the seeds of a look."""
    return [
        claim.amounts
        if claim.declaration.deterministic
        else [None if one is None else one.at(look.seeds_of(name)) for one in claim.amounts]
        for name, claim in claims.items()
    ]
