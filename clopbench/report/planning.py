"""How many more seeds the claims of some tables need, from the spread at hand: `bench power`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clopbench.report.claims.tested import Claim
from clopbench.report.formats import wording
from clopbench.report.tables import Table
from clopbench.statistics.power import MOST_SEEDS, POWER
from clopbench.statistics.summaries import ALPHA
from clopbench.statistics.verdicts import TOO_FEW

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


def level(tables: Sequence[Table]) -> float:
    """5 % divided by the number of claims: what each must reach whatever the others do (Holm's first step)."""
    return ALPHA / max(1, sum(len(table.claims) for table in tables))


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
    return {"power": POWER, "level": level(tables), "claims": [asdict(need) for need in needs(tables)]}


def explanation(tables: Sequence[Table]) -> str:
    """What the numbers mean, in two sentences."""
    claims = sum(len(table.claims) for table in tables)
    return (
        f"Seeds for {POWER:.0%} power if the effect is what it seems now, at level {level(tables):.3g} "
        f"({ALPHA:g} divided by {claims} claims). Cautious: at the unfavourable 80 % limit of the spread."
    )


def _need(table: Table, claim: Claim, alpha: float) -> Need:
    tested = claim.tested
    complete = len(tested.known) == len(tested.comparisons)
    seeds = min((found.n for found in tested.known), default=0) if complete else 0
    needed, cautious, note = None, None, f"too little data: {TOO_FEW} seeds at least"
    if seeds >= TOO_FEW:
        needed, cautious = tested.seeds_needed(alpha), tested.seeds_needed(alpha, cautious=True)
        note = claim.verdict.verdict
    return Need(
        table.name, claim.declaration.name, claim.declaration.text, seeds, wording.effect(table, claim),
        needed, cautious, note,
    )  # fmt: skip


def _seeds(need: Need, count: int | None) -> str:
    if count is not None:
        return str(count)
    return wording.NOTHING if need.note.startswith("too little") else f"> {MOST_SEEDS}"
