"""The verbs that speak with Slurm: submit, status, logs, cancel, retry."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clopbench.cli_options import Device, Methods, MethodsDirs, Only, Results, Scale, Seeds, SuiteDir, Tables

EXIT_FAILED = 1

slurm_app = typer.Typer()
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


def _complete_profile(incomplete: str) -> list[str]:
    from clopbench.launch.profiles import profile_names
    from clopbench.suite import Suite

    return [name for name in profile_names(Suite.locate().root) if name.startswith(incomplete)]


ProfileName = Annotated[
    str, typer.Option("--profile", help="Cluster: a file in slurm/.", autocompletion=_complete_profile)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the sbatch text; submit nothing.")]
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
) -> None:
    """Hand the cells that have no result to Slurm, and return. Submitting again adds only what is missing.

    A key of the profile may be set too: timeout_min=120, slurm_partition=long.
    """
    from clopbench import slurm_cli
    from clopbench.request import Request

    words, settings = slurm_cli.split_words(tables)
    request = Request(words, seeds, scale, only, method, suite, methods_dir, results, None)
    order = slurm_cli.new_order(request, profile, settings, device, live, sys.argv[1:])
    plan = request.plan()
    for line in request.headline(plan, local=False):
        out.print(line, markup=False)
    lines = slurm_cli.preview(order, plan) if dry_run else slurm_cli.submit(order, plan)
    for line in lines:
        out.print(line, markup=False)
