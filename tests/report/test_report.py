"""The report on fixed synthetic records: golden text, honest counts, drift, pairing."""

import pytest
from checkout import GOLDEN, ROOT, some, suite_of
from synthetic import arms, record, records_of

from clopbench.report.document import collect, make_document, report
from clopbench.report.formats import markdown, sheets, wording
from clopbench.report.tables import build_table, judge_together
from clopbench.suite.suite import Suite


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Table 7 alone: what other tables are there must not matter."""
    return suite_of(tmp_path_factory.mktemp("suite"), "table7")


@pytest.fixture
def benchmark_(suite):
    return suite.benchmark("table7")


def table_of(suite, benchmark, records, seeds=None):
    return judge_together([build_table("table7", suite.table("table7"), benchmark, arms(records), seeds)])[0]


def test_golden_table(suite, benchmark_):
    """Worked by hand: t(0.975, 2) = 4.30265; sd of 92, 94, 96 is 2, half-width 4.30265·2/√3 = 4.97;
    sd of 91, 93, 92 is 1, half-width 2.48; paired sd √3, half-width 4.30. Ratio of sds 2. The least p of three
    seeds is 2/2³."""
    table = table_of(suite, benchmark_, records_of(benchmark_))
    assert markdown.table(sheets.headings(table), sheets.rows(table)) == (
        "| row | linear probe top-1, % | n | paper | difference | verdict |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| CLOP, orthonormal prototypes | 94.00 ± 4.97 | 3 | 78.0 (sd 0.9, n 10) | – | not comparable |\n"
        "| CLOP, random prototypes | 92.00 ± 2.48 | 3 | 76.8 (sd 1.5, n 10) | – | not comparable |"
    )
    assert sheets.claim_rows(table) == [
        [
            "Orthonormal prototypes beat random ones",
            "+2.00 [−2.30, +6.30]",
            "–",
            "–",
            "3 of 3",
            "undecided: too few seeds (3 of at least 6)",
        ],
        [
            "Orthonormal prototypes have the smaller spread over seeds",
            "ratio of sd 2.00",
            "–",
            "–",
            "– of 3",
            "undecided: too few seeds (3 of at least 6)",
        ],
    ]


def test_golden_documents(suite, benchmark_):
    """Whole files, as a reader gets them. To renew: CONTRIBUTING.md, 'Golden files'."""
    document = make_document(suite, collect(suite, {"laptop": arms(records_of(benchmark_))}))
    for name in document.texts:
        golden = GOLDEN / name.replace("/", "_")
        assert document.texts[name] == golden.read_text(), f"renew {golden}"


def test_regenerating_twice_gives_the_same_bytes(suite, benchmark_):
    records = records_of(benchmark_)
    one = make_document(suite, collect(suite, {"laptop": arms(records)}))
    two = make_document(suite, collect(suite, {"laptop": arms(records[::-1])}))
    assert one == two
    assert one.pictures["tables/table7/paired_dots.png"].startswith(b"\x89PNG")


def test_check_sees_a_changed_digit_and_a_missing_picture(suite, benchmark_, tmp_path):
    document = make_document(suite, collect(suite, {"laptop": arms(records_of(benchmark_))}))
    document.write(tmp_path)
    assert document.drift(tmp_path) == []
    assert document.write(tmp_path) == []
    folder = tmp_path / "tables" / "table7"
    (folder / "paired_dots.png").write_bytes(b"other pixels")
    assert document.drift(tmp_path) == []
    path = folder / "table.csv"
    path.write_text(path.read_text().replace("0.94", "0.95"))
    (folder / "paired_dots.png").unlink()
    assert sorted(document.drift(tmp_path)) == ["tables/table7/paired_dots.png", "tables/table7/table.csv"]


def test_unfinished_collapsed_and_diverged_cells_are_counted(suite, benchmark_):
    orthonormal, random = benchmark_.entries
    records = [
        record(orthonormal.cell(0), 0.9),
        record(orthonormal.cell(1), 0.2, status="collapsed"),
        record(orthonormal.cell(2), None, status="diverged"),
        record(random.cell(0), 0.8),
        record(random.cell(3), status="failed"),
    ]
    table = table_of(suite, benchmark_, records)
    assert [wording.count(number) for number in table.numbers] == ["3/4 (1 collapsed, 1 diverged)", "1/4"]
    # They are results: the mean of 90, 20 and, as digits have ten classes, 10 %.
    assert wording.mean(table.numbers[0].summary, "percent").startswith("40.00 [")
    # One value: no ±.
    assert wording.mean(table.numbers[1].summary, "percent") == "80.00"
    asked = table_of(suite, benchmark_, records, seeds=range(10))
    assert [wording.count(number) for number in asked.numbers] == ["3/10 (1 collapsed, 1 diverged)", "1/10"]


@pytest.mark.parametrize(("seeds", "orthonormal", "random"), [([1], 0.94, 0.93), ([0, 2], 0.94, 0.915)])
def test_only_the_seeds_that_are_asked_for_count(suite, benchmark_, seeds, orthonormal, random):
    """Of three that are recorded, in the means and in the claims."""
    table = table_of(suite, benchmark_, records_of(benchmark_), seeds)
    assert [some(number.summary).mean for number in table.numbers] == pytest.approx([orthonormal, random])
    assert [wording.count(number) for number in table.numbers] == [str(len(seeds))] * 2
    assert {tuple(one.seeds) for claim in table.claims for one in claim.contrasts} == {tuple(seeds)}


def test_a_table_names_the_data_sets_of_its_cells(suite, benchmark_):
    assert list(table_of(suite, benchmark_, []).data) == ["digits"]


def test_nothing_run_is_said(suite, benchmark_):
    table = table_of(suite, benchmark_, [], seeds=range(3))
    assert [row[1] for row in sheets.rows(table)] == ["not run", "not run"]
    assert sheets.claim_rows(table)[0][-1] == "not run"
    page = make_document(suite, collect(suite, {"laptop": {}})).texts["RESULTS.md"]
    assert "Not run. `bench run table7 --seeds 10` runs it." in page


def test_every_number_leads_to_its_cells(suite, benchmark_):
    records = records_of(benchmark_)
    document = make_document(suite, collect(suite, {"laptop": arms(records)}))
    page = document.texts["tables/table7/README.md"]
    for anchor in ("laptop-orthonormal", "laptop-random"):
        assert f'<a id="{anchor}"></a>' in page
        assert f"(#{anchor})" in page
    assert all(f"`{r.cell.id}`" in page for r in records)
    assert "(tables/table7/README.md)" in document.texts["RESULTS.md"]


def test_pairs_that_are_no_pairs_are_reported(suite, benchmark_):
    records = records_of(benchmark_)
    spoiled = record(records[0].cell, 0.92, pairing={"subset": "subset 0", "init": "another"})
    table = table_of(suite, benchmark_, [spoiled, *records[1:]])
    assert table.claims[0].unpaired == ("seed 0: initial weights differ",)
    assert table_of(suite, benchmark_, records).claims[0].unpaired == ()
    page = make_document(suite, {"table7": [table]}).texts["RESULTS.md"]
    assert "Not paired, seed 0: initial weights differ" in page


def test_paper_scale_gives_verdicts_on_numbers(suite, benchmark_):
    from dataclasses import replace

    at_paper = replace(benchmark_, scale=benchmark_.scale.model_copy(update={"is_paper": True}))
    rows = sheets.rows(table_of(suite, at_paper, records_of(at_paper)))
    assert rows[0][4:] == ["+16.0 [90 %: +13.6, +18.4]", "outside the margin"]


def test_published_report_of_this_repository_is_up_to_date():
    from clopbench.report.publication import arms_by_scale, published_records

    suite = Suite(ROOT)
    document = report(suite, arms_by_scale(published_records(suite)))
    assert document.drift(ROOT) == []


def test_verdicts_appear_for_each_published_claim():
    """RESULTS.md in the repository holds table 7 at scale laptop with 10 seeds."""
    from clopbench.report.publication import arms_by_scale, published_records

    suite = Suite(ROOT)
    (table,) = [
        t for t in collect(suite, arms_by_scale(published_records(suite)))["table7"] if t.scale.name == "laptop"
    ]
    assert [wording.count(number) for number in table.numbers] == ["10", "10"]
    assert table.claims[0].verdict.verdict in ("supported", "contradicted", "undecided")
    assert not table.claims[0].unpaired
