"""Declared thresholds from records to pages: what they find, how they are written, what they refuse."""

import csv
import functools
import io
import json
import shutil

import pytest
import yaml
from checkout import ROOT, some
from synthetic import record

from clopbench.cli.options import Asked, Folders
from clopbench.cli.request import Request
from clopbench.errors import UserError
from clopbench.parameters import validated
from clopbench.report import threshold_lines
from clopbench.report.document import collect, make_document
from clopbench.report.formats import sheets
from clopbench.report.observations import group_by_arm
from clopbench.report.tables import build_table, judge_together
from clopbench.results.records import Store
from clopbench.suite.declarations import TableDeclaration
from clopbench.suite.suite import Suite

BENCHMARK = """\
defaults:
  - scale: laptop
  - _self_
title: "Rates"
axes:
  method:
    supcon: {method: {name: supcon, temperature: 0.5}}
    clop: {method: {name: clop, temperature: 0.2}}
  learning_rate:
    "10": {training.learning_rate: 10.0}
    "1": {training.learning_rate: 1.0}
    "100": {training.learning_rate: 100.0}
method: {name: clop}
"""
FALLS = {
    "name": "falls",
    "text": "the rate at which accuracy halves",
    "axis": "learning_rate",
    "metric": "probe_top1",
    "reference": "method.temperature / 2",
    "reference_title": "τ/2",
}
HIGHER = {
    "name": "later", "kind": "higher_threshold", "text": "CLOP falls later", "paper": "words",
    "candidate": {"method": "clop"}, "than": {"method": "supcon"}, "threshold": "falls",
}  # fmt: skip
DECLARED = {
    "title": "Rates",
    "benchmark": "rates",
    "rows": "method",
    "columns": "learning_rate",
    "metric": "probe_top1",
    "metric_title": "top-1",
    "labels": {"clop": "CLOP"},
    "paper": {"source": "none", "setting": "none"},
    "thresholds": [FALLS],
    "claims": [HIGHER],
}
# At rates 1, 10 and 100. SupCon is at half of its best half-way between 1 and 10, always. CLOP falls beyond
# the grid in seven seeds; in two it diverges at 100, and in one it falls where SupCon does.
SUPCON = (0.8, 0.0, 0.0)
CLOP = {seed: (0.8, 0.8, 0.7) for seed in range(7)} | {7: (0.8, 0.8, None), 8: (0.8, 0.8, None), 9: SUPCON}


@pytest.fixture(scope="module")
def rates(tmp_path_factory):
    """A suite with one benchmark over learning rates, whose points are not in order, and its table."""
    tmp_path = tmp_path_factory.mktemp("suite")
    shutil.copytree(ROOT / "methods", tmp_path / "methods")
    shutil.copytree(ROOT / "benchmarks" / "scale", tmp_path / "benchmarks" / "scale")
    (tmp_path / "benchmarks" / "rates.yaml").write_text(BENCHMARK)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "rates.yaml").write_text(yaml.safe_dump(DECLARED))
    return Suite(tmp_path)


@functools.cache
def benchmark_of(suite):
    return suite.benchmark("rates")


def records_of(suite, seeds=tuple(range(10))):
    records = []
    for entry in benchmark_of(suite).entries:
        column = ["1", "10", "100"].index(entry.coordinates["learning_rate"])
        for seed in seeds:
            values = SUPCON if entry.coordinates["method"] == "supcon" else CLOP[seed]
            status = "diverged" if values[column] is None else "done"
            records.append(record(entry.cell(seed), values[column], status))
    return records


def table_of(suite, records, **changes):
    declaration = validated(TableDeclaration, DECLARED | changes, "tables/rates.yaml")
    arms = group_by_arm(one.to_json() for one in records)
    return judge_together([build_table("rates", declaration, benchmark_of(suite), arms)])[0]


def test_thresholds_and_their_words(rates):
    table = table_of(rates, records_of(rates))
    [sheet] = sheets.threshold_sheets(table)
    assert sheet.head == [
        "row", "median threshold", "interval", "n", "beyond the grid", "τ/2", "threshold / τ/2",
    ]  # fmt: skip
    # SupCon: √10 in all seeds; in units of 0.25 that is 12.6, and 1 and 10 are 4 and 40.
    assert sheet.body == [
        ["supcon", "3.16", "(1, 10] with 97.9 %", "10", "–", "0.25", "12.6 (4, 40]"],
        ["CLOP", "> 100", "(10, ∞) with 97.9 %", "10", "> 100 in 7 of 10 seeds", "0.1", "> 1000 (100, ∞)"],
    ]
    assert len(sheet.links) == 2


