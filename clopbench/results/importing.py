"""Records that were made elsewhere become records of a results folder, so that a run skips their cells."""

from collections.abc import Iterator
from pathlib import Path

from clopbench.errors import UserError
from clopbench.results.index import INDEX, read_published, scan
from clopbench.results.records import Record, Store


def import_records(path: Path, store: Store) -> tuple[int, int]:
    """Write the results of `path` that `store` does not have. Returns how many are new, and how many it had.

    path: a file of published records, a folder of such files, or another results folder. A record here that is
    only a failure gives way; a result or a damaged record stays as it is. Raises UserError where there is
    nothing to import, or where a record cannot be trusted: then nothing is written.
    """
    records = [record for record in _records(path) if record.is_result]
    if not records:
        raise UserError(f"{path}: no results to import")
    store.ensure_writable()
    known = {cell_id for cell_id, entry in scan(store).items() if entry.status != "failed"}
    new = [record for record in records if record.cell.id not in known]
    for record in new:
        store.write(record)
    return len(new), len(records) - len(new)


def _records(path: Path) -> Iterator[Record]:
    if path.is_file():
        yield from read_published(path)
        return
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    files = [file for file in sorted(path.glob("*.parquet")) if file.name != INDEX]
    if files:
        for file in files:
            yield from read_published(file)
        return
    other = Store(path)
    for cell_id, entry in scan(other).items():
        if entry.damage is not None:
            raise UserError(f"{other.record_path(cell_id)}: {entry.damage}")
        record = other.read(cell_id)
        if record is not None:
            yield record
