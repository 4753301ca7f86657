"""What a record says of the code that made it: what people write counts, what runs write does not."""

import subprocess

import pytest

from clopbench.launch.checkout import source_state


@pytest.fixture
def checkout(tmp_path):
    """A suite in a git checkout, all of it committed."""
    for name in (
        *("RESULTS.md", "results/published/laptop.parquet", "methods/clop.py"),
        *("tables/summary.md", "tables/one.yaml", "tables/one/README.md", "tables/one/table.csv"),
        *("tables/one/table.tex", "tables/one/curve.png", "tables/one/curve.pdf"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


def test_outputs_of_runs_do_not_make_a_checkout_dirty(checkout):
    commit = source_state(checkout)["commit"]
    assert source_state(checkout) == {"commit": commit, "dirty": False}
    for path in (checkout / "tables" / "one").iterdir():
        path.write_text("regenerated")
    for name in ("RESULTS.md", "tables/summary.md", "results/published/laptop.parquet"):
        (checkout / name).write_text("regenerated")
    assert source_state(checkout) == {"commit": commit, "dirty": False}


@pytest.mark.parametrize("name", ["tables/one.yaml", "methods/clop.py"])
def test_what_people_write_does(checkout, name):
    (checkout / name).write_text("changed")
    assert source_state(checkout)["dirty"] is True


def test_outside_a_checkout_nothing_is_known(tmp_path):
    assert source_state(tmp_path) == {"commit": None, "dirty": None}
