"""What was run is named where its numbers stand: headlines and tables name the overrides that change cells."""

import json
from pathlib import Path

import pytest
from checkout import suite_of
from synthetic import record

from clopbench.report.document import make_document
from clopbench.report.formats import sheets
from clopbench.report.html.tables import Groups, at_scale
from clopbench.report.publication import arms_of
from clopbench.report.tables import build_table
from clopbench.results.published import publish, read_published
from clopbench.results.records import Store
from clopbench.suite import overrides as grammar
from clopbench.suite.suite import Suite


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Suite:
    """Two tables that share cells, one of them with rows of several methods."""
    return suite_of(tmp_path_factory.mktemp("suite"), "table7", "table8b")


@pytest.fixture(autouse=True)
def _in_this_suite(monkeypatch, suite):
    monkeypatch.setenv("BENCH_SUITE", str(suite.root))


# What is typed → what is named: nothing that leaves cells as they are, the last of two.
NAMED = {
    "one": (["training.epochs=2"], "training.epochs=2"),
    "two": (["training.epochs=2", "method.weight=0.5"], "training.epochs=2, method.weight=0.5"),
    "as declared": (["training.epochs=25"], None),
    "one as declared": (["training.epochs=25", "encoder.width=4"], "encoder.width=4"),
    "how it is launched": (["launch.threads=2"], None),
    "the last counts": (["training.epochs=2", "training.epochs=3"], "training.epochs=3"),
    "the last is as declared": (["training.epochs=2", "training.epochs=25"], None),
    "data": (["data.name=digits_seen"], "data.name=digits_seen"),
    "true": (["projection.batch_norm=true"], "projection.batch_norm=true"),
    "nothing": (["training.micro_batch=null"], None),
    "fractions": (["data.class_fractions={0: 0.5}"], 'data.class_fractions={"0": 0.5}'),
    "none": ([], None),
}


@pytest.mark.parametrize(("typed", "named"), NAMED.values(), ids=NAMED)
def test_the_headline_names_what_changes_a_cell(bench, typed, named):
    done = bench("plan", "table7", "--seeds", "1", *typed)
    assert done.code == 0, done.err
    first = done.out.splitlines()[0]
    assert first.endswith("width 16, 25 epochs" if named is None else f"25 epochs, with {named}")
    answer = json.loads(bench("plan", "table7", "--seeds", "1", "--json", *typed).out)
    assert answer["overrides"] == ([] if named is None else named.split(", "))


@pytest.mark.parametrize(("typed", "named"), NAMED.values(), ids=NAMED)
def test_tables_name_it_in_every_format(suite, typed, named):
    benchmark = suite.benchmark("table7", overrides=grammar.parse(typed)[0])
    store = [record(entry.cell(0)) for entry in benchmark.entries]

    table = build_table("table7", suite.table("table7"), benchmark, arms_of(store))
    words = "laptop" if named is None else f"laptop with {named}"
    assert sheets.titled(table)[0][0].endswith(f", scale {words}")
    texts = make_document(suite, {"table7": [table]}, endings=()).texts
    assert f"### Scale {words}: digits" in texts["tables/table7/README.md"]
    assert f"\nScale {words}: digits" in texts["RESULTS.md"]
    assert f"Scale {words}digits" in "".join(at_scale(table, Groups()).itertext())


def test_a_row_that_an_override_does_not_change_is_not_said_to_be_changed(suite):
    """Of a benchmark with several methods, a parameter of one."""
    benchmark = suite.benchmark("table8b", overrides=grammar.parse(["method.temperature=0.3"])[0])
    assert benchmark.overrides == ["method.temperature=0.3"]
    plain = {entry.template.id for entry in suite.benchmark("table8b").entries}
    for entry in benchmark.entries:
        assert bool(entry.overrides) == (entry.template.id not in plain)


def write(store: Store, benchmark, seeds: int = 1, **changes) -> None:
    for entry in benchmark.entries:
        for seed in range(seeds):
            store.write(record(entry.cell(seed), **changes))


def overridden(suite, *words: str, table: str = "table7", scale: str = "laptop"):
    return suite.benchmark(table, scale, overrides=grammar.parse(words)[0])


def test_show_names_it_where_a_table_is_printed(bench, suite):
    write(Store(Path("results")), overridden(suite, "training.epochs=2"))
    done = bench("show", "table7", "training.epochs=2")
    assert "scale laptop with training.epochs=2" in done.out
    assert "with training" not in bench("show", "table7").out
    (table,) = json.loads(bench("show", "table7", "training.epochs=2", "--json").out)
    assert table["overrides"] == ["training.epochs=2"]
    assert bench("power", "table7", "training.epochs=2").out.startswith("with training.epochs=2\n")


