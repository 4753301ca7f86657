"""Records made elsewhere: taken over once, whole, and never in place of what is here."""

import json

import pytest
from synthetic import record

from clopbench.results.index import scan
from clopbench.results.published import publish
from clopbench.results.records import Store


@pytest.fixture
def cells(suite):
    return [entry.cell(seed) for entry in suite.benchmark("table7").entries for seed in range(2)]


def test_published_records_are_imported_and_their_cells_skipped(bench, cells, tmp_path):
    publish([record(cell) for cell in cells[:3]], tmp_path / "laptop.parquet")
    store = Store(tmp_path / "results")
    store.write(record(cells[0], top1=0.5))
    store.write(record(cells[1], status="failed"))
    done = bench("import", "laptop.parquet")
    assert done.out == "2 results imported into results, 1 were there already\n"
    read = [store.read(cell.id) for cell in cells]
    assert [r and r.metrics["probe_top1"] for r in read] == [0.5, 0.9, 0.9, None]
    assert read[1] == record(cells[1])
    plan = json.loads(bench("plan", "table7", "--seeds", "2", "--json").out)
    assert (plan["done"], plan["missing"]) == (3, 1)
    assert bench("import", "laptop.parquet").out.startswith("0 results imported")


def test_another_results_folder_is_imported_without_its_failures(bench, cells, tmp_path):
    other = Store(tmp_path / "other")
    other.write(record(cells[0]))
    other.write(record(cells[1], status="failed"))
    assert bench("import", "other").out == "1 result imported into results, 0 were there already\n"
    assert list(scan(Store(tmp_path / "results"))) == [cells[0].id]


def test_a_record_that_cannot_be_trusted_is_named_and_left_out(bench, cells, tmp_path):
    other = Store(tmp_path / "other")
    for cell in cells:
        other.write(record(cell))
    path = other.record_path(cells[2].id)
    path.write_text(path.read_text().replace("0.9", "0.8"))
    done = bench("import", "other")
    assert done.code == 1
    assert done.out == (
        f"{len(cells) - 1} results imported into results, 0 were there already\n"
        f"damaged: {path.relative_to(tmp_path)}: altered after it was written (checksum)\n"
    )
    assert scan(Store(tmp_path / "results")).keys() == {cell.id for cell in cells} - {cells[2].id}
    assert bench("import", "nowhere").err == "error: nowhere: no such file or folder\n"
    (tmp_path / "empty").mkdir()
    assert bench("import", "empty").err == "error: empty: no results to import\n"


ENGINE = {"version": "0.1.0", "commit": None, "dirty": None, "sha256": "1" * 64}
WORDS = {
    "of now": (
        {"engine": ENGINE, "commit": "a" * 40, "dirty": False},
        "0.1.0 with files of SHA-256 " + "1" * 64,
    ),
    "older than the field": ({"commit": "a" * 40, "dirty": False}, "not recorded"),
}


@pytest.mark.parametrize(("provenance", "words"), WORDS.values(), ids=WORDS)
def test_the_engine_goes_with_a_record_wherever_it_goes(bench, cells, tmp_path, provenance, words):
    """Published, imported and shown; without one a record is as good as ever."""
    publish([record(cells[0], provenance=provenance)], tmp_path / "laptop.parquet")
    assert bench("import", "laptop.parquet").out.startswith("1 result imported")
    read = Store(tmp_path / "results").read(cells[0].id)
    assert read is not None
    assert read.provenance == provenance
    shown = bench("show", cells[0].id).out
    assert f"  engine: {words}\n" in shown
    assert f"  suite: at {'a' * 40}\n" in shown
