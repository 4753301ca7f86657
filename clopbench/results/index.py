"""Reading all records of a results folder at once, with a cache of what they hold.

results/index.parquet is only a cache: a row is used as long as all files of its cell have the same size and
modification time, and it can be deleted at any time.
"""

import contextlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from clopbench.results import embeddings
from clopbench.results.files import Unreadable, read_bytes, reason, shown
from clopbench.results.published import parquet_bytes
from clopbench.results.records import HISTORY, RECORD, SPECTRUM, DamagedRecord, Store, write_atomic

INDEX = "index.parquet"
MOST_BYTES = 2**32
STALE_SHARE = 0.01
"""The cache is written again once so many of its rows are new, changed or gone. Below, reading these once more
is cheaper, and `bench status --watch` does not write all records every few seconds while cells come in."""
FILES = (RECORD, HISTORY, SPECTRUM, embeddings.FILE)
INDEX_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("files", pa.string()),
        ("content", pa.string()),
        ("damage", pa.string()),
        ("beside", pa.string()),
        ("status", pa.string()),
        ("seconds", pa.float64()),
        ("views_per_second", pa.float64()),
        ("arm", pa.string()),
    ]
)
SHELF, CELL_ID = re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{16}")


class Entry(NamedTuple):
    """What is known of a cell without opening its folder: record.json's content, or why it is damaged.

    What plans and `bench status` ask of every cell stands apart, so that they need not parse all contents.
    """

    id: str
    """Of something that is no cell's folder: its path within the results folder."""
    files: str
    """Sizes and modification times of the cell's files."""
    text: str | None
    damage: str | None = None
    beside: str | None = None
    """What is wrong with a file that is no part of the record."""
    status: str = "damaged"
    seconds: float | None = None
    """What it cost, and its speed in training, where its provenance says so."""
    views_per_second: float | None = None
    arm: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Parsed anew each time: kept for all of a hundred thousand records it would fill gigabytes."""
        return json.loads(self.text) if self.text else {}


class Entries(dict[str, Entry]):
    """Cell id → its entry. A folder that may hold cells and cannot be looked into has an entry too."""

    def __init__(self, root: Path, found: Iterable[Entry]):
        super().__init__((entry.id, entry) for entry in found)
        self.root = root

    def get(self, key: str, default: Any = None) -> Any:
        """What is known of a cell: where the folder that would hold it cannot be looked into, that."""
        for name in (key, key[:2], os.curdir):
            if name in self:
                return self[name]
        return default

    def path(self, entry: Entry) -> Path:
        """Where the record is that an entry speaks of."""
        if CELL_ID.fullmatch(entry.id):
            return Store(self.root).record_path(entry.id)
        return self.root / entry.id

    @property
    def damages(self) -> list[str]:
        """'damaged: path: why' for everything that is."""
        return [line for entry in self.values() for line in self.damages_of(entry)]

    def damages_of(self, entry: Entry) -> list[str]:
        """What is damaged of one cell: its record, or the embeddings beside it."""
        lines = []
        if entry.damage is not None:
            lines.append(f"damaged: {shown(self.path(entry))}: {entry.damage}")
        if entry.beside is not None:
            lines.append(f"damaged: {shown(self.path(entry).with_name(embeddings.FILE))}: {entry.beside}")
        return lines


def scan(store: Store) -> Entries:
    """All cells of a store that have a record, by id. Reads only what changed since the last scan."""
    cached = _load(store.root / INDEX)
    rows: list[Entry] = []
    strange: list[Entry] = []
    fresh = 0
    for found in _folders(store.root):
        if isinstance(found, Entry):
            strange.append(found)
            continue
        cell_id, files = found
        row = cached.get(cell_id)
        if row is None or row.files != files:
            row = _examine(store, cell_id, files)
            fresh += 1
        rows.append(row)
    kept = len(rows) - fresh
    if max(len(rows), len(cached)) - kept > STALE_SHARE * len(rows):
        _save(store.root / INDEX, rows)
    return Entries(store.root, [*rows, *strange])


def holds_cells(root: Path) -> bool:
    """Whether a folder holds the folder of any cell. One that cannot be looked into may hold some."""
    try:
        with os.scandir(root) as shelves:
            names = sorted(shelf.name for shelf in shelves if SHELF.fullmatch(shelf.name))
        return any(CELL_ID.fullmatch(name) for shelf in names for name in os.listdir(root / shelf))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _folders(root: Path) -> Iterator[tuple[str, str] | Entry]:
    """Cells that have a record with what their files look like, and what should be a folder and is not."""
    for shelf in _listed(root, os.curdir):
        if isinstance(shelf, Entry):
            yield shelf
            continue
        if len(shelf.name) != 2:
            continue
        if not _is_folder(shelf):
            if SHELF.fullmatch(shelf.name):
                yield Entry(shelf.name, "", None, "something else in place of a folder of cells")
            continue
        for folder in _listed(root, shelf.name):
            if isinstance(folder, Entry):
                yield folder
                continue
            files = _files(folder.path)
            if files is None:
                continue
            if CELL_ID.fullmatch(folder.name) and folder.name.startswith(shelf.name):
                yield folder.name, files
            else:
                where = shown(os.path.join(shelf.name, folder.name, RECORD))
                yield Entry(where, files, None, "the name of its folder is no cell's id")


def _listed(root: Path, name: str) -> Iterator["os.DirEntry[str] | Entry"]:
    """What a folder holds, in order; where it cannot be looked into, an entry that says so."""
    try:
        with os.scandir(root / name) as found:
            yield from sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Entry(name, "", None, f"its cells cannot be looked at ({reason(error)})")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """True for what can hold cells; also for a link to itself, which is then found to be damaged."""
    try:
        return entry.is_dir()
    except OSError:
        return True


def _files(folder: str) -> str | None:
    """Sizes and modification times of a cell's files; None where there is no record of any kind."""
    marks = []
    for name in FILES:
        path = os.path.join(folder, name)
        try:
            found = os.stat(path)
            marks.append(f"{found.st_size}@{found.st_mtime_ns}")
        except (FileNotFoundError, NotADirectoryError):
            # A link that leads nowhere is not nothing: somebody's record was there.
            if name == RECORD and not os.path.lexists(path) and not _is_strange(folder):
                return None
            marks.append("")
        except OSError as error:
            marks.append(reason(error))
    return " ".join(marks)


