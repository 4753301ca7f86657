"""Which records a report is made of: results/published/<scale>.parquet, or a results folder."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clopbench.errors import quantity
from clopbench.report.figures.attachments import PUBLISHED, cells_to_embed, publish_embeddings
from clopbench.report.observations import Arms, group_by_arm
from clopbench.results import looks as noted
from clopbench.results import published, undeclared
from clopbench.results.files import shown
from clopbench.results.index import Entry, scan
from clopbench.results.published import publish, read_published
from clopbench.results.records import RESULT_STATUSES, DamagedRecord, Record, Store
from clopbench.suite.suite import Suite

Tell = Callable[[str], object]
"""Who is told 'damaged: path: why' of each record that cannot be trusted, and is left out."""


def _nobody(_: str) -> None:
    pass


def published_contents(suite: Suite, scale: str) -> dict[str, dict[str, Any]]:
    """Cell id → what its record.json holds, for the published records of a scale (none: empty)."""
    path = suite.root / PUBLISHED / f"{scale}.parquet"
    return published.published_contents(path) if os.path.lexists(path) else {}


def published_records(suite: Suite) -> dict[str, list[Record]]:
    """Scale → the records of its published file. Raises UserError where a file is damaged."""
    return {path.stem: read_published(path) for path in sorted((suite.root / PUBLISHED).glob("*.parquet"))}


def local_records(suite: Suite, store: Store, tell: Tell = _nobody) -> dict[str, list[Record]]:
    """Scale → the results of a results folder, as they would be published (the same for every scale)."""
    entries = scan(store)
    for line in entries.damages:
        tell(line)
    records = [without_host(record) for entry in entries.values() for record in _result(store, entry, tell)]
    return dict.fromkeys(suite.scale_names(), records)


def _result(store: Store, entry: Entry, tell: Tell) -> Iterator[Record]:
    """The record of an entry, if it is a result and has not been damaged since it was looked at."""
    if entry.status in RESULT_STATUSES:
        try:
            record = store.read(entry.id)
        except DamagedRecord as damage:
            tell(f"damaged: {shown(store.record_path(entry.id))}: {damage}")
        else:
            yield from [record] if record is not None else []


def arms_of(records: Iterable[Record]) -> Arms:
    """The cells of some records, by arm."""
    return group_by_arm(record.to_json() for record in records)


def without_table(suite: Suite, store: Store | None, records: Mapping[str, Iterable[Record]]) -> Iterator[str]:
    """A few lines on records that no table shows: those of a results folder, or published ones by scale."""
    if store is not None:
        yield from _headed("not in the report", undeclared.in_store(suite, scan(store)))
        return
    for scale, some in records.items():
        yield from _headed(f"published for scale {scale}", undeclared.published(suite, scale, some))


def arms_by_scale(records: Mapping[str, Iterable[Record]]) -> dict[str, Arms]:
    """Scale → the arms of its records."""
    return {scale: arms_of(some) for scale, some in records.items()}


def local_arms(suite: Suite, store: Store, tell: Tell = _nobody) -> dict[str, Arms]:
    """Scale → the arms of a results folder (the same for every scale: tables pick theirs)."""
    entries = scan(store)
    for line in entries.damages:
        tell(line)
    arms = group_by_arm(entry.content for entry in entries.values() if entry.text)
    return dict.fromkeys(suite.scale_names(), arms)


def publish_store(suite: Suite, store: Store, tell: Tell = _nobody) -> Iterator[str]:
    """Add the results that belong to a declared table to the published files; yield a line per file.

    A local record replaces a published one of the same cell. Cells that belong to no table any more go. What is
    not published, and what goes, is said too.
    """
    entries = scan(store)
    for line in entries.damages:
        tell(line)
    embedded: set[str] = set()
    for scale in suite.scale_names():
        wanted = {
            entry.template.arm
            for name in suite.benchmark_names()
            for entry in suite.benchmark(name, scale).entries
        }
        path = suite.root / PUBLISHED / f"{scale}.parquet"
        earlier = read_published(path) if os.path.lexists(path) else []
        records = {record.cell.id: record for record in earlier if record.cell.arm in wanted}
        for entry in entries.values():
            if entry.status in RESULT_STATUSES and entry.content["arm"] in wanted:
                for record in _result(store, entry, tell):
                    records[entry.id] = without_host(record)
        if records:
            publish(records.values(), path)
            yield f"published {quantity(len(records), 'cell')}: {path}"
            gone = [record for record in earlier if record.cell.arm not in wanted]
            yield from _headed("no longer published", undeclared.published(suite, scale, gone))
        embedded |= cells_to_embed(suite, scale) & records.keys()
    looks, damages = noted.read(store.root)
    for line in damages:
        tell(line)
    if noted.add(suite.root / PUBLISHED, looks):
        yield f"published the looks at the claims: {suite.root / PUBLISHED / noted.NAME}"
    yield from publish_embeddings(suite, store, embedded)
    yield from _headed("not published", undeclared.in_store(suite, entries))


def _headed(words: str, lines: Sequence[str]) -> Iterator[str]:
    """Lines of which the first begins with some words."""
    yield from [f"{words}: {lines[0]}", *lines[1:]] if lines else []


def without_host(record: Record) -> Record:
    """The record for other people's eyes: names of machines and jobs stay at home, the hardware remains."""
    kept = {key: value for key, value in record.provenance.items() if key not in ("host", "slurm_job")}
    return replace(record, provenance=kept)
