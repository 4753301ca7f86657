"""`bench status`: where submitted cells are, in a few lines per table, never one per cell of thousands."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clopbench.cli.options import Everything, Json, Results, SubmittedTables
from clopbench.cli.terminal import EXIT_FAILED, EXIT_INCOMPLETE, console, print_json, say, warn
from clopbench.errors import quantity

if TYPE_CHECKING:
    from clopbench.slurm.status import CellStatus, Situation, TableStatus

WATCH_SECONDS = 5.0
NOTHING_SUBMITTED = "nothing has been submitted to Slurm from this results folder"
MOST_LINES = 12
"""Of running cells; --all lists all."""


def status(
    *,
    tables: SubmittedTables = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every few seconds, to the end.")] = False,
    everything: Everything = False,
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Show where submitted cells are. Exit status: 0 all done, 3 under way, 1 some failed or stalled."""
    from clopbench.results.records import Store
    from clopbench.slurm.status import Situation

    store, accounting, out = Store(results), True, console()
    while True:
        situation = Situation(store, accounting)
        found = situation.tables(tables or [])
        accounting = situation.accounting_answers
        if as_json:
            answer = {"slurm_problem": situation.problem, "tables": [table.as_dict() for table in found]}
            print_json(answer, indent=None)
        else:
            if watch and out.is_terminal:
                out.clear()
            for line in _lines(situation, found, everything) if found else [NOTHING_SUBMITTED]:
                say(line)
        for line in situation.damages:
            (warn if as_json else say)(line)
        code = _exit_status(found) or (EXIT_FAILED if situation.damages else 0)
        if not watch or not any(table.counts["running"] + table.counts["queued"] for table in found):
            raise typer.Exit(code)
        time.sleep(WATCH_SECONDS)


def _lines(situation: "Situation", tables: "Sequence[TableStatus]", everything: bool) -> Iterator[str]:
    """The whole answer as plain lines: what is under way first; settled cells one by one with `everything`."""
    if situation.problem is not None:
        yield f"{situation.problem}; what follows is what the files say"
    for table in tables:
        yield from _table(table, everything)


def _table(table: "TableStatus", everything: bool) -> Iterator[str]:
    from clopbench.slurm.status import SETTLED

    counts = ", ".join(f"{number} {state}" for state, number in table.counts.items() if number)
    left = _left(table)
    forgotten = f" ({table.forgotten} forgotten)" if table.forgotten else ""
    there = f": {counts}" if counts else ""
    head = f"{table.table}: {quantity(len(table.cells), 'cell')}"
    yield f"{head}{there}{f'; about {left} left' if left else ''}{forgotten}"
    for overrides, number in table.overrides.items():
        yield f"  {number} of them with {overrides}"
    most = None if everything else MOST_LINES
    yield from _listed(table, "running", _running, most)
    if table.counts["queued"]:
        yield f"  queued: {_tally(table.tally('queued', 'reason'))}"
    notes = table.tally("done", "status")
    if notes.keys() - {"done"}:
        yield f"  done: {_tally(notes)}"
    if table.counts["failed"]:
        yield f"  failed: {_tally(table.tally('failed', 'class'))}"
    if not everything and any(table.counts[state] for state in SETTLED):
        yield "  (--all lists what failed, stalled or was cancelled; `bench retry`, or `bench forget`)"
    for state in SETTLED if everything else ():
        yield from _listed(table, state, lambda cell: cell.details.get("message", ""), None)


def _listed(
    table: "TableStatus", state: str, describe: "Callable[[CellStatus], str]", most: int | None
) -> Iterator[str]:
    cells = table.of(state)
    for status in cells[:most]:
        kind = f" {status.details['class']}" if "class" in status.details else ""
        cell_id = status.place.cell.id
        yield f"  {state}{kind}  {cell_id}  {table.labels[cell_id]}: {describe(status)}"
    if most is not None and len(cells) > most:
        yield f"  … and {len(cells) - most} more {state} (--all lists them)"


def _running(status: "CellStatus") -> str:
    """'epoch 5/25, 1,234 views/s, 2 min left, task 12_3 on n1'."""
    details = status.details
    parts = [f"epoch {details['epoch']}/{details['epochs']}"] if "epoch" in details else []
    if "views_per_second" in details:
        parts.append(f"{details['views_per_second']:,.0f} views/s")
    if "seconds_left" in details:
        parts.append(f"{_duration(details['seconds_left'])} left")
    if "slurm_job" in details:
        parts.append(f"task {details['slurm_job']} on {details.get('slurm_node') or '?'}")
    else:
        parts.append("not a task of Slurm")
    return ", ".join(parts)


def _left(table: "TableStatus") -> str | None:
    """Time by the clock at the present number of running cells, from the cells that are done."""
    seconds = [cell.details["seconds"] for cell in table.of("done") if cell.details.get("seconds")]
    running, waiting = table.of("running"), table.counts["queued"]
    if not running or not seconds:
        return None
    mean = sum(seconds) / len(seconds)
    own = [cell.details.get("seconds_left", mean) for cell in running]
    return _duration((sum(own) + waiting * mean) / len(running))


def _tally(counted: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counted.items())


def _duration(seconds: float) -> str:
    """'45 s', '12 min', '3.4 h', '2.5 days'."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def _exit_status(tables: "Sequence[TableStatus]") -> int:
    """0: all cells have results; 3: some are on their way; 1: some failed, stalled or were cancelled."""
    from clopbench.slurm.status import SETTLED

    states = {cell.state for table in tables for cell in table.cells}
    if states & set(SETTLED):
        return EXIT_FAILED
    return EXIT_INCOMPLETE if states - {"done"} else 0
