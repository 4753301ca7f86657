"""`bench export` and `bench show --json`: every number as it was recorded, once, with what it is of."""

import json
import re
import statistics
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT, suite_of
from synthetic import VALUES, record, records_of

from clopbench.identity import flatten
from clopbench.results.published import publish
from clopbench.results.records import Store

DOCUMENT = (ROOT / "docs" / "numbers.md").read_text()


@pytest.fixture
def suite(tmp_path, monkeypatch):
    found = suite_of(tmp_path / "suite", "table7", "overhead")
    monkeypatch.setenv("BENCH_SUITE", str(found.root))
    return found


@pytest.fixture
def records(suite, tmp_path):
    """Three seeds of both rows in ./results, and one that diverged."""
    benchmark = suite.benchmark("table7")
    found = [*records_of(benchmark), record(benchmark.entries[0].cell(3), None, "diverged")]
    for one in found:
        Store(tmp_path / "results").write(one)
    return found


def read_json(path):
    return pd.DataFrame(json.loads(Path(path).read_text()))


def exported(bench, kind, *words):
    done = bench("export", "table7", "--to", kind, "--out", f"out.{kind}", *words)
    assert (done.code, done.out) == (0, f"wrote out.{kind}: 1 table\n"), done.err
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": read_json}
    return read[kind](f"out.{kind}")


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_a_row_for_each_cell_and_metric_with_all_settings(bench, records, kind):
    found = exported(bench, kind)
    expected = {(one.cell.id, metric): value for one in records for metric, value in one.metrics.items()} | {
        (records[-1].cell.id, m): None for m in found[found.status == "diverged"].metric
    }
    assert len(found) == len(expected)
    for row in found.to_dict("records"):
        value = expected.pop((row["cell"], row["metric"]))
        assert row["value"] == value or (value is None and pd.isna(row["value"]))
        cell = next(one.cell for one in records if one.cell.id == row["cell"])
        assert (row["table"], row["scale"], row["seed"]) == ("table7", "laptop", cell.seed)
        assert row["n"] == (0 if value is None else 3) or row["status"] == "diverged"
        for key, setting in flatten(cell.config()).items():
            wanted = json.dumps(setting) if isinstance(setting, list) else setting
            assert (wanted is None and pd.isna(row[key])) or row[key] == wanted, key
    assert not expected
    labels = {"CLOP, orthonormal prototypes", "CLOP, random prototypes"}
    assert set(found.row) == labels
    for key in ("value", "seed", "n", "training.epochs", "training.learning_rate", "method.weight"):
        assert pd.api.types.is_numeric_dtype(found[key]), key


def test_published_records_alone(bench, suite, records):
    folder = suite.root / "results" / "published"
    folder.mkdir(parents=True)
    publish(records[:2], folder / "laptop.parquet")
    assert set(exported(bench, "csv", "--published").cell) == {one.cell.id for one in records[:2]}
    assert len(set(exported(bench, "csv").cell)) == len(records)
    assert set(exported(bench, "csv", "--seeds", "0-1").seed) == {0, 1}


def test_all_tables_of_which_some_have_no_records(bench, records):
    done = bench("export", "--all", "--to", "json")
    assert done.code == 0
    assert {row["table"] for row in json.loads(done.out)} == {"table7"}


def test_tables_as_they_are_pasted(bench, records):
    latex, markdown = (bench("export", "table7", "--to", kind).out for kind in ("latex", "markdown"))
    assert "\\begin{tabular}" in latex
    assert "92.00" in latex
    lines = [re.split(r" *\| *", line.strip("| ")) for line in markdown.splitlines() if line[:1] == "|"]
    assert ["CLOP, random prototypes", "92.00 ± 2.48", "3", "76.8 (sd 1.5, n 10)", "–", "not comparable"] in [
        [text.replace("3/4", "3") for text in line] for line in lines
    ]
    assert "Orthonormal prototypes beat random ones" in markdown


