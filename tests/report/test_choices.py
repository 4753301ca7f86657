"""A point that a table chooses in each row by held-out images: which it is, and what then stands on it."""

from dataclasses import replace

import pytest
from checkout import suite_of
from synthetic import arms, record

from clopbench.errors import UserError
from clopbench.report.document import collect, make_document
from clopbench.report.formats import sheets

# Method → rate → (held-out accuracy, test accuracy) at seeds 0 and 1. CLOP's best on the test set is rate 5,
# but the held-out images say 1; SupCon's are equal at 0.1 and 1; SimCLR diverged at rate 5 at one seed, and was
# best there at the other.
SEEN = {
    "clop": {
        "0.1": [(0.80, 0.70), (0.84, 0.72)],
        "1": [(0.90, 0.75), (0.86, 0.77)],
        "5": [(0.95, 0.91), (0.60, 0.93)],
    },
    "supcon": {"0.1": [(0.7, 0.5), (0.8, 0.6)], "1": [(0.8, 0.8), (0.7, 0.9)], "5": [(0.1, 0.1), (0.1, 0.1)]},
    "simclr": {"0.1": [(0.6, 0.6), (0.6, 0.6)], "5": [(0.99, 0.99), None]},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("suite"), "rivals")


@pytest.fixture(scope="module")
def tables(whole):
    records = []
    for entry in whole.benchmark("rivals").entries:
        seen = SEEN.get(entry.coordinates["method"], {}).get(entry.coordinates["learning_rate"], [])
        for seed, pair in enumerate(seen):
            one = record(entry.cell(seed), None, "done" if pair else "diverged")
            metrics = {} if pair is None else {"validation_top1": pair[0], "probe_top1": pair[1]}
            records.append(replace(one, metrics=metrics))
    return collect(whole, {"laptop": arms(records)})


def own_best(table, method):
    wanted = {"method": method, "learning_rate": "own_best"}
    [found] = [number for number in table.numbers if number.coordinates == wanted]
    return found


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("clop", {0: 0.75, 1: 0.77}),
        ("supcon", {0: 0.5, 1: 0.6}),  # Of equals the first.
        ("simclr", {0: 0.6, 1: 0.6}),  # (0.99 + chance) / 2 is below 0.6.
        ("byol", {}),
    ],
)
def test_the_best_on_held_out_images_is_chosen_whatever_the_test_set_says(tables, method, values):
    [table] = tables["rivals"]
    assert own_best(table, method).values == values


def test_both_columns_are_shown_and_what_was_chosen_by_what(tables, whole):
    [table] = tables["rivals"]
    first = sheets.sheets(table)[0]
    assert first.head == ["method", "rate 0.1", "rate 1", "rate 5", "own best rate"]
    row = next(line for line in first.body if line[0] == "CLOP")
    assert [text.split(" ")[0] for text in row[1:]] == ["71.00", "76.00", "92.00", "76.00"]
    [chosen] = [sheet for sheet in sheets.further_sheets(table) if sheet.head[1] == "chosen"]
    assert chosen.body[:3] == [
        ["CLOP", "rate 1", "82.00", "88.00", "77.50"],
        ["SupCon", "rate 0.1", "75.00", "75.00", "10.00"],
        ["SimCLR", "rate 0.1", "60.00", "not run", "54.50"],
    ]
    assert len(chosen.body) == 3
    assert "own best rate: chosen by" in make_document(whole, tables).texts["tables/rivals/README.md"].lower()


def test_a_claim_may_be_about_the_chosen_point(tables):
    """CLOP at rate 1 against SupCon at rate 0.1, seed by seed."""
    [table] = tables["rivals"]
    [claim] = [one for one in table.claims if one.declaration.name == "clop_is_best"]
    assert len(claim.contrasts) == 13
    supcon = claim.effects[0]
    assert supcon is not None and (supcon.n, supcon.estimate) == (2, pytest.approx((0.25 + 0.17) / 2))


def test_cells_are_counted_once(tables):
    [table] = tables["rivals"]
    assert len(table.cells) == 16


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("  axis: learning_rate\n  point: own", "  axis: learning_rat\n  point: own", "learning_rate"),
        ("  point: own_best", "  point: 5", "'5' is a point of the benchmark"),
        (
            "  metric: validation_top1\n\n",
            "  metric: knn_top1\n\n",
            "choice: 'knn_top1' is no metric of the table",
        ),
    ],
)
def test_a_choice_that_does_not_fit_is_refused(tmp_path, old, new, rule):
    suite = suite_of(tmp_path / "other", "rivals")
    path = suite.root / "tables" / "rivals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError) as error:
        suite.benchmark("rivals")
    assert any(rule in problem for problem in error.value.problems)
