"""`bench run`: cells on this machine, then the tables."""

from typing import Annotated

import typer

from clopbench.cli.options import Asked, Machine
from clopbench.cli.terminal import console
from clopbench.errors import UserError, unknown

SETTLED = "settled"
MAX_SEEDS = 40


def run(
    *,
    asked: Asked,
    machine: Machine,
    until: Annotated[
        str | None,
        typer.Option(metavar=SETTLED, help="Add seeds, five a look, until all claims are settled."),
    ] = None,
    max_seeds: Annotated[
        int | None, typer.Option(min=1, help=f"With --until: seeds at the last look; default: {MAX_SEEDS}.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="With --until: no look that would end after 2h, 90m …"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be run, as bench plan does; run nothing.")
    ] = False,
) -> None:
    """Train the cells that have no result yet, then print the tables. Running again resumes."""
    from clopbench.cli import plan, until_settled
    from clopbench.cli.request import Request
    from clopbench.cli.train import end, train

    if dry_run:
        if until is not None:
            raise UserError(f"--dry-run: cannot go with --until {SETTLED}: what a look adds is not known yet")
        plan.plan(asked=asked, machine=machine)
        return
    if until is None:
        for name, value in (("--max-seeds", max_seeds), ("--budget", budget)):
            if value is not None:
                raise UserError(f"{name}: is for --until {SETTLED}")
    elif until != SETTLED:
        raise UserError(f"--until: {unknown('end', until, [SETTLED])}")
    elif asked.seeds is not None:
        raise UserError(f"--seeds: --until {SETTLED} adds seeds look by look; --max-seeds says how many")
    else:
        looks = until_settled.plan_looks(asked, max_seeds or MAX_SEEDS)
        request = Request(looks.asked(0), machine)
        until_settled.run(request, looks, until_settled.seconds(budget), lambda: train(request, console()))
        return
    request, out = Request(asked.counted, machine), console()
    failed, planned = train(request, out)
    request.show_tables(out)
    end(request, failed, planned)
