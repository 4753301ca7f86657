"""`bench forget`: take what failed, stalled or was cancelled off the status."""

from pathlib import Path
from typing import Annotated

import typer

from clopbench.cli.options import Results
from clopbench.cli.terminal import say
from clopbench.errors import quantity


def forget(
    *,
    words: Annotated[
        list[str], typer.Argument(metavar="TABLE|CELL…", help="Tables, or the first digits of cells' ids.")
    ],
    results: Results = Path("results"),
) -> None:
    """Take what failed, stalled or was cancelled off the status. Records and checkpoints stay."""
    from clopbench.results.records import Store
    from clopbench.slurm import settled
    from clopbench.slurm.status import Situation

    cells = settled.to_forget(Situation(Store(results)), words)
    settled.forget(cells)
    say(f"{quantity(len(cells), 'cell is', 'cells are')} off the status; `bench submit` would bring them back")