def test_a_claim_that_one_threshold_is_higher(rates):
    table = table_of(rates, records_of(rates))
    [claim] = table.claims
    # Nine seeds are later, one is a tie: p = 2 / 2⁹.
    assert claim.verdict.verdict == "supported"
    assert claim.verdict.p == pytest.approx(2 / 512)
    [row] = sheets.claim_rows(table)
    assert row[1] == "higher in 9, lower in 0, tied in 1, share 1.00 [0.66, 1.00]"
    assert row[4] == "9 of 10"
    assert len(claim.cells) == 60
    assert claim.left_out == ()
    turned = table_of(rates, records_of(rates), claims=[
        HIGHER | {"candidate": {"method": "supcon"}, "than": {"method": "clop"}}
    ])  # fmt: skip
    assert turned.claims[0].verdict.verdict == "contradicted"


def test_few_seeds_and_missing_cells(rates):
    one = table_of(rates, records_of(rates, (9,)))
    assert [line[1:5] for line in sheets.threshold_sheets(one)[0].body] == [["3.16", "–", "1", "–"]] * 2
    assert one.claims[0].text == "undecided: too few seeds (1 of at least 6)"
    gaps = [r for r in records_of(rates, (0, 1, 9)) if r.cell.seed != 1 or r.cell.training.learning_rate != 10]
    table = table_of(rates, gaps)
    assert [line.incomplete for line in table.thresholds] == [1, 1]
    assert [list(line.brackets) for line in table.thresholds] == [[0, 9]] * 2
    assert sheets.threshold_sheets(table)[0].body[0][3] == "2 (1 incomplete)"
    assert some(table.claims[0].weakest)[1].n == 2
    none = table_of(rates, [])
    assert sheets.threshold_sheets(none)[0].body[0][1:] == ["not run", "–", "0", "–", "0.25", "–"]
    assert none.claims[0].verdict.verdict == "not run"


def test_a_collapsed_cell_has_fallen_and_may_recover(rates):
    records = [
        record(one.cell, 0.8, "collapsed" if one.cell.training.learning_rate == 10 else "done")
        for one in records_of(rates, (0,))
    ]
    table = table_of(rates, records)
    assert [line.brackets[0].position for line in table.thresholds] == [1, 1]
    assert sheets.threshold_sheets(table)[0].body[0][1:4] == ["3.16", "–", "1 (1 recover)"]


def test_pages_csv_latex_and_terminal(rates):
    arms = group_by_arm(one.to_json() for one in records_of(rates))
    tables = collect(rates, {"laptop": arms})
    document = make_document(rates, tables)
    results, page = document.texts["RESULTS.md"], document.texts["tables/rates/README.md"]
    assert "The rate at which accuracy halves:\n\n| row | median threshold |" in results
    assert "| supcon | 3.16 | (1, 10] with 97.9 % |" in results
    assert "| supcon | [3.16](#laptop-falls-supcon) | (1, 10] with 97.9 % |" in page
    assert '<a id="laptop-falls-clop"></a>**the rate at which accuracy halves: CLOP**: seed 0 > 100, ' in page
    assert "seed 7 10–100 (31.6), seed 8 10–100 (31.6), seed 9 1–10 (3.16)." in page
    assert "12.6 (4, 40]" in document.texts["tables/rates/table.tex"]
    lines = [
        line for line in csv.DictReader(io.StringIO(document.texts["tables/rates/table.csv"]))
        if line["kind"] == "threshold"
    ]  # fmt: skip
    assert [line["point"] for line in lines] == ["method=supcon", "method=clop"]
    assert float(lines[0]["mean"]) == pytest.approx(10**0.5)
    assert (lines[1]["mean"], lines[1]["low_95"], lines[1]["high_95"]) == ("", "10.0", "")
    assert lines[1]["reason"] == "> 100 in 7 of 10 seeds"
    grids = sheets.titled(tables["rates"][0])
    assert [title for title, _, _ in grids][1:] == [
        "Rates, scale laptop, Seeds that collapsed or diverged",
        "Rates, scale laptop, the rate at which accuracy halves", "Claims (corrected over 1 claim)",
    ]  # fmt: skip


