"""How many seeds the claims of some tables need, from the effects and spreads at hand: `bench power`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clopbench.report import amounts
from clopbench.report.claims.tested import Claim
from clopbench.report.formats import wording
from clopbench.report.tables import Table
from clopbench.statistics import joint_power
from clopbench.statistics.comparisons import Equivalence, NonInferiority, Superiority
from clopbench.statistics.family import CONSTANT_SHARE
from clopbench.statistics.flips import fewest_seeds
from clopbench.statistics.joint_power import FEWEST, MORE_SEEDS, MOST_SEEDS, POWER
from clopbench.statistics.looks import Taken, spend

LEVEL = spend([Taken(MOST_SEEDS)])[0].level
"""What one look at all seeds may spend."""
HEADINGS = ["claim", "seeds now", "effect", "seeds needed", "range", "smallest found", "note"]


@dataclass(frozen=True)
class Need:
    """What one claim needs.

    needed: None where zero lies inside the effect's interval, so that nothing can be promised, and above
    MOST_SEEDS. low, high: the range of it; high is None above MOST_SEEDS. detectable: the smallest difference
    that as many seeds as now and MORE_SEEDS more would find with the same chance, where it is one of means.
    """

    table: str
    claim: str
    text: str
    seeds: int
    effect: str
    needed: int | None
    low: int | None
    high: int | None
    detectable: tuple[float, float] | None
    note: str
    found: str
    """`detectable` in words."""


def family(tables: Sequence[Table]) -> int:
    """Claims that are tested together with those of the tables, theirs among them."""
    return max((table.family for table in tables), default=0)


def level(tables: Sequence[Table]) -> float:
    """The part of the error that each claim may spend, if they shared it evenly: correlated ones have more."""
    return LEVEL / max(1, family(tables))


def needs(tables: Sequence[Table]) -> list[Need]:
    """For each claim the seeds at which all of its comparisons would be settled with a chance of 80 %."""
    count = family(tables)
    return [_need(table, claim, count) for table in tables for claim in table.claims]


def rows(tables: Sequence[Table]) -> list[list[str]]:
    """A line of texts for each claim, under HEADINGS."""
    return [
        [need.text, str(need.seeds), need.effect, _seeds(need), _range(need), need.found, need.note]
        for need in needs(tables)
    ]


def as_data(tables: Sequence[Table]) -> dict[str, Any]:
    """For `--json`."""
    claims = [asdict(need) for need in needs(tables)]
    return {"power": POWER, "level": level(tables), "family": family(tables), "claims": claims}


def explanation(tables: Sequence[Table]) -> str:
    """What the numbers mean, in a few sentences."""
    at = f"at level {level(tables):.3g} ({wording.family(family(tables))})"
    return (
        f"Seeds that settle all comparisons of a claim with a chance of {POWER:.0%}, seen at one look, {at}. "
        "The range: if the effect were as large, or as small, as its 80 % interval allows. Where zero lies "
        "inside its 95 % interval nothing is promised; smallest found: the difference that as many seeds as "
        f"now, and {MORE_SEEDS} more, would find as often."
    )


def _need(table: Table, claim: Claim, count: int) -> Need:
    known = [one for one in claim.amounts if one is not None]
    complete = len(known) == len(claim.amounts) and bool(known)
    seeds = min(one.n for one in known) if complete else 0
    described = (
        *(table.name, claim.declaration.name, claim.declaration.text, seeds),
        wording.effect(table, claim),
    )
    note = _unknown(claim, seeds)
    if note:
        return Need(*described, None, None, None, None, note, wording.NOTHING)
    note = claim.verdict.verdict
    found = joint_power.need(known, max(1, count), LEVEL, 1 - CONSTANT_SHARE)
    if found is None:
        share = CONSTANT_SHARE if any(one.constant for one in known) else 1 - CONSTANT_SHARE
        alpha = LEVEL * share / max(1, count)
        needed, high = (_of_the_hardest(claim, alpha, cautious) for cautious in (False, True))
        return Need(*described, needed, needed, high, None, note, wording.NOTHING)
    if found.seeds is None and found.high is None and not claim.verdict.decided:
        note = f"{note}; zero is inside the interval"
    is_of_means = isinstance(claim.kind.hypothesis, (Superiority, NonInferiority, Equivalence))
    detectable = found.detectable if is_of_means else None
    words = wording.NOTHING
    if detectable:
        now, more = (amounts.value(claim.format, amount) for amount in detectable)
        words = f"{now} now, {more} with {MORE_SEEDS} more"
    return Need(*described, found.seeds, found.low, found.high, detectable, note, words)


def _unknown(claim: Claim, seeds: int) -> str:
    """Why no number of seeds is derived from those that a claim has."""
    if claim.declaration.deterministic:
        return "no test: a measurement without noise"
    return f"too little data: {FEWEST} seeds at least" if seeds < FEWEST else ""


def _of_the_hardest(claim: Claim, alpha: float, cautious: bool) -> int | None:
    """For what is no t test of means: against a number only the side of each seed counts; spreads.

    The hardest comparison decides; where one goes against the claim, the easiest of these. Below `fewest_seeds`
    nothing is decided at all.
    """
    hypothesis = claim.kind.hypothesis
    known = [found for found in claim.effects if found is not None]
    contrary = [found for found in known if hypothesis.slack(found) <= 0]
    share = alpha / len(known) if contrary else alpha
    needed = [hypothesis.seeds_needed(found, share, cautious) for found in contrary or known]
    counts = [n for n in needed if n is not None]
    if not counts or (not contrary and len(counts) < len(needed)):
        return None
    return max(min(counts) if contrary else max(counts), fewest_seeds(alpha))


def _seeds(need: Need) -> str:
    return wording.NOTHING if need.needed is None else str(need.needed)


def _range(need: Need) -> str:
    if need.low is None:
        return wording.NOTHING if need.needed is None and need.high is None else f"> {MOST_SEEDS}"
    if need.high is None:
        return f"{need.low} or more"
    return str(need.low) if need.low == need.high else f"{need.low} to {need.high}"
