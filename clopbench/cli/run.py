"""`bench run`: cells on this machine, then the tables."""

import typer

from clopbench.cli.options import Asked, Machine
from clopbench.cli.terminal import EXIT_FAILED, EXIT_INCOMPLETE, console, say


def run(*, asked: Asked, machine: Machine) -> None:
    """Train the cells that have no result yet, then print the tables. Running again resumes."""
    from clopbench.cli.progress import Reporter
    from clopbench.cli.request import Request
    from clopbench.launch.checkout import source_state
    from clopbench.launch.local import LocalLauncher

    request, out = Request(asked, machine), console()
    planned = request.plan()
    for line in request.headline(planned):
        say(line)
    todo = planned.to_run
    failed = planned.count("damaged")
    if todo:
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
            say(f"{len(outcome.not_begun)} more cells: {outcome.not_begun[0][1]}")
        if outcome.interrupted:
            say(
                f"interrupted: {outcome.remaining} of {len(planned.cells)} cells remain; "
                "run the same command again to resume"
            )
            raise typer.Exit(EXIT_INCOMPLETE)
    request.show_tables(out)
    if failed:
        say(f"{failed} of {len(planned.cells)} cells have no result")
        raise typer.Exit(EXIT_FAILED)
