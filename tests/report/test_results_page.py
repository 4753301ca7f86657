"""RESULTS.md answers first: claims by importance, then a short section for each table."""

import re

import pytest
from checkout import ROOT, suite_of
from synthetic import arms, record, records_of

from clopbench.report import results_page
from clopbench.report.document import collect, make_document
from clopbench.report.formats.markdown import Markdown
from clopbench.report.results_page import by_importance
from clopbench.suite.suite import Suite

MANY = {seed: (0.9 + seed / 100, 0.9) for seed in range(8)}
FEW = {seed: (0.9 + seed / 100, 0.9) for seed in range(2)}
PUBLISHED = (ROOT / "RESULTS.md").read_text(encoding="utf-8").splitlines()


def test_the_published_page_can_be_read_in_minutes():
    assert len(PUBLISHED) <= 500
    first = next(number for number, line in enumerate(PUBLISHED) if line.startswith("| ["))
    assert first < 14
    assert "10 % labels" in PUBLISHED[first]  # The paper's headline.


def test_sections_come_by_importance_and_each_leads_to_its_page():
    suite = Suite(ROOT)
    titles = [line[3:].replace("\\", "") for line in PUBLISHED if line.startswith("## ")]
    assert titles[-2:] == ["Not run", "In more words"]
    *sections, idle, _ = "\n".join(PUBLISHED).split("\n## ")[1:]
    names = by_importance(suite, suite.table_names())
    run = [name for name in names if f"(tables/{name}/README.md)" not in idle]
    assert titles[:-2] == [suite.table(name).title for name in run]
    for order in (run, [name for name in names if name not in run]):
        ranks = [suite.table(name).importance for name in order]
        assert len(ranks) > 1
        assert ranks == sorted(ranks)
    for name, section in zip(run, sections, strict=True):
        assert section.count(f"(tables/{name}/README.md)") == 1, name
        assert section.count("](tables/") <= 2, name  # The page and one figure.


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("suite"), "table7", "table8a")


def page_of(suite, at, answer=""):
    return make_document(suite, collect(suite, at), Markdown(answer), endings=()).texts["RESULTS.md"]


def test_a_claim_is_answered_with_effect_place_and_verdict(suite):
    page = page_of(suite, {"laptop": arms(records_of(suite.benchmark("table7")))})
    answer = (
        "| [Orthonormal prototypes beat random ones](tables/table7/README.md) "
        "| 0.780 against 0.768 at n = 10 each: Welch's t = 2.17, p = 0.047 | +2.00 [−2.30, +6.30] "
        "| digits, scale laptop, n = 3 | ? undecided: too few seeds (3 of at least 6) |"
    )
    assert answer in page
    # Those of table 8a, of which one row was run, which is also in table 7.
    idle = len(suite.table("table8a").claims)
    assert f"Not run at any scale: {idle} further claims." in page


def test_nothing_run_at_all(suite):
    page = page_of(suite, {})
    claims = len(suite.table("table7").claims) + len(suite.table("table8a").claims)
    assert f"Not run at any scale: {claims} further claims." in page
    assert "| claim |" not in page


def test_rows_without_a_run_and_columns_without_a_word_are_left_out(suite, monkeypatch):
    entries = suite.benchmark("table8a").entries
    shown = page_of(suite, {"laptop": arms(record(entry.cell(0), 0.9) for entry in entries[:2])})
    section = shown.split("\n## ")[1]  # Table 7 was not run.
    assert len(re.findall(r"^\| λ = ", section, re.MULTILINE)) == 2
    assert "paper's number" not in section
    monkeypatch.setattr(results_page, "MOST_ROWS", 4)
    everything = page_of(suite, {"laptop": arms(record(entry.cell(0), 0.9) for entry in entries)})
    section = everything.split("\n## ")[2]  # After table 7, which shares a row.
    assert len(re.findall(r"^\| λ = ", section, re.MULTILINE)) == 4
    assert f", 4 of {len(entries)} rows:\n" in section


def test_the_largest_scale_with_a_test_is_shown_and_the_others_named(suite):
    at = {
        "laptop": arms(records_of(suite.benchmark("table7"), MANY)),
        "cpu": arms(records_of(suite.benchmark("table7", "cpu"), FEW)),
    }
    page = page_of(suite, at)
    assert "\nScale laptop: digits" in page
    assert "Also run: scale cpu (4 cells)." in page
    assert "scale laptop, n = 8 |" in page


def test_own_words_begin_and_end_the_page(suite):
    page = page_of(suite, {}, "**In short.** It holds.\n\nAt length: it holds.\n")
    assert page.index("It holds.") < page.index("Not run at any scale")
    assert page.endswith("## In more words\n\nAt length: it holds.\n")
