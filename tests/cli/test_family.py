"""The same records give a claim the same verdict wherever it is shown."""

import json
from dataclasses import replace

import pytest
from checkout import suite_of
from synthetic import record

from clopbench.cli.options import Asked, Folders
from clopbench.cli.request import Request
from clopbench.report.document import collect
from clopbench.report.formats import sheets
from clopbench.report.observations import group_by_arm
from clopbench.results.looks import NAME
from clopbench.results.records import Store

SEEDS = range(8)
# What a seed adds to every row, and to the orthonormal one alone: all of eight seeds in its favour.
OFFSETS = (0.0, 0.01, -0.01, 0.02, -0.02, 0.015, -0.005, 0.03)
GAINS = (0.01, 0.012, 0.02, 0.008, 0.015, 0.011, 0.018, 0.009)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Three tables that share cells, and one that has no records."""
    return suite_of(tmp_path_factory.mktemp("suite"), "table7", "orthogonality", "table8b", "overhead")


@pytest.fixture(scope="module")
def records(suite):
    entries = suite.benchmark("orthogonality").entries
    cells = {}
    for place, entry in enumerate(entries):
        for seed in SEEDS:
            is_best = entry.coordinates["prototypes"] == "orthonormal"
            gain = GAINS[seed] if is_best else 0.001 * (seed * place % 5)
            cells[entry.cell_id(seed)] = record(entry.cell(seed), 0.9 + OFFSETS[seed] + gain)
    return list(cells.values())


@pytest.fixture(autouse=True)
def _in_this_suite(monkeypatch, suite):
    monkeypatch.setenv("BENCH_SUITE", str(suite.root))


@pytest.fixture
def folder(tmp_path, records):
    store = Store(tmp_path / "results")
    for one in records:
        store.write(one)
    return store.root


@pytest.fixture
def shown(bench, folder):
    """What `bench show` prints of a table: {sentence: verdict and numbers}, and the size of the family."""

    def call(*words):
        done = bench("show", *words, "--results", folder, "--json")
        assert done.code == 0, done.err
        [table] = json.loads(done.out)
        claims = [{k: v for k, v in line.items() if k != "numbers"} for line in table["claims"]]
        return {line["claim"]: line for line in claims}, table["family"]

    return call


def test_a_table_alone_is_corrected_over_all_tables_with_records(suite, records, shown, bench, folder):
    arms = group_by_arm(one.to_json() for one in records)
    tables = collect(suite, {"laptop": arms})
    reported = {
        name: [dict(zip(sheets.CLAIM_HEADINGS, row, strict=True)) for row in sheets.claim_rows(table)]
        for name, at in tables.items()
        for table in at
    }
    assert reported.keys() == {"table7", "orthogonality", "table8b"}
    [size] = {table.family for at in tables.values() for table in at}
    # Of table8b there is one row alone: its claim is not run, and no member of the family.
    assert size == sum(line["p"] != "–" for claims in reported.values() for line in claims) == 4
    for name, claims in reported.items():
        found, family = shown(name)
        assert list(found.values()) == claims
        assert family == size
        power = json.loads(bench("power", name, "--results", folder, "--json").out)
        assert power["family"] == size
        assert power["level"] == pytest.approx(0.049 / size)
    done = bench("show", "table7", "--results", folder)
    assert f"Claims (corrected over {size} claims)" in done.out


def test_a_part_of_a_table_has_the_verdicts_of_the_whole(folder):
    asked = Asked(tables=["orthogonality"], seeds=None, folders=Folders(results=folder))
    [whole] = Request(asked).table_rows()
    [part] = Request(replace(asked, only=["prototypes=orthonormal,random"])).table_rows()
    assert len(part["rows"]) == 2 < len(whole["rows"])
    assert (part["claims"], part["family"]) == (whole["claims"], whole["family"])


def test_seeds_restrict_all_tables_alike(shown, folder):
    def alone(*arguments):
        """As the only look that was ever taken."""
        (folder / NAME).unlink(missing_ok=True)
        return shown(*arguments)

    few, family = shown("table7", "--seeds", "0,1")
    assert {line["verdict"] for line in few.values()} == {"undecided: too few seeds (2 of at least 6)"}
    assert {line["p"] for line in few.values()} == {"–"}
    assert family == 0
    seven, family = alone("table7", "--seeds", "0-6")
    assert family == alone("table7")[1]
    assert seven != shown("table7")[0]


def test_other_cells_than_the_declared_ones_are_a_family_of_their_own(shown):
    """No record has this rate: the tables that are declared have nothing to do with it."""
    found, family = shown("table7", "training.learning_rate=0.123")
    assert {line["verdict"] for line in found.values()} == {"not run"}
    assert family == 0
