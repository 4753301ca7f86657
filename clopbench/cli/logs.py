"""`bench logs`: what a cell and its Slurm tasks wrote."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clopbench.cli.options import Results
from clopbench.cli.terminal import say
from clopbench.errors import UserError

if TYPE_CHECKING:
    from clopbench.results.records import Store

LOG_BYTES = 2**24
"""So much of a log is looked at, from its end."""


def logs(
    *,
    cell: Annotated[str, typer.Argument(metavar="CELL", help="The first digits of a cell's id.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="So many of each log's last lines.")] = 40,
    results: Results = Path("results"),
) -> None:
    """Show the log of a cell, and what its Slurm task printed."""
    from clopbench.results.files import Unreadable, read_bytes, shown
    from clopbench.results.records import Store

    store = Store(results)
    id = _the_one(store, cell)
    for path in [store.folder(id) / "run.log", *_task_logs(store, id)]:
        say(f"==> {path} <==")
        try:
            content = read_bytes(path, LOG_BYTES, last=LOG_BYTES)
            last = content.decode(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            last = ["(not there: it has not started)"]
        except Unreadable as damage:
            last = [f"damaged: {shown(path)}: {damage}"]
        for line in last:
            say(line)


def _the_one(store: "Store", prefix: str) -> str:
    """The id that starts so, of a recorded or a submitted cell. Raises UserError for none or several."""
    from clopbench.slurm.submission import all_submissions

    submitted = {cell.id for s in all_submissions(store) for task in s.tasks for cell in task}
    ids = sorted({*store.find(prefix), *(cell_id for cell_id in submitted if cell_id.startswith(prefix))})
    if len(ids) != 1:
        found = f"{len(ids)} cells ({', '.join(ids[:5])} …)" if ids else "no cell"
        raise UserError(f"'{prefix}': {found} of that name in {store.root}")
    return ids[0]


def _task_logs(store: "Store", cell_id: str) -> Iterator[Path]:
    """The output of every Slurm task that had the cell."""
    from clopbench.slurm import jobs
    from clopbench.slurm.submission import all_submissions

    for submission in all_submissions(store):
        for number, cells in enumerate(submission.tasks):
            if any(cell.id == cell_id for cell in cells):
                part = submission.part_of(number)
                job = submission.job(part)
                if job is not None:
                    bare, _ = jobs.split(job)
                    yield from sorted(submission.logs.glob(f"{bare}_{number - part.first}_*"))
