"""Seeds that are added after a verdict are one more look: noted, spent, said, published, imported."""

import shutil

import pytest
from checkout import ROOT
from synthetic import record

from clopbench.report import looking, publication
from clopbench.report.document import report
from clopbench.report.formats import sheets
from clopbench.report.observations import Arms, group_by_arm
from clopbench.results import looks as noted
from clopbench.results.importing import import_records
from clopbench.results.records import Store
from clopbench.suite.suite import Suite

# A difference in favour in every one of the first ten seeds, and against in every later one.
TURNED = [0.02] * 10 + [-0.03] * 10
# Undecided at ten seeds; at twenty p is about 0.01.
SLOW = [0.02, -0.01, 0.03, -0.02, 0.01, 0.02, -0.01, 0.02, 0.01, -0.02] + [0.02] * 8 + [-0.01] * 2


def records(suite, differences, seeds):
    orthonormal, random = suite.benchmark("table7", "laptop").entries
    for seed in seeds:
        yield record(orthonormal.cell(seed), 0.8 + 0.001 * (seed % 3) + differences[seed])
        yield record(random.cell(seed), 0.8 + 0.001 * (seed % 3))


def look(suite, folder, differences, count, seeds=None, declared=()):
    """The claim 'better' with so many seeds in the folder, as a verb shows it; and what its heading says."""
    arms = group_by_arm(one.to_json() for one in records(suite, differences, range(count)))
    [table], problems = looking.tables_at(suite, "laptop", arms, seeds, ["table7"], folder, declared)
    assert problems == []
    return table.claims[0].text, sheets.claims_title(table)


@pytest.fixture
def one_table(tmp_path):
    """A suite whose only table is Table 7, so that its family is its two claims."""
    root = tmp_path / "suite"
    for name in ("methods", "benchmarks/scale"):
        shutil.copytree(ROOT / name, root / name)
    for name in ("benchmarks/table7.yaml", "tables/table7.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return Suite(root)


def test_the_first_look_has_nearly_all_and_the_second_nearly_nothing(one_table, tmp_path):
    assert look(one_table, tmp_path, SLOW, 10)[0] == "undecided"
    # 20 seeds in one look would settle it; after a look at 10 there is 0.098 % left.
    assert look(one_table, tmp_path / "fresh", SLOW, 20)[0].startswith("supported")
    text, heading = look(one_table, tmp_path, SLOW, 20)
    assert text == "undecided"
    assert (
        heading
        == "Claims (corrected over 2 claims, look 2 (seeds: 10, 20), which may spend 0.098 % of the 5 %)"
    )
    assert [len(one.seeds) for one in noted.read(tmp_path)[0]] == [10, 20]


def test_the_same_look_again_is_no_look_more(one_table, tmp_path):
    first = look(one_table, tmp_path, SLOW, 10)
    assert look(one_table, tmp_path, SLOW, 10) == first
    assert len(noted.read(tmp_path)[0]) == 1


def test_what_was_decided_stays_decided_and_says_when(one_table, tmp_path):
    assert look(one_table, tmp_path, TURNED, 10)[0].startswith("supported")
    assert look(one_table, tmp_path / "fresh", TURNED, 20)[0] == "undecided"
    assert look(one_table, tmp_path, TURNED, 20)[0].endswith("settled at the look with 10 seeds")
    # What was seen at the first look is still there to be seen.
    assert look(one_table, tmp_path, TURNED, 20, range(10))[0].startswith("supported")
    assert len(noted.read(tmp_path)[0]) == 2


def test_a_part_of_what_was_seen_is_not_noted_but_counts(one_table, tmp_path):
    look(one_table, tmp_path, TURNED, 20)
    text, heading = look(one_table, tmp_path, TURNED, 20, range(10))
    assert "0.098 %" in heading
    assert text.startswith("undecided: too few seeds")  # 2 / 2¹⁰ is more than that.
    assert len(noted.read(tmp_path)[0]) == 1


def test_too_few_seeds_to_decide_anything_are_no_look(one_table, tmp_path):
    look(one_table, tmp_path, TURNED, 5)
    assert noted.read(tmp_path) == ([], [])
    assert look(one_table, tmp_path, TURNED, 10)[0].startswith("supported")


def test_declared_looks_share_and_are_continued_by_hand(one_table, tmp_path):
    plan = (10, 20, 30)
    _, heading = look(one_table, tmp_path, SLOW, 10, declared=plan)
    assert heading.endswith("declared look 1 (seeds: 10), which may spend 1.6 % of the 5 %)")
    _, heading = look(one_table, tmp_path, SLOW, 20)
    assert heading.endswith("declared look 2 (seeds: 10, 20), which may spend 1.6 % of the 5 %)")


def test_a_table_that_is_run_later_joins_the_look(one_table, tmp_path):
    """Its claims had no look yet. But a claim that was seen with fewer of these seeds needs one more."""
    orthonormal = [record for record in records(one_table, TURNED, range(10))][::2]
    arms = group_by_arm(one.to_json() for one in orthonormal)
    looking.tables_at(one_table, "laptop", arms, None, ["table7"], tmp_path)
    assert noted.read(tmp_path)[0] == []  # No claim has two sides.
    everything = noted.RecordedLook("laptop", (), {"table8a/other": frozenset(range(10))})
    noted.add(tmp_path, [everything])
    assert look(one_table, tmp_path, TURNED, 10)[0].startswith("supported")
    assert noted.read(tmp_path)[0] == [everything]
    partly = noted.RecordedLook("laptop", (), {"table7/orthonormal_beats_random": frozenset(range(6))})
    noted.add(tmp_path / "partly", [partly, everything])
    assert look(one_table, tmp_path / "partly", TURNED, 10)[0] != "supported"


def test_looks_are_published_and_imported_with_the_records(one_table, tmp_path):
    store = Store(tmp_path / "results")
    for one in records(one_table, SLOW, range(10)):
        store.write(one)
    look(one_table, store.root, SLOW, 10)
    lines = list(publication.publish_store(one_table, store))
    assert any("published the looks" in line for line in lines)
    published = one_table.root / publication.PUBLISHED
    assert noted.read(published) == noted.read(store.root)
    other = Store(tmp_path / "other")
    assert import_records(published / "laptop.parquet", other).looks == 1
    assert look(one_table, other.root, SLOW, 20)[0] == "undecided"


def arms_of(suite, count) -> dict[str, Arms]:
    return {"laptop": group_by_arm(one.to_json() for one in records(suite, TURNED, range(count)))}


def test_a_report_is_a_look(one_table):
    heard: list[noted.RecordedLook] = []
    arms: dict[str, Arms] = {
        "laptop": group_by_arm(one.to_json() for one in records(one_table, TURNED, range(10)))
    }
    text = report(one_table, arms, note=heard.append).texts["RESULTS.md"]
    assert "| Claims (corrected over 2 claims) |" in text
    [now] = heard
    more: dict[str, Arms] = {
        "laptop": group_by_arm(one.to_json() for one in records(one_table, TURNED, range(20)))
    }
    again = report(one_table, more, looks=[now]).texts["RESULTS.md"]
    assert "look 2 (seeds: 10, 20), which may spend 0.098 % of the 5 %" in again