def test_the_example_of_the_documentation_runs(bench, records, capsys):
    exported(bench, "csv")
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 3
    capsys.readouterr()
    exec(code.replace("table7.csv", "out.csv"), {})
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if line.startswith("CLOP, random prototypes")]
    values = [pair[1] for pair in VALUES.values()]
    assert [float(text) for text in line.split()[-3:]] == pytest.approx(
        [3, statistics.mean(values), statistics.stdev(values)]
    )


def test_the_commands_of_the_documentation_run(bench, records, suite):
    folder = suite.root / "results" / "published"
    folder.mkdir(parents=True)
    publish(records, folder / "laptop.parquet")
    commands = [line.partition("#")[0].split() for line in DOCUMENT.splitlines() if line[:6] == "bench "]
    assert len(commands) == 4
    for words in commands:
        assert bench(*words[1:]).code == 0, words


WRONG = {
    "no table": (["--to", "csv"], "no table named"),
    "unknown table": (["tabel7", "--to", "csv"], "unknown table 'tabel7': did you mean 'table7'?"),
    "unknown format": (["table7", "--to", "cvs"], "--to: unknown format 'cvs': did you mean 'csv'?"),
    "no format": (["table7"], "Missing option '--to'"),
    "all and one": (["table7", "--all", "--to", "csv"], "--all: means every table"),
    "no text": (["table7", "--to", "parquet"], "--to parquet: is no text; --out FILE says where it goes"),
    "no folder": (["table7", "--to", "csv", "--out", "nowhere/a.csv"], "--out: no folder nowhere"),
    "a folder": (["table7", "--to", "csv", "--out", "suite"], "--out: suite is a folder"),
    "no records": (["overhead", "--to", "csv", "--out", "a.csv"], "no results of overhead at scale laptop"),
    "none published": (["table7", "--to", "csv", "--published"], "laptop in the published records"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_and_nothing_is_written(bench, tmp_path, records, words, message):
    before = sorted(tmp_path.iterdir())
    done = bench("export", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_is_replaced_whole_or_not_at_all(bench, tmp_path, records, monkeypatch):
    (tmp_path / "a.csv").write_text("earlier")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    done = bench("export", "table7", "--to", "csv", "--out", "a.csv")
    assert (done.code, done.err) == (2, "error: --out: a.csv cannot be written: no space left\n")
    assert (tmp_path / "a.csv").read_text() == "earlier"
    assert not [path for path in tmp_path.iterdir() if path.name not in ("a.csv", "results", "suite")]


def test_show_gives_numbers_beside_texts(bench, records):
    [table] = json.loads(bench("show", "table7", "--json").out)
    random = next(row for row in table["rows"] if row["row"] == "CLOP, random prototypes")
    values = [pair[1] for pair in VALUES.values()]
    found = random["numbers"]["metrics"]["probe_top1"]
    assert found["values"] == {str(seed): pair[1] for seed, pair in VALUES.items()}
    assert (found["n"], found["mean"]) == (3, pytest.approx(statistics.mean(values)))
    assert found["sd"] == pytest.approx(statistics.stdev(values))
    # t(0.975, 2) = 4.3027.
    half = 4.302652729911275 * statistics.stdev(values) / 3**0.5
    assert (found["low"], found["high"]) == pytest.approx((0.92 - half, 0.92 + half))
    assert random["numbers"]["point"] == {"prototypes": "random"}
    assert random["numbers"]["paper"] == {"mean": 0.768, "sd": 0.015, "n": 10}
    [claim] = [one for one in table["claims"] if one["claim"] == "Orthonormal prototypes beat random ones"]
    numbers = claim["numbers"]
    assert (numbers["n"], numbers["in_favour"], numbers["p"]) == (3, 3, None)  # Too few seeds for a test.
    assert numbers["estimate"] == pytest.approx(0.02)
    assert [one["first"] for one in numbers["comparisons"]] == [[{"prototypes": "orthonormal"}]]
