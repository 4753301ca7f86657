"""The verbs that reckon with records but change nothing."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from clopbench.cli_options import Json, Results, Scale, SuiteDir, Tables


def power(
    tables: Tables,
    seeds: Annotated[str | None, typer.Option(help="Seeds to reckon from; default: all recorded.")] = None,
    scale: Scale = "laptop",
    suite: SuiteDir = None,
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Show how many seeds each claim of a table needs, from the records at hand and the published ones."""
    from clopbench.report import planning
    from clopbench.request import Request

    request = Request(tables, seeds, scale, [], [], suite, [], results, None)
    found = request.tables(published=True)
    if as_json:
        print(json.dumps(planning.as_data(found), indent=1, ensure_ascii=False))
        return
    grid = RichTable(*planning.HEADINGS, box=box.SIMPLE_HEAD)
    for line in planning.rows(found):
        grid.add_row(*line)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)
    console.print(grid)
    console.print(planning.explanation(found), markup=False)
