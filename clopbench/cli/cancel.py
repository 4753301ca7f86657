"""`bench cancel`: take tasks out of Slurm's queue."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clopbench.cli.options import Results, SubmittedTables
from clopbench.cli.terminal import say
from clopbench.errors import quantity, unknown

if TYPE_CHECKING:
    from clopbench.results.records import Store
    from clopbench.slurm.occupancy import Place
    from clopbench.slurm.submission import Submission


def cancel(*, tables: SubmittedTables = None, results: Results = Path("results")) -> None:
    """Take a table's tasks out of Slurm's queue. Running cells save their checkpoint; results stay."""
    from clopbench.results.records import Store

    for line in _cancel(Store(results), tables or []):
        say(line)


def _cancel(store: "Store", tables: Sequence[str]) -> Iterator[str]:
    """Cancel the queued and running tasks of some tables; of all without names."""
    from clopbench.slurm import squeue
    from clopbench.slurm.occupancy import look

    occupancy = look(store, {})
    for name in tables:
        if name not in occupancy.tables:
            raise unknown("submitted table", name, occupancy.tables)
    chosen: dict[tuple[Submission, int], list[Place]] = {}
    shared = 0
    for place in occupancy.places.values():
        if not place.ahead or place.task is None:
            continue
        mates = place.submission.tasks[place.task]
        if tables and not set(place.cell.tables) & set(tables):
            continue
        if tables and not all(set(mate.tables) <= set(tables) for mate in mates):
            shared += 1  # Its task, or the cell itself, serves another table too.
            continue
        chosen.setdefault((place.submission, place.task), []).append(place)
    if shared:
        kept = quantity(shared, "cell stays", "cells stay")
        yield f"{kept} in the queue: other tables need their tasks too; name those as well"
    if not chosen:
        yield "nothing to cancel"
        return
    try:
        for submission in {submission for submission, _ in chosen}:
            submission.cancel({task for owner, task in chosen if owner is submission})
    except OSError as error:  # Slurm is told all the same: that alone is enough, as long as it remembers.
        yield f"not noted in {store.root}: {error.strerror}"
    # One that waits for room is no job yet: whoever waits sees that it was cancelled.
    squeue.cancel([first.job for first, *_ in chosen.values() if first.queued and first.job])
    cells = sum(len(places) for places in chosen.values())
    gone = f"{quantity(len(chosen), 'task')} with {quantity(cells, 'cell')}"
    yield f"cancelled {gone}; `bench retry` or `bench submit` brings them back"
