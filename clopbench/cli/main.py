"""The command line: `bench`. Verbs only; the work is done in the rooms below."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from clopbench.cli import report
from clopbench.cli.data import data_app
from clopbench.cli.options import (
    Device,
    Json,
    Methods,
    MethodsDirs,
    Only,
    PerGpu,
    Results,
    Scale,
    Seeds,
    SuiteDir,
    Tables,
    Workers,
)
from clopbench.cli.slurm import slurm_app
from clopbench.errors import UserError

app = typer.Typer(
    name="bench",
    help="Regenerate the tables of the CLOP paper with seeds, intervals and verdicts.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
app.add_typer(slurm_app)
app.command()(report.report)
app.command("import")(report.import_records)
app.command()(report.power)
app.command()(report.diff)
# Without a terminal to ask, wide enough for a table; lines are never cut.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)

EXIT_FAILED, EXIT_USAGE, EXIT_INCOMPLETE = 1, 2, 3


@app.command("list")
def list_benchmarks(suite: SuiteDir = None, as_json: Json = False) -> None:
    """Show the benchmarks, their axes and the scales."""
    from clopbench.suite.suite import Suite

    found = Suite.locate(suite)
    rows = []
    for name in found.benchmark_names():
        benchmark = found.benchmark(name, found.scale_names()[0])
        rows.append(
            {
                "name": name,
                "title": benchmark.title,
                "axes": benchmark.declared_axes,
                "scales": found.scales_of(name),
            }
        )
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        axes = " × ".join(f"{axis} ({', '.join(points)})" for axis, points in row["axes"].items())
        out.print(
            f"{row['name']}  {row['title']}\n    {axes}\n    scales: {', '.join(row['scales'])}", markup=False
        )


@app.command()
def plan(
    tables: Tables,
    seeds: Seeds = "10",
    scale: Scale = "laptop",
    only: Only = [],
    method: Methods = [],
    suite: SuiteDir = None,
    methods_dir: MethodsDirs = [],
    results: Results = Path("results"),
    workers: Workers = None,
    device: Device = "auto",
    per_gpu: PerGpu = 1,
    explain: Annotated[bool, typer.Option("--explain", help="Say of every cell why it would run.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a run would do: cells done, missing, failed, and the time that the rest would take."""
    from clopbench.cli.request import Request

    request = Request(tables, seeds, scale, only, method, suite, methods_dir, results, workers, device, per_gpu)
    planned = request.plan()
    if as_json:
        _print_json(request.summary(planned) | {"cells": request.cell_rows(planned)})
        return
    for line in request.headline(planned):
        out.print(line, markup=False)
    if explain:
        for cell in planned.cells:
            out.print(f"{cell.cell.id}  {cell.label}: {planned.explain(cell)}", markup=False)


@app.command()
def run(
    tables: Tables,
    seeds: Seeds = "10",
    scale: Scale = "laptop",
    workers: Workers = None,
    only: Only = [],
    method: Methods = [],
    suite: SuiteDir = None,
    methods_dir: MethodsDirs = [],
    results: Results = Path("results"),
    device: Device = "auto",
    per_gpu: PerGpu = 1,
) -> None:
    """Train the cells that have no result yet, then print the tables. Running again resumes."""
    from clopbench.cli.progress import Reporter
    from clopbench.cli.request import Request
    from clopbench.launch.checkout import source_state
    from clopbench.launch.local import LocalLauncher

    request = Request(tables, seeds, scale, only, method, suite, methods_dir, results, workers, device, per_gpu)
    planned = request.plan()
    for line in request.headline(planned):
        out.print(line, markup=False)
    todo = planned.to_run
    failed = planned.count("damaged")
    if todo:
        provenance = source_state(request.suite.root) | {"scale": request.scale, "launcher": "local"}
        launcher = LocalLauncher(request.store, request.suite.method_folders, request.slots, device, provenance)
        try:
            launcher.preflight([planned.cell for planned in todo])
        except KeyboardInterrupt:
            out.print("interrupted before the first cell")
            raise typer.Exit(EXIT_INCOMPLETE) from None
        request.store.ensure_writable()
        with Reporter(out, request.store, len(todo), request.metric) as reporter:
            outcome = launcher.run(todo, reporter)
        failed += len(outcome.failed)
        for cell, problem in outcome.failed:
            out.print(f"failed: {cell.label}: {problem}", markup=False)
            out.print(f"  log: {request.store.folder(cell.cell.id) / 'run.log'}", markup=False)
        if outcome.interrupted:
            out.print(
                f"interrupted: {outcome.remaining} of {len(planned.cells)} cells remain; "
                "run the same command again to resume"
            )
            raise typer.Exit(EXIT_INCOMPLETE)
    request.show_tables(out)
    if failed:
        out.print(f"{failed} of {len(planned.cells)} cells have no result")
        raise typer.Exit(EXIT_FAILED)


@app.command()
def show(
    what: Annotated[
        list[str],
        typer.Argument(metavar="TABLE|CELL [key=value …]", help="A table, or the first digits of a cell's id."),
    ],
    seeds: Annotated[str | None, typer.Option(help="Seeds of the table; default: all recorded.")] = None,
    scale: Scale = "laptop",
    method: Methods = [],
    suite: SuiteDir = None,
    methods_dir: MethodsDirs = [],
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Show a table from the records at hand, or everything about one cell."""
    from clopbench.cli import show
    from clopbench.cli.request import Request
    from clopbench.suite.suite import Suite

    if what[0] in Suite.locate(suite).benchmark_names():
        request = Request(what, seeds, scale, [], method, suite, methods_dir, results, None)
        if as_json:
            _print_json(request.table_rows())
            for line in request.damages:
                print(line, file=sys.stderr)
        else:
            request.show_tables(out)
            for line in request.damages:
                out.print(line, markup=False)
        return
    content = show.cell_content(results, what[0])
    if as_json:
        _print_json(content)
    else:
        show.print_cell(out, results, content)


@app.command()
def methods(suite: SuiteDir = None, methods_dir: MethodsDirs = [], as_json: Json = False) -> None:
    """Show the methods, their parameters, and what is wrong with those that cannot be loaded."""
    from clopbench.cli import show
    from clopbench.suite.suite import Suite

    rows = show.method_rows(Suite.locate(suite, methods_dir).plugins)
    if as_json:
        _print_json(rows)
    else:
        show.print_methods(out, rows)
    if any(row["problem"] for row in rows):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def doctor(
    suite: SuiteDir = None,
    methods_dir: MethodsDirs = [],
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Check this machine and the suite; exit 1 if a run would suffer."""
    from clopbench.cli.doctor import examine
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite

    findings = list(examine(Suite.locate(suite, methods_dir), Store(results)))
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(f"{'ok ' if finding.ok else 'BAD'} {finding.check}: {finding.text}", markup=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: bad input is one line on stderr and status 2; a bug keeps its traceback."""
    try:
        code = app(args=arguments, prog_name="bench", standalone_mode=False)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        code = EXIT_USAGE
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        code = EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt) as error:
        if isinstance(
            error.__cause__, EOFError
        ):  # Taken for Ctrl-D at a question; we ask none, so it is a bug.
            raise error.__cause__ from None
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
