"""`bench power`: how many seeds the claims of a table need."""

from typing import Annotated

import typer

from clopbench.cli.options import Against, Asked, Folders, Json, Methods, Scale, Tables
from clopbench.cli.terminal import console, grid, print_json, say, warn


def power(
    *,
    tables: Tables,
    seeds: Annotated[str | None, typer.Option(help="Seeds to reckon from; default: all recorded.")] = None,
    scale: Scale = "laptop",
    method: Methods = [],
    against: Against = [],
    folders: Folders,
    as_json: Json = False,
) -> None:
    """Show how many seeds each claim of a table needs, from the records at hand and the published ones."""
    from clopbench.cli.request import Request
    from clopbench.report import planning

    request = Request(
        Asked(tables=tables, seeds=seeds, scale=scale, method=method, against=against, folders=folders)
    )
    found = request.tables(published=True)
    for line in request.damages:
        (warn if as_json else say)(line)
    if as_json:
        print_json(planning.as_data(found))
        return
    if request.overrides:
        say(f"with {', '.join(request.overrides)}")
    console(140).print(grid(planning.HEADINGS, planning.rows(found)))
    say(planning.explanation(found))
