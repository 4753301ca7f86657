"""`bench submit`: hand cells to Slurm."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from clopbench.cli.options import Asked, Device, DryRun, Live, complete_profile
from clopbench.cli.terminal import say


def submit(
    *,
    profile: Annotated[
        str, typer.Option("--profile", help="Cluster: a file in slurm/.", autocompletion=complete_profile)
    ],
    asked: Asked,
    device: Device = "auto",
    dry_run: DryRun = False,
    live: Live = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Where the queue is full, stay and submit the rest when there is room."),
    ] = False,
) -> None:
    """Hand the cells that have no result to Slurm, and return. Submitting again adds only what is missing.

    A key of the profile may be set too (timeout_min=120, slurm_partition=long), or taken away (mem_gb=null).
    Exit status: 0 all in the queue, 3 not all, because it is full.
    """
    from clopbench.cli import orders
    from clopbench.cli.request import Request

    words, settings = orders.split_words(asked.tables)
    request = Request(replace(asked.counted, tables=words))
    order = orders.new_order(request, profile, settings, device, live, sys.argv[1:])
    plan = request.plan()
    for line in request.headline(plan, local=False):
        say(line)
    orders.say_orders(orders.preview(order, plan) if dry_run else orders.submit(order, plan, wait))