def test_json_has_every_bracket_and_no_infinity(rates, tmp_path):
    store = Store(tmp_path / "results")
    for one in records_of(rates, (0, 9)):
        store.write(one)
    folders = Folders(suite=rates.root, results=store.root)
    request = Request(Asked(tables=["rates"], seeds=None, folders=folders))
    [shown] = json.loads(json.dumps(request.table_rows(), allow_nan=False))
    _, clop = shown["thresholds"]
    assert clop["brackets"] == {"0": [100.0, None], "9": [1.0, 10.0]}
    assert (clop["n"], clop["above"], clop["censored"], clop["predicted"]) == (2, 1, 0.5, 0.1)
    assert (clop["median"], clop["at_most"], clop["interval"]) == (None, None, None)
    # The geometric mean of √10 and something above 100.
    assert clop["at_least"] == pytest.approx(1000**0.25 * 10**0.5)


def refused(rates, **changes):
    """The words with which the suite refuses the table once it is declared so."""
    path = rates.root / "tables" / "rates.yaml"
    path.write_text(yaml.safe_dump(DECLARED | changes), encoding="utf-8")
    try:
        with pytest.raises(UserError) as caught:
            rates.benchmark("rates")
    finally:
        path.write_text(yaml.safe_dump(DECLARED), encoding="utf-8")
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 1.0}, "thresholds.0.share: input should be less than 1"),
        ({"metrc": "x"}, "thresholds.0.metrc: unknown field; did you mean 'metric'?"),
        ({"reference": "τ/2"}, "thresholds.0.reference: a setting, or a setting * or / a number"),
        ({"reference": "method.temperature / 0"}, "thresholds.0.reference: a setting"),
        (
            {"axis": "learning_rat"},
            "threshold falls: unknown axis 'learning_rat': did you mean 'learning_rate'?",
        ),
        ({"axis": "method"}, "threshold falls: axis method: 'supcon' is not a number above 0"),
        ({"reference": "method.temprature / 2"}, "unknown numeric setting 'method.temprature': did you mean"),
        ({"reference": "learning_rate"}, "threshold falls: reference: learning_rate changes along axis"),
        ({"name": "rises"}, "claim later: unknown threshold 'falls': (available: rises)"),
    ],
)
def test_what_is_refused(rates, change, message):
    assert message in refused(rates, thresholds=[FALLS | change])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"than": {"learning_rate": 1}},
            "axis 'learning_rate' is what the threshold lies on, so name no point",
        ),
        ({"metric": "knn_top1"}, "metric, direction and format are those of the threshold"),
        ({"than": {"method": "subcon"}}, "unknown point of axis method 'subcon': did you mean 'supcon'?"),
    ],
)
def test_what_a_claim_refuses(rates, change, message):
    assert message in refused(rates, claims=[HIGHER | change])


def test_two_thresholds_of_one_name_are_refused(rates):
    assert "threshold falls: there are two of this name" in refused(rates, thresholds=[FALLS, FALLS])


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("method.temperature / 2", 0.25), ("method.temperature*256", 128.0), ("training.batch_size", 256.0)],
)
def test_references(rates, reference, expected):
    table = table_of(rates, [], thresholds=[FALLS | {"reference": reference}])
    assert table.thresholds[0].predicted == expected


def test_a_method_without_the_setting_has_no_prediction(rates):
    table = table_of(rates, [], thresholds=[FALLS | {"reference": "method.weight"}])
    assert [line.predicted for line in table.thresholds] == [None, 1.0]
    assert threshold_lines.as_data(table.thresholds[0])["predicted"] is None


def test_the_published_declaration_fits_its_benchmark():
    suite = Suite(ROOT)
    table = build_table("critical_lr", suite.table("critical_lr"), suite.benchmark("critical_lr"), {})
    assert len(suite.benchmark("critical_lr").entries) <= 40
    halves = [line for line in table.thresholds if line.declaration.name == "rank_halves"]
    assert [line.predicted for line in halves] == [0.05, 0.05, 0.1, 0.1, 0.25, 0.25]
