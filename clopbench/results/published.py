"""Published record files: one row per cell, with its whole record, history and spectrum.

Those in results/published/ are the committed records behind RESULTS.md; others hand results on.
"""

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clopbench.errors import UserError
from clopbench.results.files import Unreadable, parse_json, read_bytes, shown
from clopbench.results.records import DamagedRecord, Record, up_to_date, write_atomic

MOST_BYTES = 2**32
ROWS = 64
"""So many are unpacked at a time: a file of a megabyte may hold the same long text a million times."""
COLUMNS = ("record", "history", "spectrum")


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
    write_atomic(path, parquet_bytes(pa.table(columns)))


def parquet_bytes(table: pa.Table, write_page_checksum: bool = False) -> bytes:
    """The table as a Parquet file, with or without a checksum of each page."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=write_page_checksum)
    return sink.getvalue().to_pybytes()


def read_published(path: Path) -> list[Record]:
    """The records of a published file. Raises UserError naming the file where one cannot be trusted."""
    return [record for _, record in _trusted(path)]


def published_contents(path: Path) -> dict[str, dict[str, Any]]:
    """Cell id → what its record.json would hold, for the records of a published file. Raises UserError."""
    return {content["id"]: up_to_date(content, record) for content, record in _trusted(path)}


def sound_records(path: Path) -> Iterator[Record | str]:
    """The records of a published file, and in place of those that cannot be trusted why not."""
    for found in _rows(path):
        yield found if isinstance(found, str) else found[1]


def _trusted(path: Path) -> Iterator[tuple[dict[str, Any], Record]]:
    for found in _rows(path):
        if isinstance(found, str):
            raise UserError(f"damaged: {shown(path)}: {found}")
        yield found


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], Record] | str]:
    """Each record with its content as read, or why it is none; the last word is on the file itself."""
    known: set[str] = set()
    number = 0
    try:
        file = pq.ParquetFile(io.BytesIO(read_bytes(path, MOST_BYTES)))
        for batch in file.iter_batches(ROWS, columns=list(COLUMNS), use_threads=False):
            for row in batch.to_pylist():
                number += 1
                found = _row(row, known)
                yield f"row {number}: {found}" if isinstance(found, str) else found
    except FileNotFoundError:
        yield "no such file"
    except Unreadable as damage:
        yield f"not a file of published records ({damage})"
    # Of a file that was made to mislead: what its pages hold need not be what its columns promise.
    except (OSError, pa.ArrowException, KeyError, ValueError, MemoryError, OverflowError) as error:
        yield f"not a file of published records ({' '.join(str(error).split())})"


def _row(row: dict[str, Any], known: set[str]) -> tuple[dict[str, Any], Record] | str:
    try:
        if not all(
            isinstance(row.get(name), kind) for name, kind in zip(COLUMNS, (str, str, list), strict=True)
        ):
            raise DamagedRecord(f"columns {', '.join(COLUMNS)} must be text, text and a list of numbers")
        content = parse_json(row["record"])
        if not isinstance(content, dict):
            raise DamagedRecord("not the content of a record")
        record = Record.from_json(content, row["history"], tuple(row["spectrum"]))
        if record.cell.id in known:
            raise DamagedRecord(f"cell {record.cell.id} is there twice")
    except (DamagedRecord, Unreadable) as damage:
        return str(damage)
    known.add(record.cell.id)
    return content, record