# Records of the folder, as (overrides, status), → what is said of those that no declared table has.
STRAYS = {
    "none": ([], []),
    "declared": ([("", "done")], []),
    "one override": (
        [("training.epochs=2", "done")],
        ["2 records belong to no declared table: table7 at scale laptop with training.epochs=2"],
    ),
    "two overrides": (
        [("training.epochs=2 method.weight=0.5", "done")],
        [
            "2 records belong to no declared table: table7 at scale laptop with method.weight=0.5, "
            "training.epochs=2"
        ],
    ),
    "beside declared ones": (
        [("", "done"), ("encoder.width=4", "collapsed")],
        ["2 records belong to no declared table: table7 at scale laptop with encoder.width=4"],
    ),
    "failed": (
        [("encoder.width=4", "failed")],
        ["2 records belong to no declared table: table7 at scale laptop with encoder.width=4"],
    ),
    "of two kinds": (
        [("encoder.width=4", "done"), ("training.epochs=2", "done")],
        [
            "4 records belong to no declared table:",
            "  2 of them: table7 at scale laptop with encoder.width=4",
            "  2 of them: table7 at scale laptop with training.epochs=2",
        ],
    ),
    "of many kinds": (
        [(f"training.epochs={number}", "done") for number in range(1, 7)],
        [
            "12 records belong to no declared table:",
            *(f"  2 of them: table7 at scale laptop with training.epochs={number}" for number in range(1, 5)),
            "  4 of them: other settings",
        ],
    ),
}
VERBS = {
    "plan": ("plan", "table7", "--seeds", "1"),
    "publish": ("report", "--publish"),
    "local": ("report", "--local", "--out", "there"),
    "page": ("report", "--html", "--local", "--out", "there.html"),
}
HEADS = {
    "plan": "",
    "publish": "not published: ",
    "local": "not in the report: ",
    "page": "not in the report: ",
}


@pytest.mark.parametrize(
    ("verb", "case"),
    [("plan", case) for case in STRAYS]
    + [(verb, case) for verb in list(VERBS)[1:] for case in ("declared", "one override")],
)
def test_records_of_no_declared_table_are_named(bench, tmp_path, monkeypatch, verb, case):
    mine = suite_of(tmp_path / "mine", "table7")
    monkeypatch.setenv("BENCH_SUITE", str(mine.root))
    records, words = STRAYS[case]
    for text, status in records:
        write(Store(Path("results")), overridden(mine, *text.split()), status=status)
    done = bench(*VERBS[verb])
    assert done.code == 0, done.err
    head = [f"{HEADS[verb]}{words[0]}", *words[1:]] if words else []
    lines = done.out.splitlines()
    assert [line for line in lines if line in head] == head
    assert bool(head) == ("no declared table" in done.out)


def test_a_plan_does_not_name_its_own_cells_and_names_others(bench, suite):
    write(Store(Path("results")), overridden(suite, "training.epochs=2"))
    write(Store(Path("results")), overridden(suite, table="table8b"))
    assert "no declared table" not in bench("plan", "table7", "training.epochs=2").out
    assert "no declared table" in bench("plan", "table8b").out
    answer = json.loads(bench("plan", "table8b", "--json").out)
    assert answer["undeclared"] == [
        "2 records belong to no declared table: table7 at scale laptop with training.epochs=2"
    ]


def test_a_plan_goes_on_where_another_benchmark_is_wrong(bench, tmp_path, monkeypatch):
    mine = suite_of(tmp_path / "mine", "table7", "table8b")
    monkeypatch.setenv("BENCH_SUITE", str(mine.root))
    write(Store(Path("results")), overridden(mine, "encoder.width=4"))
    (mine.root / "benchmarks" / "table8b.yaml").write_text("title: nothing else\n")
    done = bench("plan", "table7")
    assert done.code == 0
    aside = "(what table8b declares is not known: `bench doctor`)"
    assert (
        f"2 records belong to no declared table {aside}: table7 at scale laptop with encoder.width=4"
        in done.out
    )


def test_records_of_another_scale_are_declared(bench, suite):
    write(Store(Path("results")), overridden(suite, scale="cpu"))
    assert "no declared table" not in bench("plan", "table7").out


def test_what_was_published_and_is_declared_no_more_is_named(bench, tmp_path, monkeypatch):
    """Where the file is written anew they go, and that is said; else they stay, and no table shows them."""
    mine = suite_of(tmp_path / "mine", "table7")
    monkeypatch.setenv("BENCH_SUITE", str(mine.root))
    path = mine.root / "results" / "published" / "laptop.parquet"
    path.parent.mkdir(parents=True)
    stray = [record(entry.cell(0)) for entry in overridden(mine, "training.epochs=2").entries]
    publish([*stray, *(record(entry.cell(0)) for entry in overridden(mine).entries)], path)
    words = "2 records belong to no declared table: table7 at scale laptop with training.epochs=2"
    assert f"published for scale laptop: {words}\n" in bench("report").out
    done = bench("report", "--check")
    assert (done.code, f"published for scale laptop: {words}\n" in done.out) == (0, True)
    assert f"no longer published: {words}\n" in bench("report", "--publish").out
    assert len(read_published(path)) == 2
    assert "no declared table" not in bench("report").out
