"""A method file that is wrong spoils only itself: it has one line in `bench methods`, and all others work."""

import json
import os
import subprocess
import sys

import pytest
from batches import PLUGINS
from checkout import QUICK, ROOT, suite_of
from wrong_methods import FILES, LOSSES, method, named

from clopbench.errors import UserError
from clopbench.results.records import Store
from clopbench.suite import trial
from clopbench.suite.plugins import Plugins


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All files at once, and what is no file at all."""
    folder = tmp_path_factory.mktemp("methods")
    for name, (content, _) in FILES.items():
        (folder / f"{name}.py").write_bytes(named(content, name))
    (folder / "dangling.py").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.py")
    (folder / ".#good.py").symlink_to("me@host.4321:1")
    (folder / "._good.py").write_bytes(b"\x00\x05\x16\x07")
    (folder / "folder.py").mkdir()
    return folder


@pytest.fixture(scope="module")
def listed(folder):
    """Name → row of `bench methods --json`, started as from a shell."""
    script = "from clopbench.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "methods", "--json", "--methods-dir", str(folder)],
        capture_output=True, text=True, check=False, env=os.environ | {"BENCH_SUITE": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_every_file_is_listed_once(listed, folder):
    assert listed.keys() == FILES.keys() | {*PLUGINS.names(), "dangling", "pipe"}
    for name in ("dangling", "pipe"):
        assert listed[name]["problem"].startswith(f"method file {folder / name}.py: ")


@pytest.mark.parametrize("name", FILES)
def test_each_has_one_line(listed, name):
    problem, expected = listed[name]["problem"], FILES[name][1]
    if expected is None:
        assert problem is None
        assert listed[name]["version"] >= 1
    else:
        assert expected in problem
        assert problem.isprintable()
        assert f"{name}.py" in problem


ASKED = [
    name for name, (_, problem) in FILES.items() if problem and name not in ("ends_the_process", "crashes")
]


@pytest.mark.parametrize("name", ASKED)
def test_only_whoever_asks_for_it_is_refused(tmp_path, name):
    (tmp_path / f"{name}.py").write_bytes(named(FILES[name][0], name))
    (tmp_path / "right.py").write_bytes(named(method(), "right"))
    plugins = Plugins([tmp_path])
    assert plugins.get("right").check({}) == ({}, [])
    with pytest.raises(UserError, match=r"method file .*\.py") as refused:
        trial.build(plugins.get(name))
    assert str(refused.value).isprintable()


def test_a_text_listing_has_a_line_each(bench, tmp_path):
    for name in ("raises", "float_version", "good"):
        (tmp_path / f"{name}.py").write_bytes(named(FILES[name][0], name))
    root = suite_of(tmp_path / "suite", "table7").root
    done = bench("methods", "--methods-dir", tmp_path, "--suite", root)
    assert done.code == 1
    lines = done.out.splitlines()
    assert (
        sum(line.startswith(("raises  cannot be used: ", "float_version  cannot be used: ")) for line in lines)
        == 2
    )
    assert "good  version 1  A third party's method." in lines
    assert "\x1b" not in done.out


def test_run_refuses_a_constructor_that_raises(bench, tmp_path):
    (tmp_path / "theirs.py").write_bytes(named(FILES["constructor_raises"][0], "theirs"))
    done = bench("run", "table7", "--seeds", "1", *QUICK, "--method", "theirs", "--methods-dir", tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "method theirs refuses its parameters: RuntimeError: boom" in done.err
    assert not (tmp_path / "results").exists()


def test_run_refuses_a_method_that_ends_the_process(bench, tmp_path):
    content = method(build="import os; os._exit(0)")
    (tmp_path / "theirs.py").write_bytes(named(content, "theirs"))
    done = bench("run", "table7", "--seeds", "1", *QUICK, "--method", "theirs", "--methods-dir", tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the check of the cells ended with status 0: a method (clop, theirs)" in done.err


def test_a_loss_that_returns_the_wrong_thing_names_method_and_rule(bench, tmp_path):
    """All in one run: each is a failed cell of its own, and those that are right are trained."""
    options = []
    for name, (loss, _) in LOSSES.items():
        (tmp_path / f"{name}.py").write_bytes(named(method(loss=loss), name))
        options += ["--method", name]
    results = tmp_path / "results"
    done = bench(
        "run", "table7", "--seeds", "1", "--only", "prototypes=orthonormal", *QUICK, *options,
        "--methods-dir", tmp_path, "--results", results,
    )  # fmt: skip
    assert done.code == 1
    store = Store(results)
    records = [store.read(path.parent.name) for path in results.glob("??/*/record.json")]
    found = {record.cell.method.name: record for record in records if record is not None}
    for name, (_, rule) in LOSSES.items():
        record = found[name]
        if rule is None:
            assert record.status == "done", name
            continue
        failure = record.failure
        assert record.status == "failed" and failure is not None
        assert failure["class"] == "error"
        assert failure["message"].startswith(f"LossError: method {name}: loss() must return ")
        assert rule in failure["message"]
        assert failure["message"].isprintable()
    assert found["clop"].status == "done"
