"""Tables whose columns are metrics of the same cells, each with numbers of the paper of its own."""

import csv
import io
from dataclasses import replace

import pytest
from synthetic import record

from clopbench.errors import UserError
from clopbench.parameters import validated
from clopbench.report import summary
from clopbench.report.formats import sheets
from clopbench.report.formats.csv_file import to_csv
from clopbench.report.formats.latex import to_latex
from clopbench.report.observations import group_by_arm
from clopbench.report.tables import Table, build_table, judge_together
from clopbench.results.records import Record
from clopbench.suite.declarations import TableDeclaration

DECLARED = {
    "title": "Two data sets",
    "benchmark": "table7",
    "rows": "prototypes",
    "metric": "mean",
    "metric_title": "mean of both",
    "metrics_across": True,
    "also": [
        {"metric": "one", "title": "first set"},
        {"metric": "other", "title": "second set"},
        {"metric": "absent", "title": "a set that nobody has"},
    ],
    "paper": {
        "source": "somewhere",
        "setting": "some setting",
        "margin": 0.02,
        "margin_reason": "for this test",
        "values": [
            {"at": {"prototypes": "random"}, "metric": "one", "mean": 0.5},
            {"at": {"prototypes": "random"}, "metric": "absent", "mean": 0.7},
            {"at": {"prototypes": "orthonormal"}, "mean": 0.9, "sd": 0.01, "n": 10},
        ],
    },
    "claims": [
        {
            "name": "second", "kind": "better", "text": "Orthonormal is better on the second set", "paper": "",
            "metric": "other", "better": {"prototypes": "orthonormal"}, "than": {"prototypes": "random"},
        }
    ],
}  # fmt: skip


def table(suite, scale: str = "paper", **changes) -> Table:
    """Three seeds: orthonormal has 0.6, 0.8 (+ a little with the seed), random 0.5, 0.3."""
    declaration = validated(TableDeclaration, DECLARED | changes, "tables/two.yaml")
    benchmark = suite.benchmark("table7", scale)
    records: list[Record] = []
    for entry, values in zip(benchmark.entries, ((0.6, 0.8), (0.5, 0.3)), strict=True):
        for seed in range(3):
            one, other = (value + 0.001 * seed for value in values)
            metrics = {"one": one, "other": other, "mean": (one + other) / 2}
            records.append(replace(record(entry.cell(seed)), metrics=metrics))
    arms = group_by_arm(entry.to_json() for entry in records)
    return judge_together([build_table("two", declaration, benchmark, arms)])[0]


def test_each_metric_is_a_column(suite):
    [numbers, against] = sheets.sheets(table(suite))
    assert numbers.head == ["row", "n", "mean of both, %", "first set, %", "second set, %"]
    values = [[text.split(" ± ")[0] for text in line] for line in numbers.body]
    assert values == [
        ["orthonormal", "3", "70.10", "60.10", "80.10"],
        ["random", "3", "40.10", "50.10", "30.10"],
    ]
    assert set(numbers.links) == {(0, 2), (1, 2)}
    assert [line[:2] for line in against.body] == [
        ["orthonormal", "mean of both"], ["random", "first set"], ["random", "a set that nobody has"],
    ]  # fmt: skip
    verdicts = [line[-1].split(" (")[0] for line in against.body]
    assert verdicts == ["outside the margin", "reproduced", "not run"]
    assert against.body[2][2] == "not run"


def test_the_papers_numbers_are_counted_by_metric(suite):
    found = table(suite)
    assert summary._verdicts(found.declaration, [found]) == ["reproduced", "not run", "outside the margin"]
    elsewhere = table(suite, "laptop")
    assert summary._verdicts(elsewhere.declaration, [elsewhere]) == [
        "not comparable", "not run", "not comparable",
    ]  # fmt: skip


def test_claims_name_their_metric_and_files_hold_every_number(suite):
    found = table(suite)
    [claim] = found.claims
    assert claim.weakest is not None and claim.weakest[1].estimate == pytest.approx(0.5)
    rows = [row for row in csv.DictReader(io.StringIO(to_csv([found]))) if row["kind"] == "number"]
    assert [(row["row"], row["metric"]) for row in rows] == [
        (row, metric) for metric in ("mean", "one", "other", "absent") for row in ("orthonormal", "random")
    ]
    assert float(rows[3]["mean"]) == pytest.approx(0.501) and float(rows[3]["paper_mean"]) == 0.5
    assert "first set" in to_latex([found])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": "prototypes"}, "metrics_across and columns exclude each other"),
        ({"format": "number"}, "metrics_across needs metrics of one format"),
        ({"metrics_across": False}, "one is no metric of this table"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(suite, changes, words):
    with pytest.raises(UserError, match=words):
        table(suite, **changes)
