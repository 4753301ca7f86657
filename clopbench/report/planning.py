"""How many more seeds the claims of some tables need, from the spread at hand: `bench power`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clopbench.report.claims.tested import Claim
from clopbench.report.formats import wording
from clopbench.report.tables import Table
from clopbench.statistics.flips import fewest_seeds
from clopbench.statistics.power import MOST_SEEDS, POWER
from clopbench.statistics.summaries import ALPHA

TOO_FEW = 3
"""Below so many seeds a spread is hardly known, and no number of seeds is derived from it."""
HEADINGS = ["claim", "seeds now", "effect", "seeds needed", "cautious", "note"]


@dataclass(frozen=True)
class Need:
    """What one claim needs. needed and cautious are None where unknown or above MOST_SEEDS."""

    table: str
    claim: str
    text: str
    seeds: int
    effect: str
    needed: int | None
    cautious: int | None
    note: str


def family(tables: Sequence[Table]) -> int:
    """Claims that are tested together with those of the tables, theirs among them."""
    return max((table.family for table in tables), default=0)


def level(tables: Sequence[Table]) -> float:
    """5 % divided by the number of these: sign flips ask for no more, since claims are correlated."""
    return ALPHA / max(1, family(tables))


def needs(tables: Sequence[Table]) -> list[Need]:
    """For each claim the seeds at which it would be settled with 80 % power."""
    alpha = level(tables)
    return [_need(table, claim, alpha) for table in tables for claim in table.claims]


def rows(tables: Sequence[Table]) -> list[list[str]]:
    """A line of texts for each claim, under HEADINGS."""
    return [
        [
            need.text,
            str(need.seeds),
            need.effect,
            _seeds(need, need.needed),
            _seeds(need, need.cautious),
            need.note,
        ]
        for need in needs(tables)
    ]


def as_data(tables: Sequence[Table]) -> dict[str, Any]:
    """For `--json`."""
    claims = [asdict(need) for need in needs(tables)]
    return {"power": POWER, "level": level(tables), "family": family(tables), "claims": claims}


def explanation(tables: Sequence[Table]) -> str:
    """What the numbers mean, in two sentences."""
    return (
        f"Seeds for {POWER:.0%} power of a t test (of a sign test, against a number) if the effect is what it "
        f"seems now, at level {level(tables):.3g} ({wording.family(family(tables))}). "
        "Cautious: at the unfavourable 80 % limit of the spread."
    )


def _need(table: Table, claim: Claim, alpha: float) -> Need:
    complete = all(claim.effects)
    seeds = min((found.n for found in claim.effects if found is not None), default=0) if complete else 0
    needed, cautious, note = None, None, f"too little data: {TOO_FEW} seeds at least"
    if seeds >= TOO_FEW:
        needed, cautious = (_seeds_needed(claim, alpha, careful) for careful in (False, True))
        note = claim.verdict.verdict
    return Need(
        table.name, claim.declaration.name, claim.declaration.text, seeds, wording.effect(table, claim),
        needed, cautious, note,
    )  # fmt: skip


def _seeds_needed(claim: Claim, alpha: float, cautious: bool) -> int | None:
    """For all comparisons to hold the hardest counts; where one goes against the claim, the easiest of these.

    Below `fewest_seeds` sign flips decide nothing, however large the effect.
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


def _seeds(need: Need, count: int | None) -> str:
    if count is not None:
        return str(count)
    return wording.NOTHING if need.note.startswith("too little") else f"> {MOST_SEEDS}"
