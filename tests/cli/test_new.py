"""What `bench init` and `bench new` write works at once; a suite uses what it builds on."""

import pytest
from checkout import QUICK, ROOT

from clopbench.cli import new
from clopbench.errors import UserError
from clopbench.slurm.profiles import load_profile
from clopbench.suite.suite import Suite


@pytest.fixture
def mine(bench, tmp_path, monkeypatch):
    """A suite of one's own, where one stands."""
    monkeypatch.delenv("BENCH_SUITE")
    assert bench("init", "mine").code == 0
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def test_a_suite_of_ones_own_runs(bench, mine):
    done = bench("run", "first", "--seeds", "1", *QUICK)
    assert (done.code, done.err) == (0, "")
    assert "2 cells: 0 done, 2 missing" in done.out
    assert "suite:" not in done.out  # It is the nearest.
    assert Suite.locate().problems() == []
    assert load_profile("mine", mine).parameters["timeout_min"] == 60
    lines = [
        line
        for name in ("suite.yaml", "benchmarks/first.yaml", "tables/first.yaml", "slurm/mine.yaml")
        for line in (mine / name).read_text().splitlines()
    ]
    assert sum("#" in line for line in lines) > 0.6 * len(lines)
    assert all((mine / name).read_text().count("EDIT") for name in ("methods/mine.py", "benchmarks/first.yaml"))


def test_it_uses_what_the_installed_one_has(mine):
    suite = Suite.locate()
    assert suite.root == mine
    assert suite.benchmark_names() == suite.table_names() == ["first"]
    assert suite.scale_names() == Suite(ROOT).scale_names()
    assert set(suite.plugins.names()) == {"mine", *Suite(ROOT).plugins.names()}
    assert load_profile("cpu", mine).path == ROOT / "slurm" / "cpu.yaml"


def test_its_own_scale_comes_first(mine):
    (mine / "benchmarks" / "scale").mkdir()
    text = (ROOT / "benchmarks" / "scale" / "laptop.yaml").read_text()
    (mine / "benchmarks" / "scale" / "laptop.yaml").write_text(text.replace("width: 16", "width: 8"))
    [first, *_] = Suite(mine).benchmark("first").entries
    assert first.template.encoder.width == 8


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["method", "own_one"], "methods/own_one.py"),
        (["benchmark", "second"], "benchmarks/second.yaml"),
        (["table", "other", "--benchmark", "first"], "tables/other.yaml"),
        (["profile", "west"], "slurm/west.yaml"),
    ],
)
def test_a_new_file_works_at_once(bench, mine, words, name):
    done = bench("new", *words)
    assert (done.code, done.err) == (0, "")
    assert f"wrote {mine / name}" in done.out
    assert "EDIT" in (mine / name).read_text()
    assert Suite(mine).problems() == []
    again = bench("new", *words)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "already" in again.err


def test_a_new_method_trains(bench, mine):
    bench("new", "method", "own_one")
    done = bench("run", "first", "--method", "own_one", "--seeds", "1", *QUICK)
    assert (done.code, done.err) == (0, "")
    assert "own_one" in done.out


@pytest.mark.parametrize("of", ["table7", "theory"])
def test_a_table_may_be_of_any_benchmark(bench, mine, of):
    """A metric of one with tables is that of a table; rows are its first axis."""
    for folder in ("benchmarks", "tables"):
        path = mine / folder / f"{of}.yaml"
        path.write_bytes((ROOT / folder / path.name).read_bytes())
    done = bench("new", "table", "other", "--benchmark", of)
    assert (done.code, done.err) == (0, "")
    suite = Suite(mine)
    assert suite.table("other").metric == suite.table(of).metric


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method", "Big"], "NAME: small letters"),
        (["method", "class"], "NAME: small letters"),
        (["method", "../x"], "NAME: small letters"),
        (["method", "clop"], "NAME: there is a 'clop' already"),
        (["table", "x", "--benchmark", "firs"], "did you mean 'first'?"),
        (["table", "x"], "--benchmark: unknown benchmark 'x'"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is(bench, mine, words, said):
    before = sorted(mine.rglob("*"))
    done = bench("new", *words)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err
    assert sorted(mine.rglob("*")) == before


def test_init_overwrites_nothing(bench, mine):
    done = bench("init", mine)
    assert done.code == 2
    assert "is no empty folder" in done.err


def test_where_nothing_can_be_written_nothing_stays(bench, tmp_path):
    (tmp_path / "file").write_text("no folder")
    before = sorted(tmp_path.rglob("*"))
    done = bench("init", tmp_path / "file" / "mine")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{tmp_path}/file/mine: cannot be written: Not a directory" in done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_what_does_not_work_goes_again_with_its_folders(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(new, "_method", lambda name: "not Python(\n")
    done = bench("init", tmp_path / "deep" / "mine")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("builds_on: nowhere\n", "builds_on: 'installed' or the folder of a suite"),
        ("build_on: installed\n", "unknown field"),
        ("builds_on: .\n", "builds_on: leads back to"),
    ],
)
def test_a_wrong_manifest_is_refused(mine, text, rule):
    (mine / "suite.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        Suite(mine)
    assert rule in str(error.value)
    assert "suite.yaml" in str(error.value)
