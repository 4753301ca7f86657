"""Reading many records at once: the index cache of a results folder, and published record files.

results/index.parquet is only a cache: a row is used as long as its record.json has the same size and
modification time, and the file can be deleted at any time. results/published/*.parquet are the committed
records behind RESULTS.md: one row per cell with the whole record, history and spectrum.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from clopbench.errors import UserError
from clopbench.results.records import DamagedRecord, Record, Store, up_to_date, write_atomic

INDEX = "index.parquet"
STALE_SHARE = 0.01
"""The cache is written again once so many of its rows are new, changed or gone. Below, reading these once more
is cheaper, and `bench status --watch` does not write all records every few seconds while cells come in."""
INDEX_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("mtime_ns", pa.int64()),
        ("size", pa.int64()),
        ("content", pa.string()),
        ("damage", pa.string()),
        ("status", pa.string()),
        ("seconds", pa.float64()),
        ("views_per_second", pa.float64()),
    ]
)


class Entry(NamedTuple):
    """What is known of a cell without opening its folder: record.json's content, or why it is damaged.

    What plans and `bench status` ask of every cell stands apart, so that they need not parse all contents.
    """

    id: str
    mtime_ns: int
    size: int
    text: str | None
    damage: str | None = None
    status: str = "damaged"
    seconds: float | None = None
    """What it cost, and its speed in training, where its provenance says so."""
    views_per_second: float | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Parsed anew each time: kept for all of a hundred thousand records it would fill gigabytes."""
        return json.loads(self.text) if self.text else {}


def scan(store: Store) -> dict[str, Entry]:
    """All cells of a store that have a record, by id. Reads only what changed since the last scan."""
    cached = _load(store.root / INDEX)
    rows: list[Entry] = []
    fresh = 0
    for cell_id, stat in _record_files(store.root):
        row = cached.get(cell_id)
        if row is None or (row.mtime_ns, row.size) != (stat.st_mtime_ns, stat.st_size):
            row = _examine(store, cell_id, stat)
            fresh += 1
        rows.append(row)
    kept = len(rows) - fresh
    if max(len(rows), len(cached)) - kept > STALE_SHARE * len(rows):
        _save(store.root / INDEX, rows)
    return {row.id: row for row in rows}


def _record_files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    if not root.is_dir():
        return
    for shelf in sorted(entry.path for entry in os.scandir(root) if len(entry.name) == 2):
        for folder in os.scandir(shelf):
            try:
                yield folder.name, os.stat(os.path.join(folder.path, "record.json"))
            except (FileNotFoundError, NotADirectoryError):
                continue


def _examine(store: Store, cell_id: str, stat: os.stat_result) -> Entry:
    seen = (cell_id, stat.st_mtime_ns, stat.st_size)
    try:
        content = store.content(cell_id)
    except DamagedRecord as damage:
        return Entry(*seen, None, str(damage))
    if content is None:
        return Entry(*seen, None, "vanished while it was read")
    cost = content["provenance"]
    return Entry(
        *seen, json.dumps(content), None, content["status"], cost.get("seconds"), cost.get("views_per_second")
    )


def _load(path: Path) -> dict[str, Entry]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return {}
    if table.schema != INDEX_SCHEMA:  # Of an earlier version.
        return {}
    columns = [column.to_pylist() for column in table.columns]
    return {row[0]: Entry(*row) for row in zip(*columns, strict=True)}


def _save(path: Path, rows: Iterable[Entry]) -> None:
    columns = list(zip(*rows, strict=True)) or [()] * len(INDEX_SCHEMA.names)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, INDEX_SCHEMA, strict=True)], INDEX_SCHEMA)
    with contextlib.suppress(OSError):  # A results folder that cannot be written can still be read.
        write_atomic(path, _parquet_bytes(table))


def _parquet_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def publish(records: Iterable[Record], path: Path) -> None:
    """Write records to a published file, sorted by id, so that equal records give equal bytes."""
    ordered = sorted(records, key=lambda record: record.cell.id)
    names = sorted({name for record in ordered for name in record.metrics})
    columns: dict[str, list[Any]] = {
        "id": [r.cell.id for r in ordered],
        "arm": [r.cell.arm for r in ordered],
        "seed": [r.cell.seed for r in ordered],
        "method": [r.cell.method.name for r in ordered],
        "status": [r.status for r in ordered],
        **{name: [r.metrics.get(name) for r in ordered] for name in names},
        "record": [json.dumps(r.to_json(), sort_keys=True) for r in ordered],
        "history": [r.history for r in ordered],
        "spectrum": [list(r.spectrum) for r in ordered],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, _parquet_bytes(pa.table(columns)))


def read_published(path: Path) -> list[Record]:
    """The records of a published file. Raises UserError naming the file where one cannot be trusted."""
    return [record for _, record in _published(path)]


def published_contents(path: Path) -> dict[str, dict[str, Any]]:
    """Cell id → what its record.json would hold, for the records of a published file. Raises UserError."""
    return {content["id"]: up_to_date(content, record) for content, record in _published(path)}


def _published(path: Path) -> Iterator[tuple[dict[str, Any], Record]]:
    """Each record of a published file, with its content as read."""
    try:
        table = pq.read_table(path, columns=["record", "history", "spectrum"])
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(f"{path}: not a file of published records ({error})") from None
    for row in table.to_pylist():
        try:
            content = json.loads(row["record"])
            record = Record.from_json(content, row["history"], tuple(row["spectrum"]))
        except (DamagedRecord, ValueError, KeyError) as damage:
            raise UserError(f"{path}: damaged record: {damage}") from None
        yield content, record
