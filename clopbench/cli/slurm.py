"""The verbs that speak with Slurm: submit, status, logs, cancel, retry, forget."""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clopbench.cli.options import (
    Device,
    Json,
    Methods,
    MethodsDirs,
    Only,
    Results,
    Scale,
    Seeds,
    SuiteDir,
    Tables,
)

WATCH_SECONDS = 5.0
EXIT_INCOMPLETE = 3
NOTHING_SUBMITTED = "nothing has been submitted to Slurm from this results folder"

slurm_app = typer.Typer()
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


def _complete_profile(incomplete: str) -> list[str]:
    from clopbench.slurm.profiles import profile_names
    from clopbench.suite.suite import Suite

    return [name for name in profile_names(Suite.locate().root) if name.startswith(incomplete)]


ProfileName = Annotated[
    str, typer.Option("--profile", help="Cluster: a file in slurm/.", autocompletion=_complete_profile)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the sbatch text; submit nothing.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Where the queue is full, stay and submit the rest when there is room.")
]
Live = Annotated[
    bool, typer.Option("--live", help="Tasks run the code as it is when they start, not a snapshot of now.")
]


@slurm_app.command()
def submit(
    tables: Tables,
    profile: ProfileName,
    seeds: Seeds = "10",
    scale: Scale = "laptop",
    only: Only = [],
    method: Methods = [],
    suite: SuiteDir = None,
    methods_dir: MethodsDirs = [],
    results: Results = Path("results"),
    device: Device = "auto",
    dry_run: DryRun = False,
    live: Live = False,
    wait: Wait = False,
) -> None:
    """Hand the cells that have no result to Slurm, and return. Submitting again adds only what is missing.

    A key of the profile may be set too (timeout_min=120, slurm_partition=long), or taken away (mem_gb=null).
    Exit status: 0 all in the queue, 3 not all, because it is full.
    """
    from clopbench.cli import slurm_orders
    from clopbench.cli.request import Request

    words, settings = slurm_orders.split_words(tables)
    request = Request(words, seeds, scale, only, method, suite, methods_dir, results, None)
    order = slurm_orders.new_order(request, profile, settings, device, live, sys.argv[1:])
    plan = request.plan()
    for line in request.headline(plan, local=False):
        out.print(line, markup=False)
    _say(slurm_orders.preview(order, plan) if dry_run else slurm_orders.submit(order, plan, wait))


@slurm_app.command()
def status(
    tables: Annotated[list[str] | None, typer.Argument(metavar="[TABLE…]", help="Default: all.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every few seconds, to the end.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="List cells that failed, stalled or were cancelled, one by one.")
    ] = False,
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Show where submitted cells are. Exit status: 0 all done, 3 under way, 1 some failed or stalled."""
    from clopbench.cli import status
    from clopbench.results.records import Store
    from clopbench.slurm.status import Situation

    store, accounting = Store(results), True
    while True:
        situation = Situation(store, accounting)
        found = situation.tables(tables or [])
        accounting = situation.accounting_answers
        if as_json:
            answer = {"slurm_problem": situation.problem, "tables": [table.as_dict() for table in found]}
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        else:
            if watch and out.is_terminal:
                out.clear()
            for line in status.lines(situation, found, everything) if found else [NOTHING_SUBMITTED]:
                out.print(line, markup=False)
        code = status.exit_status(found)
        if not watch or not any(table.counts["running"] + table.counts["queued"] for table in found):
            raise typer.Exit(code)
        time.sleep(WATCH_SECONDS)


@slurm_app.command()
def logs(
    cell: Annotated[str, typer.Argument(metavar="CELL", help="The first digits of a cell's id.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="So many of each log's last lines.")] = 40,
    results: Results = Path("results"),
) -> None:
    """Show the log of a cell, and what its Slurm task printed."""
    from clopbench.cli import slurm_orders
    from clopbench.results.records import Store

    for line in slurm_orders.log_lines(Store(results), cell, lines):
        out.print(line, markup=False)


@slurm_app.command()
def cancel(
    tables: Annotated[list[str] | None, typer.Argument(metavar="[TABLE…]", help="Default: all.")] = None,
    results: Results = Path("results"),
) -> None:
    """Take a table's tasks out of Slurm's queue. Running cells save their checkpoint; results stay."""
    from clopbench.cli import slurm_orders
    from clopbench.results.records import Store

    for line in slurm_orders.cancel(Store(results), tables or []):
        out.print(line, markup=False)


@slurm_app.command()
def retry(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE… [key=value …]", help="Tables; keys of the profile (mem_gb=96), launch.*."
        ),
    ],
    kinds: Annotated[
        list[str],
        typer.Option("--class", help="Only failures of this class, or cells in this state (repeatable)."),
    ] = [],
    profile: Annotated[
        str | None, typer.Option(help="Another profile than before.", autocompletion=_complete_profile)
    ] = None,
    suite: SuiteDir = None,
    methods_dir: MethodsDirs = [],
    results: Results = Path("results"),
    dry_run: DryRun = False,
    live: Live = False,
) -> None:
    """Submit again what failed, stalled or was cancelled, with the code of now."""
    from clopbench.cli import retry
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite

    found = Suite.locate(suite, methods_dir)
    _say(retry.retry(found, Store(results), words, kinds, profile, dry_run, live, sys.argv[1:]))


@slurm_app.command()
def forget(
    words: Annotated[
        list[str], typer.Argument(metavar="TABLE|CELL…", help="Tables, or the first digits of cells' ids.")
    ],
    results: Results = Path("results"),
) -> None:
    """Take what failed, stalled or was cancelled off the status. Records and checkpoints stay."""
    from clopbench.cli import slurm_orders
    from clopbench.results.records import Store

    _say(slurm_orders.forget(Store(results), words))


def _say(lines: Iterable[str]) -> None:
    """Print lines as they come. Where not all is in the queue at the end, say so; exit status 3."""
    from clopbench.slurm.submit import Incomplete

    try:
        for line in lines:
            out.print(line, markup=False)
    except Incomplete as left:
        print(left, file=sys.stderr)
        raise typer.Exit(EXIT_INCOMPLETE) from None
