"""What differs between two sets of records: cell by cell, then in the numbers and claims of the tables.

Cells are compared by their results alone (`Record.result_digest`): who ran them, where and how fast does not
count. Two records of a cell with equal digests came to the same bits.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clopbench.errors import UserError
from clopbench.report import origin
from clopbench.report.claims.tested import Claim
from clopbench.report.formats import wording
from clopbench.report.observations import Number, group_by_arm
from clopbench.report.tables import Table, build_table, judge_together
from clopbench.results.files import is_folder, shown
from clopbench.results.index import INDEX, scan
from clopbench.results.looks import RecordedLook
from clopbench.results.published import sound_records
from clopbench.results.records import RESULT_STATUSES, Store
from clopbench.suite.suite import Suite

Content = Mapping[str, Any]
"""What a record.json holds; of a damaged one its id, and what the damage is."""

NO_TABLE = "in no table"


@dataclass(frozen=True)
class CellDifference:
    """A cell that is not the same on both sides; `kind`: changed, only in A, only in B."""

    id: str
    seed: int | None
    place: str
    kind: str
    statuses: tuple[str | None, str | None]
    metrics: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """The metrics that differ, as they are in A and in B."""
    beside: str = ""
    """What else differs: the pairing, or the history or spectrum where nothing more is known; damage; then
    the code that came to it."""


@dataclass(frozen=True)
class TableDifference:
    """A value of a table that differs; `what`: mean, n, verdict, adjusted p …"""

    table: str
    scale: str
    place: str
    what: str
    first: float | str | None
    second: float | str | None


@dataclass(frozen=True)
class Difference:
    """All that differs. same: cells with equal bits on both sides."""

    sizes: tuple[int, int]
    same: int
    cells: Sequence[CellDifference]
    tables: Sequence[TableDifference]
    families: Mapping[str, tuple[int, int]]
    """Scale → over how many claims the verdicts are corrected, in A and in B."""
    left_out: Mapping[str, Mapping[str, int]]
    """'only in A' or 'only in B' → table → cells, where only what both have is compared."""
    code: Mapping[str, int]
    """'engine A → B' or 'suite A → B' → between how many cells that both have, their numbers equal or not."""

    @property
    def is_empty(self) -> bool:
        return not self.cells and not self.tables

    def count(self, kind: str) -> int:
        return sum(cell.kind == kind for cell in self.cells)


def read_contents(path: Path, tell: Callable[[str], object] = lambda _: None) -> dict[str, Content]:
    """Cell id → content, from a file of published records, a folder of them, or a results folder.

    tell: hears 'damaged: path: why' of what cannot be trusted; of a results folder it is also among the cells,
    with status 'damaged'. Raises UserError where there is no such thing, or no record in it.
    """
    if is_folder(path):
        files = [file for file in sorted(path.glob("*.parquet")) if file.name != INDEX]
    elif os.path.lexists(path):
        files = [path]
    else:
        raise UserError(f"{shown(path)}: no such results folder or file of published records")
    found: dict[str, Content] = {}
    damages: list[str] = []
    for file in files:
        for record in sound_records(file):
            if isinstance(record, str):
                damages.append(f"damaged: {shown(file)}: {record}")
            else:
                found[record.cell.id] = record.to_json()
    if is_folder(path):
        entries = scan(Store(path))
        damages += entries.damages
        for entry in entries.values():
            found[entry.id] = entry.content or {"id": entry.id, "status": "damaged", "damage": entry.damage}
    if not found:
        raise UserError(damages[0] if damages else f"{shown(path)}: holds no records")
    for line in damages:
        tell(line)
    return found


def compare(
    suite: Suite,
    first: Mapping[str, Content],
    second: Mapping[str, Content],
    looks: tuple[Sequence[RecordedLook], Sequence[RecordedLook]] = ((), ()),
    names: Sequence[str] = (),
    common: bool = False,
) -> Difference:
    """Compare two sets of records, and the tables that each of them fills. looks: those taken at either.

    names: only these tables and their cells (verdicts are those of the whole family all the same). common: only
    the cells that both have; what only one has is counted. Raises UserError for a table that does not exist.
    """
    sizes = len(first), len(second)
    shown = {arm: name for name, arm in (_arms(suite, names) if names or common else ())}
    left_out: dict[str, dict[str, int]] = {}
    if common:
        for kind, one, other in (("only in A", first, second), ("only in B", second, first)):
            alone = [content.get("arm", "") for id, content in one.items() if id not in other]
            wanted = [arm for arm in alone if arm in shown or not names]
            left_out[kind] = dict(Counter(shown.get(arm, NO_TABLE) for arm in wanted))
        first, second = (
            {id: content for id, content in one.items() if id in other}
            for one, other in ((first, second), (second, first))
        )
    pairs = [pair for pair in _tables(suite, first, second, looks) if not names or pair[0].name in names]
    if names:
        ids = {id for one in (first, second) for id, content in one.items() if content.get("arm") in shown}
        first, second = ({id: one[id] for id in one if id in ids} for one in (first, second))
    places: dict[str, str] = {}
    for table in (table for pair in pairs for table in pair):
        for number in table.numbers:
            for cell in number.cells:  # A cell that several tables share is named by the first.
                name = wording.name(table, number.coordinates)
                places.setdefault(cell.id, f"{table.name} {table.scale.name}: {name}")
    cells = []
    for cell_id in sorted(
        first.keys() | second.keys(), key=lambda cell_id: (places.get(cell_id, "~"), cell_id)
    ):
        found = _cell(cell_id, places.get(cell_id, NO_TABLE), first.get(cell_id), second.get(cell_id))
        cells.extend([found] if found else [])
    shared = first.keys() & second.keys()
    changed = sum(cell.kind == "changed" for cell in cells)
    tables = [found for pair in pairs for found in _table(*pair)]
    families = {one.scale.name: (one.family, other.family) for one, other in pairs}
    code = dict(Counter(line for id in shared for line in _code(first[id], second[id])))
    same = len(shared) - changed
    return Difference(sizes, same, cells, tables, families, left_out, code)


def _arms(suite: Suite, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(table, arm) for the named tables, or all, at every scale; the first table that has an arm comes last."""
    for name in reversed(list(names) or suite.table_names()):
        for scale in suite.scale_names():
            for entry in suite.benchmark(suite.table(name).benchmark, scale).entries:
                yield name, entry.template.arm


