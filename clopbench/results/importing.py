"""Records that were made elsewhere become records of a results folder, so that a run skips their cells."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clopbench.errors import UserError
from clopbench.results import looks as noted
from clopbench.results.files import is_folder, reason, shown
from clopbench.results.index import INDEX, scan
from clopbench.results.published import sound_records
from clopbench.results.records import DamagedRecord, Record, Store


class Imported(NamedTuple):
    """How many results are new, how many were there, and a line on each record that could not be taken over.

    looks: how many looks at claims came with them.
    """

    new: int
    known: int
    damages: list[str]
    looks: int = 0


def import_records(path: Path, store: Store) -> Imported:
    """Write the results of `path` that `store` does not have.

    path: a file of published records, a folder of such files, or another results folder. A record here that is
    only a failure gives way; a result or a damaged record stays as it is. What cannot be trusted is left out.
    Raises UserError where there is nothing to import.
    """
    found = list(_records(path))
    damages = [one for one in found if isinstance(one, str)]
    records = [one for one in found if isinstance(one, Record) and one.is_result]
    if not records and not (damages and is_folder(path)):
        raise UserError(damages[0] if damages else f"{shown(path)}: no results to import")
    if not records:
        return Imported(0, 0, damages)
    store.ensure_writable()
    here = scan(store)
    entries = {record.cell.id: here.get(record.cell.id) for record in records}
    known = {cell_id for cell_id, entry in entries.items() if entry is not None and entry.status != "failed"}
    new = [record for record in records if record.cell.id not in known]
    for record in new:
        try:
            store.write(record)
        except OSError as error:
            raise UserError(f"{shown(store.folder(record.cell.id))}: not written: {reason(error)}") from None
    # Whose records these are has seen what they say of the claims.
    looks, unread = noted.read(noted.beside(path))
    return Imported(len(new), len(records) - len(new), [*damages, *unread], noted.add(store.root, looks))


def _records(path: Path) -> Iterator[Record | str]:
    """The records at a path; in place of what cannot be trusted 'damaged: path: why'."""
    if is_folder(path):
        files = [file for file in sorted(path.glob("*.parquet")) if file.name != INDEX]
        for file in files:
            yield from _of_file(file)
        if not files:
            yield from _of_store(Store(path))
    elif os.path.lexists(path):
        yield from _of_file(path)
    else:
        raise UserError(f"{shown(path)}: no such file or folder")


def _of_file(path: Path) -> Iterator[Record | str]:
    for found in sound_records(path):
        yield f"damaged: {shown(path)}: {found}" if isinstance(found, str) else found


def _of_store(store: Store) -> Iterator[Record | str]:
    entries = scan(store)
    yield from entries.damages
    for entry in entries.values():
        if entry.damage is None:
            try:
                record = store.read(entry.id)
            except DamagedRecord as damage:  # Since it was looked at a moment ago.
                yield f"damaged: {shown(entries.path(entry))}: {damage}"
            else:
                yield from [record] if record is not None else []
