"""`bench export`: the numbers of tables for other programs, and tables to be pasted."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clopbench.cli.options import Against, Asked, Folders, Methods, Scale
from clopbench.cli.terminal import say, warn
from clopbench.errors import UserError, quantity, unknown


def export(
    *,
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLE… [key=value …]]", help="Tables, and overrides.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every table that has records.")] = False,
    to: Annotated[str, typer.Option("--to", help="csv, parquet or json: a row for each cell and metric; "
                                    "latex or markdown: the table.")],
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default: standard output.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Take the published records, not the results folder.")
    ] = False,
    seeds: Annotated[str | None, typer.Option(help="Seeds of the tables; default: all recorded.")] = None,
    scale: Scale = "laptop",
    method: Methods = [],
    against: Against = [],
    folders: Folders,
) -> None:  # fmt: skip
    """Write tables as tidy data (csv, parquet, json), or as they are pasted (latex, markdown)."""
    from clopbench.cli.request import Request
    from clopbench.report.formats.tidy import FORMATS
    from clopbench.suite.declared import EVERYTHING

    words = list(tables or [])
    if to not in FORMATS:
        raise UserError(f"--to: {unknown('format', to, FORMATS)}")
    if everything and any("=" not in word for word in words):
        raise UserError("--all: means every table, so name none beside it")
    if out is None and to == "parquet":
        raise UserError("--to parquet: is no text; --out FILE says where it goes")
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise UserError(f"--out: {out} is a folder" if out.is_dir() else f"--out: no folder {out.parent}")
    request = Request(
        Asked(
            tables=[EVERYTHING, *words] if everything else words,
            seeds=seeds, scale=scale, method=method, against=against, folders=folders,
        )
    )  # fmt: skip
    filled = [table for table in request.tables(published, local=not published) if table.cells]
    for line in request.damages:
        warn(line)
    if not filled:
        where = "the published records" if published else str(folders.results)
        names = ", ".join(benchmark.name for benchmark in request.benchmarks)
        raise UserError(f"no results of {names} at scale {request.scale} in {where}")
    content = FORMATS[to](filled, request.contents)
    if out is None:
        sys.stdout.write(content.decode())
        return
    _write(out, content)
    say(f"wrote {out}: {quantity(len(filled), 'table')}")


def _write(path: Path, content: bytes) -> None:
    """All of the file or nothing. Raises UserError where it cannot be written."""
    from clopbench.results.files import reason
    from clopbench.results.records import write_atomic

    try:
        write_atomic(path, content)
    except OSError as error:
        raise UserError(f"--out: {path} cannot be written: {reason(error)}") from None
