"""`bench diff`: two sets of records, cell by cell and table by table."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clopbench.cli.options import Json, SuiteDir
from clopbench.cli.terminal import EXIT_FAILED, console, grid, print_json, say, say_damages
from clopbench.errors import quantity

if TYPE_CHECKING:
    from rich.table import Table as Grid

    from clopbench.report.difference import CellDifference, Difference, TableDifference

MOST_LINES = 40
MOST_METRICS = 3


def diff(
    *,
    first: Annotated[Path, typer.Argument(metavar="A", help="A results folder, or published records.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLE…]", help="Only these tables; default: all.")
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare the cells that both have, and count the others.")
    ] = False,
    suite: SuiteDir = None,
    as_json: Json = False,
) -> None:
    """Compare two sets of records cell by cell and table by table; exit 1 if they differ."""
    from clopbench.report import difference
    from clopbench.results import looks as noted
    from clopbench.suite.suite import Suite

    damages: list[str] = []
    sides = [difference.read_contents(path, damages.append) for path in (first, second)]
    looks = [noted.read(noted.beside(path)) for path in (first, second)]
    for _, problems in looks:
        damages += problems
    found = difference.compare(
        Suite.locate(suite), *sides, looks=(looks[0][0], looks[1][0]), names=names or (), common=common
    )
    if as_json:
        print_json({"equal": found.is_empty, **asdict(found)})
    else:
        out = console(160)
        for part in _shown(found, str(first), str(second)):
            if isinstance(part, str):
                say(part)
            else:
                out.print(part)
    say_damages(damages, as_json)
    raise typer.Exit(0 if found.is_empty else EXIT_FAILED)


def _shown(found: "Difference", first: str, second: str) -> "Iterator[str | Grid]":
    """A headline, then tables of the cells and of the values that differ."""
    from clopbench.report.formats import wording

    yield f"A: {first}: {quantity(found.sizes[0], 'cell')}; B: {second}: {quantity(found.sizes[1], 'cell')}"
    counts = ", ".join(f"{found.count(kind)} {kind}" for kind in ("changed", "only in A", "only in B"))
    yield f"{found.same} the same to the bit, {counts}; {len(found.tables)} values of tables differ"
    for kind, by_table in found.left_out.items():
        named = ", ".join(f"{table} {count}" for table, count in sorted(by_table.items()))
        named = f" ({named})" if named else ""
        yield f"{kind}, not compared: {quantity(sum(by_table.values()), 'cell')}{named}"
    for scale, counts in found.families.items():
        a, b = map(wording.family, counts)
        yield f"claims at scale {scale}: A: {a}; B: {b}"
    for line, count in found.code.items():
        yield f"{line}: {quantity(count, 'cell')}"
    if found.cells:
        yield _table(["cell", "seed", "where", "A → B"], [_cell(cell) for cell in found.cells])
    if found.tables:
        head = ["table", "scale", "where", "value", "A", "B", "B − A"]
        yield _table(head, [_value(difference) for difference in found.tables])
    if max(len(found.cells), len(found.tables)) > MOST_LINES:
        yield "--json lists all of them"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> "Grid":
    more = [[f"… {len(lines) - MOST_LINES} more"]] if len(lines) > MOST_LINES else []
    return grid(head, [*lines[:MOST_LINES], *more])


def _cell(cell: "CellDifference") -> list[str]:
    return [cell.id, "–" if cell.seed is None else str(cell.seed), cell.place, "; ".join(_what(cell))]


def _what(cell: "CellDifference") -> Iterator[str]:
    one, other = cell.statuses
    if cell.kind != "changed":
        yield f"{cell.kind} ({one or other})"
        return
    if one != other:
        yield f"{one} → {other}"
    for name in list(cell.metrics)[:MOST_METRICS]:
        before, after = cell.metrics[name]
        yield f"{name} {_text(before)} → {_text(after)}{_change(before, after)}"
    if len(cell.metrics) > MOST_METRICS:
        yield f"{len(cell.metrics) - MOST_METRICS} more metrics"
    if cell.beside:
        yield cell.beside


def _value(found: "TableDifference") -> list[str]:
    change = _change(found.first, found.second).strip(" ()")
    return [found.table, found.scale, found.place, found.what, _text(found.first), _text(found.second), change]


def _text(value: float | str | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.6g}".replace("-", "−")


def _change(before: float | str | None, after: float | str | None) -> str:
    """' (+0.0028)' where both are numbers."""
    if isinstance(before, int | float) and isinstance(after, int | float):
        return f" ({after - before:+.3g})".replace("-", "−")
    return ""
