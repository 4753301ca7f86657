"""One bad thing stays one bad thing: each is one line in every verb, and all others are as without it."""

import contextlib
import json
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from checkout import suite_of
from damages import BESIDE, RECORDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import record

from clopbench.errors import UserError
from clopbench.identity import digest
from clopbench.results import leases
from clopbench.results.index import INDEX, scan
from clopbench.results.published import publish, read_published, sound_records
from clopbench.results.records import DamagedRecord, Store

SOUND = 6
"""Cells without any damage, beside one for each kind of it."""


@pytest.fixture(autouse=True)
def _never_waits() -> Iterator[None]:
    """A verb that waits for a writer of a pipe would wait for ever."""

    def wake(_number: int, _frame: object) -> None:
        raise TimeoutError("waited in vain")

    before = signal.signal(signal.SIGALRM, wake)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@dataclass
class Folder:
    """A suite with table 7 alone, results with every damage, and the same without those that are damaged."""

    suite: Path
    results: Store
    sound: Store
    expected: dict[str, str]
    """Path → why it is damaged."""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Folder:
    folder = tmp_path_factory.mktemp("damage")
    suite = suite_of(folder / "suite", "table7")
    results, sound = Store(folder / "results"), Store(folder / "sound")
    seeds = -(-(len(RECORDS) + len(BESIDE) + SOUND) // 2)
    cells = [entry.cell(seed) for seed in range(seeds) for entry in suite.benchmark("table7").entries]
    for number, cell in enumerate(cells):
        for store in (results, sound) if number >= len(RECORDS) else (results,):
            store.write(record(cell, 0.9 + 0.001 * cell.seed))
    expected = {}
    for (damage, why), cell in zip([*RECORDS.values(), *BESIDE.values()], cells, strict=False):
        damage(results.folder(cell.id))
        of_record = len(expected) < len(RECORDS)
        path = results.folder(cell.id) / ("record.json" if of_record else "embeddings.npz")
        expected[str(path)] = why
    return Folder(suite.root, results, sound, expected)


VERBS = {
    "plan": ("plan table7 --seeds 60", 0),
    "plan --explain": ("plan table7 --seeds 60 --explain", 0),
    "plan of other cells": ("plan table7 --seeds 1 training.epochs=2", 0),
    "show": ("show table7", 0),
    "show --json": ("show table7 --json", 0),
    "status": ("status", 1),
    "status --json": ("status --json", 1),
    "report": ("report --local --out out", 1),
    "report --html": ("report --local --html --out out", 1),
    "power": ("power table7", 0),
    "power --json": ("power table7 --json", 0),
    "diff": ("diff {results} {sound}", 1),
    "diff --json": ("diff {sound} {results} --json", 1),
    "import": ("import {results} --results new", 1),
}


@pytest.mark.parametrize("verb", VERBS)
def test_each_is_one_line_in_every_verb(bench, made, tmp_path, monkeypatch, verb):
    """Without an index, and with one; with no more memory than figures need, whatever a header says."""
    monkeypatch.setenv("BENCH_SUITE", str(made.suite))
    monkeypatch.setenv("BENCH_RESULTS", str(made.results.root))
    text, code = VERBS[verb]
    words = text.format(results=made.results.root, sound=made.sound.root).split()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for spoil in (True, False):
        if spoil:
            (made.results.root / INDEX).unlink(missing_ok=True)
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        done = bench(*words)
        assert done.code == code, done.err
        said = done.err if "--json" in words else done.out
        lines = [line for line in said.splitlines() if line.startswith("damaged: ")]
        for path, why in made.expected.items():
            assert [why in line for line in lines if line.startswith(f"damaged: {path}: ")] == [True], path
        assert len(lines) == len(made.expected)
        if "--json" in words:
            json.loads(done.out)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB.


def test_they_count_as_failed_and_the_others_are_as_without_them(bench, made, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_SUITE", str(made.suite))
    at = ["--results", made.results.root]
    cells = len(RECORDS) + len(BESIDE) + SOUND
    seeds = str(-(-cells // 2))
    plan = json.loads(bench("plan", "table7", "--seeds", seeds, "--json", *at).out)
    assert (plan["total"], plan["damaged"], plan["failed"]) == (2 * int(seeds), len(RECORDS), 0)
    assert plan["done"] == plan["total"] - len(RECORDS)
    tables = [bench("show", "table7", "--json", "--results", s.root).out for s in (made.results, made.sound)]
    assert tables[0] == tables[1]
    before = {path: path.lstat().st_mtime_ns for path in made.results.root.glob("??/*")}
    done = bench("run", "table7", "--seeds", seeds, *at)
    assert done.code == 1
    assert f"{len(RECORDS)} of {plan['total']} cells have no result" in done.out
    assert {path: path.lstat().st_mtime_ns for path in before} == before
    assert bench("import", made.results.root, "--results", tmp_path / "new").code == 1
    assert scan(Store(tmp_path / "new")).keys() == scan(made.sound).keys()


def test_show_of_a_damaged_cell_says_why_in_one_line(bench, made):
    for path, why in list(made.expected.items())[: len(RECORDS) : 6]:
        done = bench("show", Path(path).parent.name, "--suite", made.suite, "--results", made.results.root)
        told = f"results folder: {made.results.root}\n"
        assert (done.code, done.out, done.err.count("\n")) == (2, told, 1)
        assert done.err.startswith(f"error: damaged: {path}: ")
        assert why in done.err


@pytest.mark.parametrize("name", ["record.json", "history.csv", "spectrum.npy", "embeddings.npz"])
def test_the_index_vouches_for_no_file_that_was_changed_since(tmp_path, cell, name):
    """Of the same length, at another moment; and gone."""
    store = Store(tmp_path)
    store.write(record(cell))
    path = store.folder(cell.id) / name
    if name == "embeddings.npz":
        np.savez(path, z_ND=np.ones((2, 2)), y_N=np.zeros(2, int))
    assert scan(store).damages == []
    content = bytearray(path.read_bytes())
    content[content.rfind(b"NUMPY") + 125 if b"NUMPY" in content else len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    [line] = scan(store).damages
    assert line.startswith("damaged: ")
    path.unlink()
    gone = [f"damaged: {store.record_path(cell.id)}: {name} is gone"]
    assert scan(store).damages == (gone if name in ("history.csv", "spectrum.npy") else [])
    assert (cell.id in scan(store)) == (name != "record.json")


def shelf(make):
    def damage(store: Store, cell_id: str) -> Path:
        path = store.root / cell_id[:2]
        shutil.rmtree(path)
        make(path)
        return path

    return damage


SHELVES = {
    "a file": (shelf(Path.touch), "something else in place of a folder of cells"),
    "a pipe": (shelf(os.mkfifo), "something else in place of a folder of cells"),
    "a lost link": (shelf(lambda p: p.symlink_to("nowhere")), "something else in place of a folder of cells"),
    "a link to itself": (shelf(lambda p: p.symlink_to(p.name)), "too many levels of symbolic links"),
}


@pytest.mark.parametrize(("damage", "why"), SHELVES.values(), ids=SHELVES)
def test_a_folder_of_cells_that_is_none(bench, suite, tmp_path, damage, why):
    """Its cells are not missing: nobody knows. Those of other folders are as before."""
    store = Store(tmp_path / "results")
    cells = [entry.cell(0) for entry in suite.benchmark("table7").entries]
    for cell in cells:
        store.write(record(cell))
    path = damage(store, cells[0].id)
    (store.root / "zz").touch()
    for _ in ("without an index", "with one"):
        done = bench("plan", "table7", "--seeds", "1")
        [line] = [line for line in done.out.splitlines() if line.startswith("damaged: ")]
        assert line.startswith(f"damaged: {path.relative_to(tmp_path)}: ")
        assert why in line
        assert "2 cells: 1 done, 0 missing, 0 failed, 1 damaged" in done.out


STRANGERS = {
    "no cell's id": "ab/notes",
    "in the wrong place": "ff/{id}",
    "not UTF-8": "ab/\udcff\udcfe",
    "on a shelf of its own": "\udcff\udcfe/{id}",
    "with a line break": "ab/a\nb",
}


@pytest.mark.parametrize("name", STRANGERS.values(), ids=STRANGERS)
def test_a_record_where_none_belongs_is_named(bench, cell, tmp_path, name):
    store = Store(tmp_path / "results")
    store.write(record(cell))
    target = store.root / name.format(id=cell.id)
    target.parent.mkdir(exist_ok=True)
    shutil.copytree(store.folder(cell.id), target)
    (store.root / "ab" / ".DS_Store").parent.mkdir(exist_ok=True)
    (store.root / "ab" / ".DS_Store").touch()  # No record: none of our business.
    done = bench("plan", "table7", "--seeds", "1")
    assert done.out.count("damaged: ") == 1
    assert ": the name of its folder is no cell's id" in done.out
    assert "2 cells: 1 done, 1 missing" in done.out
    [line] = [line for line in done.out.splitlines() if line.startswith("damaged: ")]
    assert scan(Store(Path("results"))).damages == [line]


def reads_everything() -> bool:
    """Root may read what has no permissions, but in a container without this capability."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "closed"
        path.touch(mode=0)
        return os.access(path, os.R_OK)


@pytest.mark.skipif(reads_everything(), reason="this user may read everything")
@pytest.mark.parametrize(
    "part", ["{shelf}", "{shelf}/{id}", "{shelf}/{id}/record.json", "{shelf}/{id}/history.csv"]
)
def test_what_may_not_be_read_is_damaged(bench, cell, tmp_path, part):
    store = Store(tmp_path / "results")
    store.write(record(cell))
    path = store.root / part.format(shelf=cell.id[:2], id=cell.id)
    path.chmod(0)
    try:
        done = bench("plan", "table7", "--seeds", "1")
        assert "2 cells: 0 done" in done.out
        [line] = [line for line in done.out.splitlines() if line.startswith("damaged: ")]
        assert "permission denied" in line
        assert scan(Store(Path("results"))).damages == [
            line.removesuffix("; move it away to run the cell again")
        ]
    finally:
        path.chmod(0o700)


LEASES = {
    "a lost link": lambda path: path.symlink_to("nowhere"),
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "empty": Path.touch,
    "a list": lambda path: path.write_text("[]"),
    "nested": lambda path: path.write_text("[" * 10_000),
    "words for numbers": lambda path: path.write_text('{"pid": "x", "epoch": "y", "seconds_per_epoch": []}'),
    "of no end": lambda path: path.write_text('{"epoch": 1e999, "pid": ' + "9" * 4000 + "}"),
}


@pytest.mark.parametrize("name", ["lease.1", "lease.99999999999999999999", "lease.²", "lease.-1"])
@pytest.mark.parametrize("make", LEASES.values(), ids=LEASES)
def test_a_lease_may_be_anything(tmp_path, cell, make, name):
    """Readers wait for nobody, and a cell can be taken over once the thing is old."""
    folder = Store(tmp_path / "results").folder(cell.id)
    folder.mkdir(parents=True)
    make(folder / name)
    found = leases.current(folder)
    assert found is None or found.holder.keys() <= {"epoch"}
    with contextlib.suppress(FileNotFoundError, OSError):
        os.utime(folder / name, (1, 1), follow_symlinks=False)
    held = leases.acquire(folder)
    assert held is not None
    with held:
        assert held.in_force


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3)
NUMBER = st.none() | st.floats(min_value=0, allow_infinity=False) | st.integers(0, 2**70)
NAMES = ("seconds", "views_per_second", "ended_unix", "commit", "dirty", "torch", "device", "scale", "started")
FIELDS = {
    "metrics": st.dictionaries(st.sampled_from(["probe_top1", "effective_rank", "x"]), NUMBER | ANYTHING),
    "notes": WORDS,
    "pairing": WORDS,
    "provenance": st.dictionaries(st.sampled_from(NAMES), NUMBER | ANYTHING),
    "status": st.sampled_from(["done", "collapsed", "diverged", "failed", "x"]),
    "failure": st.none() | st.fixed_dictionaries(dict.fromkeys(("class", "message", "traceback"), st.text())),
    "more": ANYTHING,
}
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
FEW = settings(max_examples=10, deadline=None, suppress_health_check=SLOW)


@dataclass
class Victim:
    """A results folder with two records, of which the first is spoilt again and again."""

    suite: Path
    store: Store
    id: str
    original: bytes

    def spoil(self, content: bytes) -> str | None:
        """Why the record is damaged then."""
        self.store.record_path(self.id).write_bytes(content)
        (self.store.root / INDEX).unlink(missing_ok=True)
        return scan(self.store)[self.id].damage


@pytest.fixture(scope="module")
def victim(tmp_path_factory) -> Victim:
    folder = tmp_path_factory.mktemp("fuzzed")
    suite, store = suite_of(folder / "suite", "table7"), Store(folder / "results")
    table = suite.root / "tables" / "table7.yaml"
    table.write_text(yaml.safe_dump({**yaml.safe_load(table.read_text()), "figures": []}))
    cells = [entry.cell(0) for entry in suite.benchmark("table7").entries]
    for cell in cells:
        store.write(record(cell))
    return Victim(suite.root, store, cells[0].id, store.record_path(cells[0].id).read_bytes())


@settings(FEW, max_examples=150)
@given(position=st.integers(0, 5000), cut=st.integers(0, 40), patch=st.binary(max_size=60))
def test_any_bytes_are_damage_or_the_same_record(victim, position, cut, patch):
    position %= len(victim.original)
    spoilt = victim.original[:position] + patch + victim.original[position + cut :]
    if victim.spoil(spoilt) is None:
        assert json.loads(spoilt) == json.loads(victim.original)
    else:
        with pytest.raises(DamagedRecord):
            victim.store.read(victim.id)


@FEW
@given(changes=st.dictionaries(st.sampled_from(list(FIELDS)), st.none(), min_size=1), data=st.data())
def test_what_passes_as_a_record_makes_no_verb_fail(bench, victim, monkeypatch, changes, data):
    """Fields of the right name with any content, under a right checksum."""
    content = json.loads(victim.original) | {name: data.draw(FIELDS[name], name) for name in changes}
    beside = ["", []] if content["status"] == "failed" else ["epoch,loss_total\n1,2.5\n", [0.8, 0.6]]
    content["result_digest"] = digest([content["status"], content["metrics"], content["pairing"], *beside])
    content["checksum"] = digest({key: value for key, value in content.items() if key != "checksum"})
    if victim.spoil(json.dumps(content).encode()) is not None:
        return
    monkeypatch.setenv("BENCH_SUITE", str(victim.suite))
    monkeypatch.setenv("BENCH_RESULTS", str(victim.store.root))
    new = victim.store.root.with_name("imported")
    shutil.rmtree(new, ignore_errors=True)
    for words in (
        "plan table7 --seeds 1 --explain",
        f"show {victim.id}",
        f"import {victim.store.root} --results {new}",
        "report --local --html --out out",
    ):
        assert bench(*words.split()).code == 0, words


def of_one_record(path: Path, cell, **columns: Any) -> None:
    """A published file of one record, with some columns replaced."""
    publish([record(cell)], path)
    content = pq.read_table(path).to_pydict()
    pq.write_table(pa.table(content | {name: [value] for name, value in columns.items()}), path)


PUBLISHED = {
    "empty": (lambda path, _: path.write_bytes(b""), "not a file of published records"),
    "junk": (
        lambda path, _: path.write_bytes(b"PAR1" + b"\xff" * 100 + b"PAR1"),
        "not a file of published records",
    ),
    "a pipe": (lambda path, _: os.mkfifo(path), "a named pipe in place of a file"),
    "a folder": (lambda path, _: path.mkdir(), "a folder in place of a file"),
    "a lost link": (lambda path, _: path.symlink_to("nowhere"), "a link that leads nowhere"),
    "other columns": (lambda path, _: pq.write_table(pa.table({"x": [1]}), path), "row 1: columns record"),
    "numbers for records": (lambda path, cell: of_one_record(path, cell, record=1), "row 1: columns record"),
    "no record": (lambda path, cell: of_one_record(path, cell, record=None), "row 1: columns record"),
    "no JSON": (lambda path, cell: of_one_record(path, cell, record="{"), "row 1: not valid JSON"),
    "a list": (lambda path, cell: of_one_record(path, cell, record="[]"), "row 1: not the"),
    "nested": (lambda path, cell: of_one_record(path, cell, record="[" * 10_000), "row 1: not valid JSON"),
    "words for a spectrum": (
        lambda path, cell: of_one_record(path, cell, spectrum=["x"]),
        "row 1: history",
    ),
    "no numbers": (
        lambda path, cell: of_one_record(path, cell, spectrum=[float("nan")]),
        "row 1: not the",
    ),
    "history altered": (lambda path, cell: of_one_record(path, cell, history="x"), "row 1: history"),
    "twice": (
        lambda path, cell: publish([record(cell), record(cell)], path),
        "row 2: cell ",
    ),
}


@pytest.mark.parametrize(("damage", "why"), PUBLISHED.values(), ids=PUBLISHED)
def test_of_a_published_file_what_cannot_be_trusted_is_named(tmp_path, cell, damage, why):
    path = tmp_path / "laptop.parquet"
    damage(path, cell)
    [said] = [found for found in sound_records(path) if isinstance(found, str)]
    assert why in said
    with pytest.raises(UserError) as refused:
        read_published(path)
    assert str(refused.value) == f"damaged: {path}: {said}"


def test_a_damaged_published_file_is_one_line(bench, tmp_path, cell):
    """In an import and a diff the rest goes on; a report is not made without one of its files."""
    suite = suite_of(tmp_path / "suite", "table7")
    folder = suite.root / "results" / "published"
    other = cell.model_copy(update={"seed": 1})
    publish([record(other)], folder / "cpu.parquet")
    (folder / "laptop.parquet").write_bytes(b"junk")
    line = f"damaged: {folder / 'laptop.parquet'}: not a file of published records"
    for words in (("import", folder), ("diff", folder, folder)):
        done = bench(*words, *(["--suite", suite.root] if words[0] == "diff" else []))
        assert done.code == 1
        assert [one.startswith(line) for one in done.out.splitlines() if one.startswith("damaged: ")] == [True]
    assert other.id in scan(Store(tmp_path / "results"))
    for words in (("report", "--check"), ("power", "table7"), ("report", "--publish")):
        done = bench(*words, "--suite", suite.root)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert done.err.startswith(f"error: {line}")
