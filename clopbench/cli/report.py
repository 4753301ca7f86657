"""The verbs that reckon with records but change none, and the report as a page."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from clopbench.cli.options import Json, Results, Scale, SuiteDir, Tables
from clopbench.errors import UserError

if TYPE_CHECKING:
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite


def report(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if files would change.")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="First add this results folder's records to results/published/.")
    ] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Report this results folder instead of results/published/.")
    ] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Write one self-contained page instead, RESULTS/report.html.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Where to write; default: the suite. With --html: the file.")
    ] = None,
    suite: SuiteDir = None,
    results: Results = Path("results"),
) -> None:
    """Rewrite RESULTS.md and tables/* from the published records, or write them as one HTML page."""
    from clopbench.report import publication
    from clopbench.report.document import report as make_report
    from clopbench.report.figures.attachments import LocalAttachments
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite

    found, store = Suite.locate(suite), Store(results)
    damages: list[str] = []
    if html:
        if check or publish:
            raise UserError("--html: only writes a page, so it cannot go with --check or --publish")
        print(f"wrote {write_html(found, store, local, folder, damages)}")
        _end_with(damages)
        return
    if local and folder is None:
        raise UserError("--local: needs --out DIR, so that the published report is not overwritten")
    if check and publish:
        raise UserError("--check: changes nothing, so it cannot go with --publish")
    if publish:
        for line in publication.publish_store(found, store, damages.append):
            print(line)
    mine = publication.local_arms(found, store, damages.append) if local else None
    arms = publication.published_arms(found) if mine is None else mine
    document = make_report(found, arms, LocalAttachments(store) if local else None)
    target = folder or found.root
    if check:
        drift = document.drift(target)
        for name in drift:
            print(f"differs from the records: {target / name}")
        if drift:
            raise typer.Exit(1)
        print("up to date with the records")
        return
    for path in document.write(target):
        print(f"wrote {path}")
    _end_with(damages)


def _end_with(damages: list[str]) -> None:
    """Name the records that could not be used, each once. Raises Exit where there are any."""
    for line in dict.fromkeys(damages):
        print(line)
    if damages:
        raise typer.Exit(1)


def power(
    tables: Tables,
    seeds: Annotated[str | None, typer.Option(help="Seeds to reckon from; default: all recorded.")] = None,
    scale: Scale = "laptop",
    suite: SuiteDir = None,
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Show how many seeds each claim of a table needs, from the records at hand and the published ones."""
    from clopbench.cli.request import Request
    from clopbench.report import planning

    request = Request(tables, seeds, scale, [], [], suite, [], results, None)
    found = request.tables(published=True)
    for line in request.damages:
        print(line, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(planning.as_data(found), indent=1, ensure_ascii=False))
        return
    grid = RichTable(*planning.HEADINGS, box=box.SIMPLE_HEAD)
    for line in planning.rows(found):
        grid.add_row(*line)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)
    console.print(grid)
    console.print(planning.explanation(found), markup=False)


def import_records(
    path: Annotated[Path, typer.Argument(help="Published records, a folder of them, or a results folder.")],
    results: Results = Path("results"),
) -> None:
    """Take over results that were made elsewhere: runs skip their cells from then on."""
    from clopbench.results.importing import import_records
    from clopbench.results.records import Store

    imported = import_records(path, Store(results))
    print(f"{imported.new} results imported into {results}, {imported.known} were there already")
    _end_with(imported.damages)


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A results folder, or published records.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    suite: SuiteDir = None,
    as_json: Json = False,
) -> None:
    """Compare two sets of records cell by cell and table by table; exit 1 if they differ."""
    from clopbench.cli import diff
    from clopbench.report import difference
    from clopbench.suite.suite import Suite

    damages: list[str] = []
    sides = [difference.read_contents(path, damages.append) for path in (first, second)]
    found = difference.compare(Suite.locate(suite), *sides)
    for line in dict.fromkeys(damages):
        print(line, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(diff.as_data(found), indent=1, ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
        for part in diff.shown(found, str(first), str(second)):
            console.print(part, markup=False)
    raise typer.Exit(0 if found.is_empty and not damages else 1)


def write_html(suite: "Suite", store: "Store", local: bool, path: Path | None, damages: list[str]) -> Path:
    """Write the report as one HTML file and return its path; `path` may be a folder.

    damages: gets a line for each record that could not be used.
    """
    from clopbench.report import publication
    from clopbench.report.figures.attachments import LocalAttachments
    from clopbench.report.html import page
    from clopbench.results.records import write_atomic

    mine = publication.local_records(suite, store, damages.append) if local else None
    records = publication.published_records(suite) if mine is None else mine
    path = path or store.root
    if path.suffix != ".html":
        path = path / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page.report(suite, records, LocalAttachments(store) if local else None).encode())
    return path
