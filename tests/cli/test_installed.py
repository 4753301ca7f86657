"""The wheel holds the suite: installed where there is no checkout, and tried as a new user would."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from checkout import QUICK, ROOT

from clopbench.launch.checkout import sha256_of
from clopbench.suite import finding
from clopbench.suite.suite import Suite


def uv(*words, cwd=ROOT):
    command = [shutil.which("uv") or "uv", *map(str, words)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel, which uv makes out of the sdist, and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    uv("build", "--offline", "--no-build-isolation", "--python", sys.executable, "-o", folder)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A fresh environment with the wheel; other packages are those of the environment that runs the tests."""
    home = tmp_path_factory.mktemp("environment") / "venv"
    uv("venv", "--offline", "--python", sys.executable, home)
    uv(
        "pip",
        "install",
        "--offline",
        "--no-deps",
        "--python",
        home / "bin" / "python",
        next(built.glob("*.whl")),
    )
    # A plain line is one more folder to import from; the editable clop-bench there is not followed.
    packages = next((home / "lib").glob("python*/site-packages"))
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return home


@pytest.fixture
def here(tmp_path):
    """An empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture
def run(installed, here):
    """The installed command, in it."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTHON"))}

    def call(*words):
        command = [str(installed / "bin" / "bench"), *words]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", check=False, cwd=here, env=variables
        )

    return call


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


@pytest.mark.slow
def test_the_wheel_from_the_sdist_is_the_wheel_from_the_checkout(built, tmp_path):
    uv("build", "--wheel", "--offline", "--no-build-isolation", "--python", sys.executable, "-o", tmp_path)
    found = contents(next(built.glob("*.whl")))
    assert found == contents(next(tmp_path.glob("*.whl")))
    for pattern in (
        "benchmarks/*.yaml",
        "benchmarks/scale/*.yaml",
        "tables/*.yaml",
        "methods/*.py",
        "slurm/*.yaml",
    ):
        for path in ROOT.glob(pattern):
            name = f"clopbench/_suite/{path.relative_to(ROOT).as_posix()}"
            assert found[name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not [name for name in found if name.endswith((".png", ".pdf"))]


@pytest.mark.slow
def test_a_table_runs_in_an_empty_folder(run, here, installed):
    done = run("run", "table7", "--seeds", "1", "--workers", "2", *QUICK)
    assert done.returncode == 0, done.stderr
    packages = next((installed / "lib").glob("python*/site-packages"))
    assert f"suite: {packages}/clopbench/_suite (the installed one)\n" in done.stdout
    records = list(here.glob("results/*/*/record.json"))
    assert len(records) == 2
    for record in records:
        came_from = json.loads(record.read_text())["provenance"]
        assert (came_from["commit"], came_from["dirty"]) == (None, False)
        engine = came_from["engine"]
        assert (engine["commit"], engine["dirty"]) == (None, False)
        # The same code as the checkout's: the suite beside it is no part of the engine.
        assert engine["sha256"] == sha256_of(ROOT / "clopbench")
    shown = run("show", json.loads(records[0].read_text())["id"]).stdout
    assert "  suite: as installed with the engine\n" in shown


@pytest.mark.slow
def test_the_report_is_written_here_and_nothing_into_the_package(run, here, installed):
    package = next((installed / "lib").glob("python*/site-packages")) / "clopbench"
    before = sorted(path for path in package.rglob("*") if "__pycache__" not in path.parts)
    done = run("report")
    assert done.returncode == 0, done.stderr
    assert f"the installed suite's report goes into this folder: {here}\n" in done.stdout
    assert (here / "RESULTS.md").read_bytes() == (ROOT / "RESULTS.md").read_bytes()
    assert sorted(path for path in package.rglob("*") if "__pycache__" not in path.parts) == before
    refused = run("report", "--publish")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--publish" in refused.stderr
    assert "came with the package" in refused.stderr


@pytest.mark.slow
def test_an_edited_installed_suite_is_dirty(built, tmp_path):
    home = tmp_path / "packages"
    uv("pip", "install", "--offline", "--no-deps", "--target", home, next(built.glob("*.whl")))
    (home / "clopbench" / "_suite" / "methods" / "clop.py").write_text("# mine")
    script = (
        "import json; from clopbench.launch.checkout import source_state; from clopbench.suite import finding;"
        "print(json.dumps(source_state(finding.installed())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(home)},
    )  # fmt: skip
    state = json.loads(done.stdout)
    assert (state["dirty"], state["engine"]["dirty"]) == (True, False)


def a_suite(folder: Path) -> Path:
    for part in ("benchmarks", "methods"):
        (folder / part).mkdir(parents=True)
    return folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A suite for each way of naming one; one stands in a folder of the nearest."""
    found = {name: a_suite(tmp_path / name) for name in ("given", "variable", "near")}
    package = tmp_path / "clopbench"
    found["installed"] = a_suite(package / "_suite")
    monkeypatch.setattr(finding, "PACKAGE", package)
    (found["near"] / "below").mkdir()
    monkeypatch.chdir(found["near"] / "below")
    monkeypatch.setenv("BENCH_SUITE", str(found["variable"]))
    return found


def test_the_order_in_which_a_suite_is_found(places, tmp_path, monkeypatch):
    found = [finding.find(places["given"]), finding.find()]
    monkeypatch.delenv("BENCH_SUITE")
    found.append(finding.find())
    monkeypatch.chdir(tmp_path)
    found.append(finding.find())
    assert [(one.root.name, one.why) for one in found] == [
        ("given", "--suite"),
        ("variable", "$BENCH_SUITE"),
        ("near", ""),
        ("_suite", "the installed one"),
    ]
    assert found[1].line == f"suite: {places['variable']} ($BENCH_SUITE)"
    assert found[2].line is None


def test_a_suite_that_is_named_and_nearest_is_not_mentioned(places):
    assert finding.find(Path("..")).line is None


def test_only_the_wheels_own_suite_is_read_only(places):
    assert [finding.is_part_of_package(places[name]) for name in ("installed", "near")] == [True, False]


def test_the_headline_says_which_suite_it_is(bench, monkeypatch):
    line = f"suite: {ROOT} ($BENCH_SUITE)\n"
    assert line in bench("plan", "table7").out
    monkeypatch.chdir(ROOT / "tables")
    assert line not in bench("plan", "table7").out
    assert Suite.locate().why is None
