"""Signs of failure that a table declares: counted over its cells, and said of a single cell."""

from dataclasses import replace

import pytest
from checkout import suite_of
from synthetic import arms, record

from clopbench.errors import UserError
from clopbench.parameters import validated
from clopbench.report import signs
from clopbench.report.document import collect, make_document
from clopbench.report.formats import sheets
from clopbench.results.records import Store
from clopbench.suite.checks import CheckDeclaration

HEALTHY = {
    "dominant_share": 0.2,
    "prototype_cosine_own": 0.8,
    "prototype_overlap": 1e-7,
    "prototype_top1": 0.95,
    "probe_top1": 0.97,
}
FAILED = {
    "collapse": {"dominant_share": 0.99},
    "prototypes_ignored": {"prototype_cosine_own": 0.02},
    "not_orthonormal": {"prototype_overlap": 0.3},
    "classes_confused": {"prototype_top1": 0.4},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("suite"), "sanity")


@pytest.fixture(scope="module")
def checks(whole):
    return {check.name: check for check in whole.table("sanity").checks}


@pytest.mark.parametrize("failed", [None, *FAILED])
def test_each_failure_sets_off_its_own_sign_and_no_other(checks, failed):
    metrics = HEALTHY | FAILED.get(failed, {})
    shown = {name for name, check in checks.items() if check.shows(check.amount(metrics))}
    assert shown == ({failed} if failed else set())
    assert checks.keys() == FAILED.keys()


@pytest.mark.parametrize(
    ("given", "amount", "shows"), [(0.91, 0.91, True), (0.9, 0.9, False), (None, None, None)]
)
def test_at_the_limit_nothing_shows_and_what_is_not_measured_is_not_judged(checks, given, amount, shows):
    check = checks["collapse"]
    assert check.amount({"dominant_share": given}) == amount
    assert given is None or check.shows(amount) is shows


def test_a_check_has_one_limit():
    declared = {"name": "a", "text": "b", "metric": "c", "reason": "d"}
    for limits in ({}, {"above": 1.0, "below": 0.0}):
        with pytest.raises(UserError, match="needs one limit: above or below"):
            validated(CheckDeclaration, declared | limits, "check")
    assert (
        validated(CheckDeclaration, declared | {"minus": "e", "below": -0.1}, "check").rule
        == "c - e below -0.1"
    )


def test_the_page_counts_the_seeds_that_measured_each_sign(whole):
    """Three seeds of CLOP: one collapsed, one healthy, one from before the first singular value counted."""
    [entry] = [one for one in whole.benchmark("sanity").entries if one.coordinates == {"variant": "clop"}]
    older = {name: value for name, value in HEALTHY.items() if name != "dominant_share"}
    records = [
        replace(record(entry.cell(seed)), metrics=metrics)
        for seed, metrics in enumerate([HEALTHY | FAILED["collapse"], HEALTHY, older])
    ]
    tables = collect(whole, {"laptop": arms(records)})
    [sheet] = [one for one in sheets.further_sheets(tables["sanity"][0]) if one.title.startswith("Signs")]
    assert sheet.body == [["CLOP", "1 of 2", "0 of 3", "0 of 3", "0 of 3"]]
    page = make_document(whole, tables).texts["tables/sanity/README.md"]
    assert "dominant_share above 0.9" in page.replace("\\_", "_")
    assert "| 1 of 2 |" in page


def test_a_cell_says_what_shows_and_what_was_not_measured(whole, bench, tmp_path):
    cell = whole.benchmark("sanity").entries[0].cell(0)
    metrics = HEALTHY | FAILED["classes_confused"] | {"dominant_share": None}
    Store(tmp_path).write(replace(record(cell), metrics=metrics))
    said = dict(signs.of_cell(whole, metrics))
    shown = bench("show", cell.id, "--suite", whole.root, "--results", tmp_path).out
    for text, words in said.items():
        assert f"  {text}: {words}\n" in shown
    assert [words.split(" (")[0] for words in said.values()] == ["not measured", "no", "no", "yes"]
    assert "yes (-0.57; shows for prototype_top1 - probe_top1 below -0.1)" in said.values()


def test_a_metric_that_no_cell_has_is_refused(whole, tmp_path):
    suite = suite_of(tmp_path / "other", "sanity")
    path = suite.root / "tables" / "sanity.yaml"
    path.write_text(path.read_text().replace("metric: prototype_overlap", "metric: prototype_overlop"))
    with pytest.raises(UserError, match=r"check not_orthonormal: .*prototype_overlap"):
        suite.benchmark("sanity")