def _is_strange(folder: str) -> bool:
    """True where a cell's folder is taken by something else."""
    return CELL_ID.fullmatch(Path(folder).name) is not None and not Path(folder).is_dir()


def _examine(store: Store, cell_id: str, files: str) -> Entry:
    try:
        content = store.content(cell_id)
    except DamagedRecord as damage:
        return Entry(cell_id, files, None, str(damage))
    if content is None:
        strange = _is_strange(os.fspath(store.folder(cell_id)))
        what = "its folder is a link that leads nowhere" if strange else "vanished while it was read"
        return Entry(cell_id, files, None, what)
    beside = embeddings.problem(store.folder(cell_id) / embeddings.FILE)
    cost = content["provenance"]
    pace = (cost.get("seconds"), cost.get("views_per_second"))
    return Entry(cell_id, files, json.dumps(content), None, beside, content["status"], *pace, content["arm"])


def _load(path: Path) -> dict[str, Entry]:
    try:
        content = io.BytesIO(read_bytes(path, MOST_BYTES))
        table = pq.read_table(content, page_checksum_verification=True)
        if table.schema != INDEX_SCHEMA:  # Of an earlier version.
            return {}
        columns = [column.to_pylist() for column in table.columns]
    except (FileNotFoundError, Unreadable, OSError, pa.ArrowException, ValueError, MemoryError):
        return {}
    return {row[0]: Entry(*row) for row in zip(*columns, strict=True)}


def _save(path: Path, rows: Iterable[Entry]) -> None:
    columns = list(zip(*rows, strict=True)) or [()] * len(INDEX_SCHEMA.names)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, INDEX_SCHEMA, strict=True)], INDEX_SCHEMA)
    with contextlib.suppress(OSError):  # A results folder that cannot be written can still be read.
        write_atomic(path, parquet_bytes(table, write_page_checksum=True))
