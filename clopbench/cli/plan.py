"""`bench plan`: what a run would do."""

from typing import Annotated

import typer

from clopbench.cli.options import Asked, Json, Machine
from clopbench.cli.terminal import print_json, say


def plan(
    *,
    asked: Asked,
    machine: Machine,
    explain: Annotated[bool, typer.Option("--explain", help="Say of every cell why it would run.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a run would do: cells done, missing, failed, and the time that the rest would take."""
    from clopbench.cli.request import Request

    request = Request(asked.counted, machine)
    planned = request.plan()
    if as_json:
        beside = {"undeclared": request.undeclared(planned)}
        print_json(request.summary(planned) | beside | {"cells": request.cell_rows(planned)})
        return
    for line in [*request.headline(planned), *request.undeclared(planned)]:
        say(line)
    if explain:
        for cell in planned.cells:
            say(f"{cell.cell.id}  {cell.label}: {planned.explain(cell)}")
