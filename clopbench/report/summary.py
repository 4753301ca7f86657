"""All tables in a few lines: claims × scales, the paper's numbers by verdict, what it all cost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clopbench.errors import quantity
from clopbench.report import layout
from clopbench.report.claims.tested import Claim
from clopbench.report.formats import wording
from clopbench.report.formats.markdown import Markdown
from clopbench.report.observations import Observation
from clopbench.report.paper_numbers import NOT_RUN as UNSEEN
from clopbench.report.paper_numbers import VERDICTS as NUMBER_VERDICTS
from clopbench.report.tables import Table
from clopbench.statistics.family import CONTRADICTED, NOT_RUN, SUPPORTED, UNDECIDED
from clopbench.suite import reading
from clopbench.suite.claims import ClaimDeclaration
from clopbench.suite.declarations import TableDeclaration
from clopbench.suite.suite import Suite

SYMBOLS = {SUPPORTED: "✔", CONTRADICTED: "✘", UNDECIDED: "?", NOT_RUN: "·"}
SMALL_TO_LARGE = ("laptop", "cpu", "gpu_short", "gpu", "paper")

FRAGILE = "fragile"
NO_WORDS = Markdown()


@dataclass(frozen=True)
class Outcome:
    """What a claim came to at one scale."""

    word: str
    fragile: bool = False


Tables = Mapping[str, Sequence[Table]]
"""Table → the table at each scale for which there are records."""


def own_words(suite: Suite) -> Markdown:
    """The paragraph that people write, if there is one: what was and was not reproduced."""
    path = suite.root / layout.OWN_WORDS
    return Markdown(reading.text(path, layout.OWN_WORDS).strip() if path.is_file() else "")


def cost(cells: Iterable[Observation]) -> str:
    """'20 cells (1 collapsed), 0.1 hours of worker time on CPU AMD EPYC', from the records' provenance."""
    cells = list(cells)
    ended = Counter(cell.status for cell in cells)
    marks = [f"{ended[status]} {status}" for status in ("collapsed", "diverged") if ended[status]]
    seconds = sum(cell.provenance.get("seconds") or 0 for cell in cells)
    devices = sorted({str(cell.provenance.get("device")) for cell in cells})
    note = f" ({', '.join(marks)})" if marks else ""
    hours = f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
    return f"{quantity(len(cells), 'cell')}{note}, {hours} of worker time on {', '.join(devices)}"


def scales(suite: Suite) -> list[str]:
    """All scales, from small to large."""

    def size(name: str) -> tuple[int, str]:
        return (SMALL_TO_LARGE.index(name) if name in SMALL_TO_LARGE else len(SMALL_TO_LARGE), name)

    return sorted(suite.scale_names(), key=size)


def claim_verdicts(suite: Suite, tables: Tables) -> Iterator[tuple[str, ClaimDeclaration, dict[str, Outcome]]]:
    """Every declared claim: its table, what it says, and what it came to at each scale."""
    for name, at_scales in tables.items():
        by_scale = {table.scale.name: table for table in at_scales}
        for position, claim in enumerate(suite.table(name).claims):
            found = {
                scale: _outcome(by_scale[scale].claims[position]) if scale in by_scale else Outcome(NOT_RUN)
                for scale in scales(suite)
            }
            yield name, claim, found


def _outcome(claim: Claim) -> Outcome:
    return Outcome(claim.verdict.verdict, claim.is_fragile)


def paper_numbers(suite: Suite, tables: Tables) -> list[list[str]]:
    """Table, how many numbers of the paper are known, and how many of them got each of NUMBER_VERDICTS."""
    lines = []
    for name, at_scales in tables.items():
        declaration = suite.table(name)
        known = len(declaration.paper.values)
        verdicts = Counter(_verdicts(declaration, at_scales))
        counts = [str(verdicts[verdict]) if known else "–" for verdict in NUMBER_VERDICTS]
        lines.append([name, str(known) if known else "none", *counts])
    return lines


def _verdicts(declaration: TableDeclaration, at_scales: Sequence[Table]) -> list[str]:
    """One verdict for each known number of the paper; a run at its scale outweighs any other."""
    best = [UNSEEN] * len(declaration.paper.values)
    for table in sorted(at_scales, key=lambda table: table.scale.is_paper):
        for number in table.all_numbers:
            if number.paper is not None and number.verdict.verdict != UNSEEN:
                best[declaration.paper.values.index(number.paper)] = number.verdict.verdict
    return best


def counted(suite: Suite, tables: Tables) -> str:
    """Sentences that hold whatever the records say: they are counted from them."""
    sentences = []
    idle = []
    for scale in scales(suite):
        here = [table for at_scales in tables.values() for table in at_scales if table.scale.name == scale]
        if not here:
            idle.append(scale)
            continue
        verdicts = Counter(claim.verdict.verdict for table in here for claim in table.claims)
        judged = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in SYMBOLS)
        count = sum(claim.is_fragile for table in here for claim in table.claims)
        fragile = f"; {count} {FRAGILE}" if count else ""
        cells = {cell.id: cell for table in here for cell in table.cells}
        sentences.append(
            f"Scale {scale}: {len(here)} of {quantity(len(tables), 'table')}; "
            f"of their {quantity(verdicts.total(), 'claim')} {judged} "
            f"({wording.family(here[0].family)}{fragile}); {cost(cells.values())}."
        )
    if idle:
        sentences.append(f"Nothing was run at scale {' or '.join(idle)}.")
    declared = [suite.table(name) for name in tables]
    numbers = Counter(v for d, at in zip(declared, tables.values(), strict=True) for v in _verdicts(d, at))
    if numbers:
        judged = ", ".join(f"{numbers[verdict]} {verdict}" for verdict in NUMBER_VERDICTS if numbers[verdict])
        sentences.append(f"Of the paper's {numbers.total()} numbers that are known: {judged}.")
    return " ".join(sentences)
