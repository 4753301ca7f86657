"""`bench show`: a table from the records at hand, or one cell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clopbench.cli.options import Against, Asked, Folders, Json, Methods, Scale
from clopbench.cli.terminal import console, print_json, say, warn
from clopbench.errors import UserError

FULL = 64
"""Digits of a commit or a hash: all."""


def show(
    *,
    what: Annotated[
        list[str],
        typer.Argument(metavar="TABLE|CELL [key=value …]", help="A table, or the first digits of a cell's id."),
    ],
    seeds: Annotated[str | None, typer.Option(help="Seeds of the table; default: all recorded.")] = None,
    scale: Scale = "laptop",
    method: Methods = [],
    against: Against = [],
    folders: Folders,
    as_json: Json = False,
) -> None:
    """Show a table from the records at hand, or everything about one cell."""
    from clopbench.cli.request import Request
    from clopbench.report.signs import of_cell
    from clopbench.suite.suite import Suite

    if what[0] in Suite.locate(folders.suite).benchmark_names():
        request = Request(
            Asked(tables=what, seeds=seeds, scale=scale, method=method, against=against, folders=folders)
        )
        if as_json:
            print_json(request.table_rows())
        else:
            request.show_tables(console())
        for line in request.damages:
            (warn if as_json else say)(line)
        return
    content = _cell_content(folders.results, what[0])
    signs = dict(of_cell(Suite.locate(folders.suite), content["metrics"]))
    if as_json:
        print_json(content | {"signs_of_failure": signs})
    else:
        _say_cell(folders.results, content, signs)


def _cell_content(results: Path, prefix: str) -> dict[str, Any]:
    """The record of the one cell whose id starts with `prefix`. Raises UserError for none or several."""
    from clopbench.results.files import shown
    from clopbench.results.records import DamagedRecord, Store

    store = Store(results)
    ids = store.find(prefix)
    if len(ids) != 1:
        found = f"{len(ids)} cells ({', '.join(map(shown, ids[:5]))} …)" if ids else "no table and no cell"
        raise UserError(f"'{prefix}': {found} of that name in {results}")
    try:
        record = store.read(ids[0])
    except DamagedRecord as damage:
        raise UserError(f"damaged: {shown(store.record_path(ids[0]))}: {damage}") from None
    if record is None:
        raise UserError(f"cell {ids[0]} has not ended yet; its log is {store.folder(ids[0]) / 'run.log'}")
    return record.to_json()


def _provenance(found: Mapping[str, Any]) -> dict[str, Any]:
    """A record's provenance, with the two that code comes from in words, first."""
    from clopbench.report import origin

    rest = {key: value for key, value in found.items() if key not in ("engine", "commit", "dirty")}
    return {"engine": origin.engine(found, FULL), "suite": origin.suite(found, FULL), **rest}


def _say_cell(results: Path, content: Mapping[str, Any], signs: Mapping[str, str]) -> None:
    """Status, metrics, configuration and provenance, one value per line."""
    from clopbench.identity import flatten
    from clopbench.results.records import Store

    say(f"cell {content['id']}  {content['status']}")
    sections = {
        "notes": content["notes"],
        "failure": content["failure"] or {},
        "metrics": content["metrics"],
        "signs of failure": signs if content["metrics"] else {},
        "config": flatten(content["config"]),
        "provenance": _provenance(content["provenance"]),
    }
    for title, values in sections.items():
        if values:
            say(f"{title}:")
        for key, value in values.items():
            first, *more = [f"{value:.6g}"] if isinstance(value, float) else str(value).splitlines() or [""]
            say(f"  {key}: {first}")
            for line in more:
                say(f"    {line}")
    say(f"folder: {Store(results).folder(content['id'])}")
