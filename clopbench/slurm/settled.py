"""What a person may do about cells that ended without a result: try them again, or take them off the status."""

from collections.abc import Iterable, Sequence

from clopbench.errors import UserError, unknown
from clopbench.results.records import FAILURE_CLASSES
from clopbench.slurm.status import SETTLED, STATES, CellStatus, Situation, TableStatus

DAMAGED = "damaged"


def check_kinds(kinds: Iterable[str]) -> None:
    """Raise UserError for what is neither a class of failure nor a state that can be tried again."""
    for kind in kinds:
        if kind in STATES and kind not in SETTLED:
            raise UserError(f"class '{kind}': such cells need no retry (available: {_listed()})")
        if kind == DAMAGED:
            raise UserError(f"class '{DAMAGED}': move the record away, then `bench submit` runs the cell again")
        if kind not in FAILURE_CLASSES and kind not in SETTLED:
            raise unknown("failure class", kind, [*SETTLED, *FAILURE_CLASSES])


def _listed() -> str:
    return ", ".join(sorted([*SETTLED, *FAILURE_CLASSES]))


def to_retry(tables: Iterable[TableStatus], kinds: Sequence[str]) -> list[CellStatus]:
    """Settled cells, each once; of some states or classes of failure, where kinds are given.

    Not those whose record is damaged: a task would find it so again.
    """
    found = {
        status.place.cell.id: status
        for table in tables
        for status in table.cells
        if status.state in SETTLED and status.details.get("class") != DAMAGED
        if not kinds or {status.state, status.details.get("class")} & set(kinds)
    }
    return list(found.values())


def to_forget(situation: Situation, words: Sequence[str]) -> list[CellStatus]:
    """The settled cells of tables, and single ones by the first digits of their ids.

    Raises UserError for a word that is neither, for digits that fit several cells, and for a cell that is not
    settled.
    """
    tables = situation.occupancy.tables
    found: dict[str, CellStatus] = {}
    for word in words:
        if word in tables:
            (table,) = situation.tables([word])
            found |= {cell.place.cell.id: cell for cell in table.cells if cell.state in SETTLED}
            continue
        matching = [id for id in situation.occupancy.places if id.startswith(word)]
        if not matching:
            raise unknown("submitted table or cell", word, tables)
        if len(matching) > 1:
            raise UserError(f"'{word}': {len(matching)} cells begin so ({', '.join(sorted(matching)[:5])} …)")
        status = situation.cell(situation.occupancy.places[matching[0]])
        if status.state not in SETTLED:
            raise UserError(f"cell {matching[0]} is {status.state}: only {', '.join(SETTLED)} can be forgotten")
        found[matching[0]] = status
    return list(found.values())


def forget(cells: Iterable[CellStatus]) -> None:
    """Take cells off the status, until they are submitted again; their records and checkpoints stay.

    Raises UserError where the folders of their submissions cannot be written.
    """
    by_submission: dict[str, list[CellStatus]] = {}
    for cell in cells:
        by_submission.setdefault(cell.place.submission.name, []).append(cell)
    for together in by_submission.values():
        submission = together[0].place.submission
        try:
            submission.forget({cell.place.cell.id for cell in together})
        except OSError as error:
            words = (error.strerror or "error").lower()
            raise UserError(f"{submission.folder} cannot be written: {words}") from None
