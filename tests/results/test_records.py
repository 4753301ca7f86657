"""The store: atomic records, damage that is seen, the index cache, published files."""

import json
import os
import shutil
from typing import Any

import pytest
from synthetic import record

from clopbench.errors import UserError
from clopbench.results.index import INDEX, scan
from clopbench.results.published import publish, read_published
from clopbench.results.records import DamagedRecord, Store, write_atomic


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_a_record_survives_the_round_trip(store, cell):
    original = record(cell, 0.123456789012345)
    path = store.write(original)
    assert path == store.root / cell.id[:2] / cell.id / "record.json"
    assert store.read(cell.id) == original
    assert sorted(p.name for p in path.parent.iterdir()) == ["history.csv", "record.json", "spectrum.npy"]
    assert store.read("0" * 16) is None


def test_the_result_digest_covers_numbers_and_nothing_else(cell):
    base = record(cell)
    assert base.result_digest == record(cell, provenance={"host": "elsewhere"}).result_digest
    changes: list[dict[str, Any]] = [
        {"top1": 0.8},
        {"status": "collapsed"},
        {"history": "epoch\n"},
        {"spectrum": (0.8, 0.61)},
        {"pairing": {}},
    ]
    for change in changes:
        assert base.result_digest != record(cell, **change).result_digest


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


DAMAGES = {
    "truncated": (lambda p: p.write_text(p.read_text()[:200]), "not valid JSON, perhaps truncated"),
    "empty": (lambda p: p.write_text(""), "not valid JSON"),
    "binary": (lambda p: p.write_bytes(b"\xff\xfe\x00"), "not UTF-8 text"),
    "a list": (lambda p: p.write_text("[]"), "does not belong to its folder"),
    "better accuracy": (
        lambda p: edit(p, lambda c: c["metrics"].update(probe_top1=0.99)),
        "altered after it was written",
    ),
    "other seed": (lambda p: edit(p, lambda c: c["config"].update(seed=5)), "altered after it was written"),
    "future schema": (lambda p: edit(p, lambda c: c.update(schema=99)), "schema 99, this version reads 1"),
    "no schema": (lambda p: edit(p, lambda c: c.pop("schema")), "schema None"),
    "history gone": (lambda p: (p.parent / "history.csv").unlink(), "history.csv is gone"),
    "history altered": (
        lambda p: (p.parent / "history.csv").write_text("epoch\n2\n"),
        "history.csv or spectrum.npy does not belong",
    ),
    "spectrum cut": (
        lambda p: (p.parent / "spectrum.npy").write_bytes(b"\x93NUMPY"),
        "spectrum.npy: not an array",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_noticed(store, cell, damage, message):
    path = store.write(record(cell))
    damage(path)
    with pytest.raises(DamagedRecord) as error:
        store.read(cell.id)
    assert message in str(error.value)


def test_a_record_in_anothers_folder_is_damage(store, cell):
    other = cell.model_copy(update={"seed": 1})
    store.write(record(cell))
    shutil.copytree(store.folder(cell.id), store.folder(other.id))
    with pytest.raises(DamagedRecord, match="does not belong to its folder"):
        store.read(other.id)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    write_atomic(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_index_reads_only_what_changed(store, cell, monkeypatch):
    cells = [cell.model_copy(update={"seed": seed}) for seed in range(4)]
    for one in cells:
        store.write(record(one))
    assert scan(store).keys() == {one.id for one in cells}
    opened = []
    read = Store.content
    monkeypatch.setattr(Store, "content", lambda self, cell_id: opened.append(cell_id) or read(self, cell_id))
    assert {e.content["metrics"]["probe_top1"] for e in scan(store).values()} == {0.9}
    assert opened == []
    store.write(record(cells[2], 0.5))
    assert scan(store)[cells[2].id].content["metrics"]["probe_top1"] == 0.5
    assert opened == [cells[2].id]
    shutil.rmtree(store.folder(cells[0].id))
    assert scan(store).keys() == {one.id for one in cells[1:]}


def test_index_is_written_again_only_once_a_hundredth_of_it_is_stale(store, cell):
    """And what it does not hold is read from the records."""
    cells = [cell.model_copy(update={"seed": seed}) for seed in range(202)]
    for one in cells[:200]:
        store.write(record(one))
    scan(store)
    before = (store.root / INDEX).stat().st_mtime_ns
    store.write(record(cells[0], 0.5))
    store.write(record(cells[200], 0.4))
    found = scan(store)
    assert (store.root / INDEX).stat().st_mtime_ns == before
    assert [found[cells[n].id].content["metrics"]["probe_top1"] for n in (0, 1, 200)] == [0.5, 0.9, 0.4]
    store.write(record(cells[201]))
    assert len(scan(store)) == 202
    assert (store.root / INDEX).stat().st_mtime_ns > before


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"junk")])
def test_index_is_only_a_cache(store, cell, spoil):
    store.write(record(cell))
    before = scan(store)
    spoil(store.root / INDEX)
    assert scan(store) == before


def test_index_reports_damage_with_its_reason(store, cell):
    store.write(record(cell)).write_text("{")
    for _ in range(2):  # Fresh, then from the cache.
        entry = scan(store)[cell.id]
        assert entry.status == "damaged"
        assert entry.damage is not None
        assert "not valid JSON" in entry.damage


def test_published_records_come_back_and_are_the_same_bytes(tmp_path, cell):
    records = [record(cell.model_copy(update={"seed": seed}), seed / 10) for seed in range(3)]
    publish(records, tmp_path / "a.parquet")
    publish(records[::-1], tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert sorted(read_published(tmp_path / "a.parquet"), key=lambda r: r.cell.seed) == records


def test_an_altered_published_file_is_refused(tmp_path, cell):
    import pandas as pd

    path = tmp_path / "laptop.parquet"
    publish([record(cell)], path)
    frame = pd.read_parquet(path)
    frame["record"] = frame["record"].str.replace('"probe_top1": 0.9', '"probe_top1": 0.95')
    frame.to_parquet(path)
    with pytest.raises(UserError, match=r"^damaged: .*laptop\.parquet: row 1: altered"):
        read_published(path)
    path.write_bytes(b"junk")
    with pytest.raises(UserError, match=r"laptop\.parquet: not a file of published records"):
        read_published(path)
