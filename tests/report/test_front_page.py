"""The front page: the answer in six lines between its marks, and not a sign changed elsewhere."""

import re

import pytest
from checkout import ROOT, suite_of
from synthetic import record

from clopbench.report import front_page
from clopbench.report.document import collect, make_document
from clopbench.report.observations import group_by_arm

BEFORE, AFTER = "# Mine\n\n", "\n\nand *more*\n"
MARKED = f"{BEFORE}<!-- answer: begin -->\nold\n<!-- answer: end -->{AFTER}"


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("front"), "table7", "table8b")


def texts_of(suite, at):
    return make_document(suite, collect(suite, at), endings=()).texts


def lines_of(text):
    return [line for line in text.splitlines() if line.startswith("| ")][2:]


def made(suite, name, accuracy):
    """Ten seeds of each row."""
    entries = suite.benchmark(name).entries
    return [
        record(entry.cell(seed), accuracy[place] + 0.001 * (seed * (3 + place) % 7))
        for place, entry in enumerate(entries)
        for seed in range(10)
    ]


def test_one_line_for_each_ten_of_importance(suite):
    """Tables 7 and 8b are both of the twenties: the claim that was decided stands, the others are counted."""
    (suite.root / "README.md").write_text(MARKED)
    records = [*made(suite, "table7", (0.9, 0.9)), *made(suite, "table8b", (0.9, 0.7, 0.6))]
    each = {
        one.cell.id: one.to_json() for one in records
    }  # Both tables have orthonormal prototypes and cosine.
    text = texts_of(suite, {"laptop": group_by_arm(each.values())})["README.md"]
    assert text.startswith(BEFORE)
    assert text.endswith(f"<!-- answer: end -->{AFTER}")
    [line] = lines_of(text)
    claim, effect, where, verdict, others = line.strip("| ").split(" | ")
    assert claim == "[Cosine is the best similarity for the pull](tables/table8b/README.md)"
    assert re.fullmatch(r"\+\d+\.\d\d \[\+\d+\.\d\d, \+\d+\.\d\d\]", effect)
    assert where == "digits, scale laptop, n = 10"
    assert verdict.startswith("✔ supported")
    assert others == "2 ?"


def test_what_is_written_again_stays(suite):
    (suite.root / "README.md").write_text(MARKED)
    at = {"laptop": group_by_arm(one.to_json() for one in made(suite, "table7", (0.8, 0.7)))}
    first = texts_of(suite, at)["README.md"]
    (suite.root / "README.md").write_text(first)
    assert texts_of(suite, at)["README.md"] == first != MARKED


@pytest.mark.parametrize(
    "text",
    ["nothing", "<!-- answer: begin --> alone", "<!-- answer: end --><!-- answer: begin -->", MARKED + MARKED],
)
def test_a_page_without_its_two_marks_is_left_alone(suite, text):
    (suite.root / "README.md").write_text(text)
    assert "README.md" not in texts_of(suite, {})


def test_without_a_page_none_is_made(suite):
    (suite.root / "README.md").unlink(missing_ok=True)
    assert "README.md" not in texts_of(suite, {})


def test_the_published_one_has_six_lines_at_most():
    """And all of the answer within the first screens: before it no more than forty lines."""
    text = (ROOT / "README.md").read_text()
    before, _, rest = text.partition(front_page.BEGIN)
    assert 1 <= len(lines_of(rest.partition(front_page.END)[0])) <= front_page.LINES
    assert before.count("\n") < 40
