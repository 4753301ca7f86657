"""`bench diff`: cells bit by bit, tables value by value, on made-up records and on the published ones."""

import json
from dataclasses import replace

import pytest
from checkout import ROOT, suite_of
from synthetic import record

from clopbench.report.difference import compare, read_contents
from clopbench.results.published import publish, read_published
from clopbench.results.records import Store

LAPTOP = ROOT / "results" / "published" / "laptop.parquet"
# Per seed: orthonormal, random. Means 94 and 92, as in the golden report.
VALUES = {0: (0.92, 0.91), 1: (0.94, 0.93), 2: (0.96, 0.92)}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Table 7 alone: other tables share its cells."""
    return suite_of(tmp_path_factory.mktemp("suite"), "table7")


@pytest.fixture(autouse=True)
def _in_this_suite(monkeypatch, suite):
    monkeypatch.setenv("BENCH_SUITE", str(suite.root))


@pytest.fixture
def records(suite):
    """(point, seed) → record."""
    entries = suite.benchmark("table7").entries
    return {
        (entry.coordinates["prototypes"], seed): record(entry.cell(seed), top1)
        for seed, pair in VALUES.items()
        for entry, top1 in zip(entries, pair, strict=True)
    }


@pytest.fixture
def folder(tmp_path):
    """Write records into a results folder of that name; returns its path."""

    def write(name, records):
        store = Store(tmp_path / name)
        for one in records:
            store.write(one)
        return store.root

    return write


@pytest.fixture
def difference(suite, folder):
    def between(first, second):
        return compare(suite, read_contents(folder("a", first)), read_contents(folder("b", second)))

    return between


def test_other_hardware_and_another_hour_make_no_difference(bench, folder, records):
    elsewhere = [replace(one, provenance={"host": "elsewhere", "seconds": 1.0}) for one in records.values()]
    done = bench("diff", folder("a", records.values()), folder("b", elsewhere))
    assert done.code == 0
    assert "6 the same to the bit, 0 changed, 0 only in A, 0 only in B; 0 values of tables differ" in done.out


def test_a_changed_metric_moves_the_mean_and_the_claims(difference, records):
    """By hand: 92, 94, 99 have the mean 95 instead of 94; the differences are 1, 1, 7 instead of 1, 1, 4, so
    their mean is 3 instead of 2."""
    key = ("orthonormal", 2)
    changed = records | {key: record(records[key].cell, 0.99)}
    found = difference(records.values(), changed.values())
    [cell] = found.cells
    assert (cell.id, cell.seed, cell.kind) == (records[key].cell.id, 2, "changed")
    assert cell.place == "table7 laptop: CLOP, orthonormal prototypes"
    assert cell.statuses == ("done", "done")
    assert cell.metrics == {"probe_top1": (0.96, 0.99)}
    assert (found.same, found.sizes) == (5, (6, 6))
    values = {(one.place, one.what): (one.first, one.second) for one in found.tables}
    assert values["CLOP, orthonormal prototypes", "mean"] == pytest.approx((0.94, 0.95))
    claim = "Orthonormal prototypes beat random ones"
    assert values[claim, "estimate"] == pytest.approx((0.02, 0.03))
    assert not any(place.startswith("CLOP, random") for place, _ in values)
    assert {(one.table, one.scale) for one in found.tables} == {("table7", "laptop")}


def test_p_values_and_verdicts_that_differ_are_listed(suite, difference, bench, folder):
    """Six seeds all in favour: p = 2/2⁶. With the last one slightly against, 4 of 64 flips are as extreme."""
    orthonormal, random = suite.benchmark("table7").entries
    wins = [0.01, 0.02, 0.03, 0.04, 0.05, 0.001]
    first = [record(random.cell(seed), 0.5 + seed / 100) for seed in range(6)]
    first += [record(orthonormal.cell(seed), 0.5 + seed / 100 + win) for seed, win in enumerate(wins)]
    second = [*first[:-1], record(orthonormal.cell(5), 0.549)]
    found = difference(first, second)
    [scale] = found.families
    assert found.families[scale] == (2, 2)
    values = {one.what: (one.first, one.second) for one in found.tables if "beat" in one.place}
    assert values["p"] == pytest.approx((2 / 64, 4 / 64))
    done = bench("diff", folder("c", first), folder("d", second))
    assert "claims at scale laptop: A: corrected over 2 claims; B: corrected over 2 claims" in done.out


def test_missing_cells_and_a_changed_status(difference, records):
    collapsed = replace(records["random", 0], status="collapsed")
    second = records | {("random", 0): collapsed}
    first = {key: one for key, one in records.items() if key != ("orthonormal", 0)}
    del second["random", 1]
    found = difference(first.values(), second.values())
    assert sorted((cell.kind, cell.seed, cell.statuses) for cell in found.cells) == [
        ("changed", 0, ("done", "collapsed")),
        ("only in A", 1, ("done", None)),
        ("only in B", 0, (None, "done")),
    ]
    assert found.same == 3
    values = {(one.place, one.what): (one.first, one.second) for one in found.tables}
    assert values["CLOP, orthonormal prototypes", "n"] == (2, 3)
    assert values["CLOP, random prototypes", "n"] == (3, 2)
    assert values["CLOP, random prototypes", "collapsed"] == (0, 1)
    assert values["CLOP, random prototypes", "mean"] == pytest.approx((0.92, 0.915))


def test_same_metrics_on_another_way_are_a_difference(difference, records):
    """Of the curve and of what paired cells share; neither moves a value of the table."""
    key, other = ("random", 0), ("random", 1)
    detour = {
        key: replace(records[key], history="epoch,loss_total\n1,2.6\n"),
        other: replace(records[other], pairing={"subset": "subset 1", "init": "another"}),
    }
    found = difference(records.values(), (records | detour).values())
    beside = {cell.seed: cell.beside for cell in found.cells}
    assert beside == {0: "history or spectrum differs", 1: "pairing differs"}
    assert not found.tables
    assert not found.is_empty


def test_damage_is_a_difference_with_its_reason(bench, folder, records):
    first, second = folder("a", records.values()), folder("b", records.values())
    Store(second).record_path(records["random", 1].cell.id).write_text("{")
    done = bench("diff", first, second)
    assert done.code == 1
    assert "done → damaged; not valid JSON, perhaps truncated" in done.out


def test_what_is_printed(bench, folder, records):
    key = ("orthonormal", 2)
    changed = record(records[key].cell, 0.99)
    others = [one for at, one in records.items() if at != key]
    done = bench("diff", folder("a", records.values()), folder("b", [*others, changed]))
    assert done.code == 1
    assert "5 the same to the bit, 1 changed, 0 only in A, 0 only in B" in done.out
    [line] = [line for line in done.out.splitlines() if records[key].cell.id in line]
    assert "probe_top1 0.96 → 0.99 (+0.03)" in line
    [mean] = [line for line in done.out.splitlines() if " mean " in line]
    assert mean.split()[-3:] == ["0.94", "0.95", "+0.01"]


def test_json_holds_everything(bench, folder, records):
    first = folder("a", records.values())
    second = folder("b", [one for (_, seed), one in records.items() if seed < 2])
    done = bench("diff", first, second, "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert (found["equal"], found["sizes"], found["same"]) == (False, [6, 4], 4)
    assert {cell["kind"] for cell in found["cells"]} == {"only in A"}
    assert {value["what"] for value in found["tables"]} >= {"mean", "n"}


def test_published_records_against_a_folder_of_the_same(bench, tmp_path, folder):
    real = read_published(LAPTOP)
    done = bench("diff", LAPTOP, folder("copy", real))
    assert done.code == 0
    assert f"{len(real)} the same to the bit" in done.out
    publish(real[1:], tmp_path / "fewer" / "laptop.parquet")
    done = bench("diff", LAPTOP, tmp_path / "fewer", "--json")
    [cell] = json.loads(done.out)["cells"]
    assert (done.code, cell["id"], cell["kind"]) == (1, real[0].cell.id, "only in A")


def test_bad_usage(bench, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.parquet").write_bytes(b"junk")
    for path, message in (
        ("nowhere", "nowhere: no such results folder or file of published records"),
        ("empty", "empty: holds no records"),
        ("junk.parquet", "not a file of published records"),
    ):
        done = bench("diff", LAPTOP, tmp_path / path)
        assert done.code == 2
        assert message in done.err
    assert bench("diff", LAPTOP).code == 2


ENGINE = {"version": "0.1.0", "commit": "a" * 40, "dirty": False, "sha256": "1" * 64}
CODE = {
    "another commit": ({"commit": "b" * 40}, "engine 0.1.0 at aaaaaaa → 0.1.0 at bbbbbbb"),
    "edited": (
        {"dirty": True, "sha256": "2" * 64},
        "engine 0.1.0 at aaaaaaa → 0.1.0 at aaaaaaa with uncommitted changes, files of SHA-256 2222222",
    ),
    "installed": (
        {"commit": None, "dirty": False},
        "engine 0.1.0 at aaaaaaa → 0.1.0 with files of SHA-256 1111111",
    ),
    "installed and edited": (
        {"commit": None, "dirty": True},
        "engine 0.1.0 at aaaaaaa → 0.1.0 with files of SHA-256 1111111, changed since it was installed",
    ),
    "not recorded": (None, "engine 0.1.0 at aaaaaaa → not recorded"),
}


@pytest.mark.parametrize(("changes", "words"), CODE.values(), ids=CODE)
def test_another_engine_is_said_and_is_no_difference_by_itself(bench, folder, records, changes, words):
    """With the numbers that differ, and in one line for all cells; equal numbers stay equal."""
    suite = {"commit": "c" * 40, "dirty": False}
    engine = {} if changes is None else {"engine": ENGINE | changes}
    first = [replace(one, provenance=suite | {"engine": ENGINE}) for one in records.values()]
    second = [replace(one, provenance=suite | engine) for one in records.values()]
    done = bench("diff", folder("a", first), folder("b", second))
    assert done.code == 0
    assert f"{words}: 6 cells\n" in done.out
    assert "suite" not in done.out
    key = ("orthonormal", 2)
    changed = replace(second[list(records).index(key)], metrics=record(records[key].cell, 0.99).metrics)
    (difference,) = compare_of(bench, folder("c", first), folder("d", [changed]))
    assert difference["beside"] == words


def compare_of(bench, first, second):
    """The cells that both have and that changed."""
    found = json.loads(bench("diff", first, second, "--json").out)
    return [cell for cell in found["cells"] if cell["kind"] == "changed"]


def test_another_suite_is_said_apart_from_the_engine(bench, folder, records):
    first = [replace(one, provenance={"commit": "c" * 40, "dirty": False}) for one in records.values()]
    second = [replace(one, provenance={"commit": "c" * 40, "dirty": True}) for one in records.values()]
    done = bench("diff", folder("a", first), folder("b", second))
    assert "suite at ccccccc → at ccccccc with uncommitted changes: 6 cells\n" in done.out
    assert "engine" not in done.out


def test_only_what_both_have(bench, folder, records, suite):
    """B lacks one row in all seeds and has a cell of its own; the rest is the same."""
    of_one_row = {key: one for key, one in records.items() if key[0] == "orthonormal"}
    stray = record(suite.benchmark("table7").entries[0].cell(7), 0.5)
    a, b = folder("a", records.values()), folder("b", [*of_one_row.values(), stray])
    assert bench("diff", a, b).code == 1
    done = bench("diff", a, b, "--common")
    assert done.code == 0
    assert "3 the same to the bit, 0 changed, 0 only in A, 0 only in B; 0 values of tables differ" in done.out
    lines = done.out.splitlines()
    assert "only in A, not compared: 3 cells (table7 3)" in lines
    assert "only in B, not compared: 1 cell (table7 1)" in lines
    found = json.loads(bench("diff", a, b, "--common", "--json").out)
    assert found["equal"]
    assert found["left_out"] == {"only in A": {"table7": 3}, "only in B": {"table7": 1}}
    changed = folder("c", [record(one.cell, 0.5) for one in of_one_row.values()])
    done = bench("diff", a, changed, "--common")
    assert (done.code, "0 the same to the bit, 3 changed, 0 only in A" in done.out) == (1, True)


def test_only_some_tables(bench, folder, tmp_path, monkeypatch):
    suite = suite_of(tmp_path / "two", "table7", "overhead", "label_fraction")
    monkeypatch.setenv("BENCH_SUITE", str(suite.root))
    cells = [suite.benchmark(name).entries[0].cell(0) for name in ("table7", "label_fraction")]
    a = folder("a", [record(cell, 0.9) for cell in cells])
    b = folder("b", [record(cells[0], 0.9), record(cells[1], 0.8)])
    assert bench("diff", a, b).code == 1
    same = bench("diff", a, b, "table7")
    assert (same.code, "1 the same to the bit, 0 changed" in same.out) == (0, True)
    other = json.loads(bench("diff", a, b, "label_fraction", "--json").out)
    assert [cell["id"] for cell in other["cells"]] == [cells[1].id]
    assert {value["table"] for value in other["tables"]} == {"label_fraction"}
    wrong = bench("diff", a, b, "tabel7")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "unknown table 'tabel7': did you mean 'table7'?" in wrong.err
