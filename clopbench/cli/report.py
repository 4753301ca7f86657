"""`bench report`: RESULTS.md and tables/* from the records, or all of it as one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clopbench.cli.options import Results, SuiteDir
from clopbench.cli.terminal import EXIT_FAILED, say, say_damages
from clopbench.errors import UserError, quantity

if TYPE_CHECKING:
    from clopbench.results.looks import RecordedLook
    from clopbench.results.records import Record, Store
    from clopbench.suite.suite import Suite


def report(
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TABLE…]", help="Only the folders of these tables; default: the whole report."),
    ] = None,
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
        Path | None,
        typer.Option(
            "--out",
            help="Where to write; default: the suite (the installed one: here). With --html: the file.",
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Name each file that was written.")] = False,
    suite: SuiteDir = None,
    results: Results = Path("results"),
) -> None:
    """Rewrite RESULTS.md and the tables' folders from the published records, or write them as one HTML page."""
    from clopbench.report import publication
    from clopbench.report.document import report as make_report
    from clopbench.report.figures.attachments import LocalAttachments
    from clopbench.report.looking import note
    from clopbench.results import looks as noted
    from clopbench.results.records import Store
    from clopbench.suite.finding import is_part_of_package
    from clopbench.suite.suite import Suite

    found, store = Suite.locate(suite), Store(results)
    damages: list[str] = []
    read_only = is_part_of_package(found.root)
    if publish and read_only:
        raise UserError(f"--publish: {found.root} came with the package; name a suite of your own (--suite)")
    if names and (html or publish):
        raise UserError(f"{'--html' if html else '--publish'}: is for all tables, so name none")
    if html:
        if check or publish:
            raise UserError("--html: only writes a page, so it cannot go with --check or --publish")
        records = {} if local else publication.published_records(found)
        say(f"wrote {_write_html(found, store, None if local else records, folder, damages)}")
        for line in publication.without_table(found, store if local else None, records):
            say(line)
        say_damages(damages)
        return
    if local and folder is None:
        raise UserError("--local: needs --out DIR, so that the published report is not overwritten")
    if check and publish:
        raise UserError("--check: changes nothing, so it cannot go with --publish")
    if publish:
        for line in publication.publish_store(found, store, damages.append):
            say(line)
    records = {} if local else publication.published_records(found)
    mine = publication.local_arms(found, store, damages.append) if local else None
    arms = publication.arms_by_scale(records) if mine is None else mine
    folder_of_looks = store.root if local else found.root / publication.PUBLISHED
    looks, problems = noted.read(folder_of_looks)
    damages += problems
    now: list[RecordedLook] = []
    document = make_report(
        found, arms, LocalAttachments(store) if local else None, looks, now.append, names or ()
    )
    target = folder or (Path.cwd() if read_only else found.root)
    if read_only and folder is None and not check:
        say(f"the installed suite's report goes into this folder: {target}")
    for line in publication.without_table(found, store if local else None, records):
        say(line)
    if check:
        drift = document.drift(target)
        for name in drift:
            say(f"differs from the records: {target / name}")
        if drift:
            raise typer.Exit(EXIT_FAILED)
        say("up to date with the records")
        return
    for look in now:
        # Of the package's own records nobody here has taken a look that was not published with them.
        damages += [] if read_only and not local else note(folder_of_looks, look, looks)
    written = document.write(target)
    for path in written if verbose else ():
        say(f"wrote {path}")
    say(_summary(len(written), len(document.texts) + len(document.pictures), target, names or ()))
    say_damages(damages)


def _summary(written: int, total: int, target: Path, names: "Sequence[str]") -> str:
    """What was written, in a line that says where to begin reading."""
    from clopbench.report import layout

    begin = target / (layout.page(names[0]) if names else layout.RESULTS)
    if not written:
        return f"up to date with the records: {quantity(total, 'file')}, first {begin}"
    others = "" if written == total else f" of {total}, the others are up to date"
    return f"wrote {quantity(written, 'file')}{others}: first {begin}"


def _write_html(
    suite: "Suite",
    store: "Store",
    records: "Mapping[str, Sequence[Record]] | None",
    path: Path | None,
    damages: list[str],
) -> Path:
    """Write the report as one HTML file and return its path; `path` may be a folder.

    records: by scale; None: those of the store. damages: gets a line for each record that could not be used.
    """
    from clopbench.report import publication
    from clopbench.report.figures.attachments import LocalAttachments
    from clopbench.report.html import page
    from clopbench.report.looking import note
    from clopbench.results import looks as noted
    from clopbench.results.records import write_atomic
    from clopbench.suite.finding import is_part_of_package

    local = records is None
    shown = publication.local_records(suite, store, damages.append) if records is None else records
    path = path or store.root
    if path.suffix != ".html":
        path = path / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = store.root if local else suite.root / publication.PUBLISHED
    looks, problems = noted.read(folder)
    damages += problems
    now: list[RecordedLook] = []
    text = page.report(suite, shown, LocalAttachments(store) if local else None, looks, now.append)
    for look in now:
        damages += [] if not local and is_part_of_package(suite.root) else note(folder, look, looks)
    write_atomic(path, text.encode())
    return path
