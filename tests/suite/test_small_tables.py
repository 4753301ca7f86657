"""A table needs a title, a benchmark, its rows and a metric; all that is about a paper may be left out."""

import pytest
from checkout import QUICK, suite_of

from clopbench.errors import UserError

NEEDED = {"title": "Mine", "benchmark": "table7", "rows": "prototypes", "metric": "probe_top1"}
CLAIM = """\
claims:
  - name: mine
    kind: better
    text: "Mine is better"
    better: {prototypes: random}
    than: {prototypes: orthonormal}
"""


def written(folder, fields, more=""):
    suite = suite_of(folder, "table7")
    (folder / "tables" / "table7.yaml").unlink()
    text = "".join(f"{key}: {value}\n" for key, value in fields.items())
    (folder / "tables" / "mine.yaml").write_text(text + more)
    return suite


@pytest.mark.parametrize("left_out", NEEDED)
def test_each_of_the_four_fields_is_needed(tmp_path, left_out):
    suite = written(tmp_path, {key: value for key, value in NEEDED.items() if key != left_out})
    with pytest.raises(UserError) as error:
        suite.table("mine")
    [line] = error.value.problems
    assert line.startswith("tables/mine.yaml")
    assert f"{left_out}: " in line


def test_the_four_are_enough_to_run_and_report(bench, tmp_path):
    folder = tmp_path / "suite"
    folder.mkdir()
    suite = written(folder, NEEDED, CLAIM)
    assert suite.problems() == []
    assert suite.table("mine").metric_title == "probe_top1"
    done = bench("run", "table7", "--seeds", "1", "--suite", folder, *QUICK)
    assert (done.code, done.err) == (0, "")
    assert "Mine is better" in done.out
    done = bench("report", "--local", "--out", tmp_path / "out", "--suite", folder)
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "RESULTS.md").is_file()


def test_a_claim_without_a_paper_is_a_hypothesis(tmp_path):
    [claim] = written(tmp_path, NEEDED, CLAIM).table("mine").claims
    assert (claim.paper, claim.evidence) == ("", "a hypothesis of our own")
