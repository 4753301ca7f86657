"""`bench import`: results that were made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from clopbench.cli.options import Results
from clopbench.cli.terminal import say, say_damages
from clopbench.errors import quantity


def import_records(
    *,
    path: Annotated[Path, typer.Argument(help="Published records, a folder of them, or a results folder.")],
    results: Results = Path("results"),
) -> None:
    """Take over results that were made elsewhere: runs skip their cells from then on."""
    from clopbench.results.importing import import_records
    from clopbench.results.records import Store

    imported = import_records(path, Store(results))
    say(f"{quantity(imported.new, 'result')} imported into {results}, {imported.known} were there already")
    if imported.looks:
        looks = quantity(imported.looks, "look at their claims is", "looks at their claims are")
        say(f"{looks} noted with them")
    say_damages(imported.damages)
