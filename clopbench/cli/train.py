"""Training the cells of a request on this machine, and what is said of those that came to nothing."""

from typing import TYPE_CHECKING

import typer

from clopbench.cli.terminal import EXIT_FAILED, EXIT_INCOMPLETE, say
from clopbench.errors import quantity

if TYPE_CHECKING:
    from rich.console import Console

    from clopbench.cli.request import Request
    from clopbench.results.plan import Plan


def train(request: "Request", out: "Console") -> "tuple[int, Plan]":
    """Train what has no result yet; how many cells have none after that, and the plan.

    Raises Exit where it was interrupted.
    """
    from clopbench.cli.progress import Reporter
    from clopbench.launch.checkout import source_state
    from clopbench.launch.local import LocalLauncher

    planned = request.plan()
    for line in request.headline(planned):
        say(line)
    todo = planned.to_run
    failed = planned.count("damaged")
    if not todo:
        return failed, planned
    provenance = source_state(request.suite.root) | {"scale": request.scale, "launcher": "local"}
    launcher = LocalLauncher(
        request.store, request.suite.method_folders, request.slots, request.taken.device, provenance
    )
    try:
        launcher.preflight([planned.cell for planned in todo])
    except KeyboardInterrupt:
        say("interrupted before the first cell")
        raise typer.Exit(EXIT_INCOMPLETE) from None
    request.store.ensure_writable()
    with Reporter(out, request.store, len(todo), request.metric) as reporter:
        outcome = launcher.run(todo, reporter)
    failed += len(outcome.failed) + len(outcome.not_begun)
    for cell, problem in outcome.failed:
        say(f"failed: {cell.label}: {problem}")
        say(f"  log: {request.store.folder(cell.cell.id) / 'run.log'}")
    if outcome.not_begun:
        say(f"{quantity(len(outcome.not_begun), 'more cell')}: {outcome.not_begun[0][1]}")
    if outcome.interrupted:
        left, cells = outcome.remaining, quantity(len(planned.cells), "cell")
        remain = "remains" if left == 1 else "remain"
        say(f"interrupted: {left} of {cells} {remain}; run the same command again to resume")
        raise typer.Exit(EXIT_INCOMPLETE)
    return failed, planned


def end(request: "Request", failed: int, planned: "Plan") -> None:
    """Name the looks that could not be read or noted; raise Exit where cells have no result."""
    for line in request.look_problems:
        say(line)
    if failed:
        say(f"{failed} of {quantity(len(planned.cells), 'cell')} {'has' if failed == 1 else 'have'} no result")
        raise typer.Exit(EXIT_FAILED)