def _cell(cell_id: str, place: str, first: Content | None, second: Content | None) -> CellDifference | None:
    present = [content for content in (first, second) if content is not None]
    seed = next((content["seed"] for content in present if "seed" in content), None)
    statuses = (first["status"] if first else None, second["status"] if second else None)
    if first is None or second is None:
        kind = "only in A" if second is None else "only in B"
        return CellDifference(cell_id, seed, place, kind, statuses)
    damages = [content["damage"] for content in present if "damage" in content]
    if not damages and first["result_digest"] == second["result_digest"]:
        return None
    one, other = first.get("metrics", {}), second.get("metrics", {})
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    metrics = {} if damages else {name: (one.get(name), other.get(name)) for name in names}
    beside = "; ".join(damages)
    if not damages and first["pairing"] != second["pairing"]:
        beside = "pairing differs"
    elif not damages and not metrics and statuses[0] == statuses[1]:
        beside = "history or spectrum differs"
    beside = "; ".join(filter(None, [beside, *_code(first, second)]))
    return CellDifference(cell_id, seed, place, "changed", statuses, metrics, beside)


def _code(first: Content, second: Content) -> list[str]:
    """How the code differs that two records come from; of damaged ones it is not known."""
    if "damage" in first or "damage" in second:
        return []
    return origin.differences(first["provenance"], second["provenance"])


def _tables(
    suite: Suite,
    first: Mapping[str, Content],
    second: Mapping[str, Content],
    looks: tuple[Sequence[RecordedLook], Sequence[RecordedLook]],
) -> Iterator[tuple[Table, Table]]:
    """Each table at each scale for which one of the sides has a result, as both fill it."""
    sides = [
        group_by_arm(content for content in contents.values() if content["status"] in RESULT_STATUSES)
        for contents in (first, second)
    ]
    for scale in suite.scale_names():
        built: list[list[Table]] = [[], []]
        for name in suite.table_names():
            declaration = suite.table(name)
            benchmark = suite.benchmark(declaration.benchmark, scale)
            pair = [build_table(name, declaration, benchmark, arms) for arms in sides]
            if any(table.cells for table in pair):
                for tables, table in zip(built, pair, strict=True):
                    tables.append(table)
        yield from zip(*map(judge_together, built, looks), strict=True)


def _table(first: Table, second: Table) -> Iterator[TableDifference]:
    for one, other in zip(first.numbers, second.numbers, strict=True):
        yield from _changes(first, wording.name(first, one.coordinates), _number(one), _number(other))
    for claim, other in zip(first.claims, second.claims, strict=True):
        sides = [
            {
                "verdict": side.text,
                "p": side.verdict.p,
                "adjusted p": side.verdict.adjusted,
                "estimate": _estimate(side),
            }
            for side in (claim, other)
        ]
        yield from _changes(first, claim.declaration.text, *sides)


def _number(number: Number) -> dict[str, Any]:
    return {
        "mean": number.summary.mean if number.summary else None,
        "n": number.summary.n if number.summary else 0,
        "collapsed": number.count("collapsed"),
        "diverged": number.count("diverged"),
        "verdict": number.verdict.verdict,
    }


def _estimate(claim: Claim) -> float | None:
    return claim.weakest[1].estimate if claim.weakest else None


def _changes(
    table: Table, place: str, first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[TableDifference]:
    for what, value in first.items():
        if value != second[what]:
            yield TableDifference(table.name, table.scale.name, place, what, value, second[what])
