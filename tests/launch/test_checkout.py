"""What a record says of the code that made it: the engine apart from the suite's folder.

What people write counts, what runs write does not.
"""

import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from checkout import QUICK, ROOT

from clopbench.launch import checkout as source
from clopbench.launch.checkout import engine_state, sha256_of, suite_state
from clopbench.results.index import scan
from clopbench.results.records import Store

WHO = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]


def git(folder, *words):
    done = subprocess.run(["git", "-C", str(folder), *WHO, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit_all(folder):
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        git(folder, *words)
    return git(folder, "rev-parse", "HEAD")


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
    commit_all(tmp_path)
    return tmp_path


def test_outputs_of_runs_do_not_make_a_checkout_dirty(checkout):
    commit = suite_state(checkout)["commit"]
    assert suite_state(checkout) == {"commit": commit, "dirty": False}
    for path in (checkout / "tables" / "one").iterdir():
        path.write_text("regenerated")
    for name in ("RESULTS.md", "tables/summary.md", "results/published/laptop.parquet"):
        (checkout / name).write_text("regenerated")
    for name in ("results/00/x/record.json", "methods/__pycache__/clop.pyc", "notes.txt"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("new")
    assert suite_state(checkout) == {"commit": commit, "dirty": False}


@pytest.mark.parametrize(
    "name", ["tables/one.yaml", "methods/clop.py", "methods/new.py", "benchmarks/new.yaml", "tables/new.yaml"]
)
def test_what_people_write_does(checkout, name):
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("changed")
    assert suite_state(checkout)["dirty"] is True


def test_outside_a_checkout_nothing_is_known(tmp_path):
    assert suite_state(tmp_path) == {"commit": None, "dirty": None}


def test_a_checkout_of_something_else_says_nothing(checkout):
    """As where the engine lies in a virtual environment that git ignores."""
    (checkout / ".gitignore").write_text("inner")
    (checkout / "inner").mkdir()
    (checkout / "inner" / "__init__.py").write_text("")
    assert suite_state(checkout / "inner") == {"commit": None, "dirty": None}
    assert engine_state(checkout / "inner")["commit"] is None


def test_gits_own_variables_do_not_name_another_repository(checkout, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    (other / "file").write_text("x")
    commit_all(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    commit = suite_state(checkout)["commit"]
    monkeypatch.delenv("GIT_DIR")
    assert commit == git(checkout, "rev-parse", "HEAD")


@pytest.fixture
def package(tmp_path):
    """The engine's files in a git checkout that holds other things too, all committed."""
    shutil.copytree(ROOT / "clopbench", tmp_path / "clopbench", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "README.md").write_text("first")
    commit_all(tmp_path)
    return tmp_path / "clopbench"


EDITS = {
    "a file changed": lambda package: (package / "geometry.py").write_text("# changed\n"),
    "a file gone": lambda package: (package / "launch" / "preload.py").unlink(),
    "a file that git does not know": lambda package: (package / "torch.py").write_text("# mine\n"),
    "an asset changed": lambda package: (package / "report" / "html" / "assets" / "report.css").write_text(""),
    "staged": lambda package: (
        (package / "seeds.py").write_text("# changed\n"),
        git(package, "add", "seeds.py"),
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_engine_is_dirty_and_has_another_hash(package, edit):
    clean = engine_state(package)
    assert clean == {
        "version": "0.1.0",
        "commit": git(package, "rev-parse", "HEAD"),
        "dirty": False,
        "sha256": sha256_of(package),
    }
    edit(package)
    edited = engine_state(package)
    assert (edited["commit"], edited["dirty"]) == (clean["commit"], True)
    assert edited["sha256"] != clean["sha256"]


def test_what_python_compiles_and_what_lies_beside_the_engine_do_not_count(package):
    clean = engine_state(package)
    (package.parent / "README.md").write_text("changed")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "cell.pyc").write_bytes(b"x")
    (package / ".swap").write_text("x")
    assert engine_state(package)["sha256"] == clean["sha256"]
    (package / ".swap").unlink()
    assert engine_state(package) == clean


def test_the_same_files_elsewhere_have_the_same_hash_and_moved_ones_another(package, tmp_path):
    shutil.copytree(package, tmp_path / "copy")
    assert sha256_of(tmp_path / "copy") == sha256_of(package)
    (package / "seeds.py").rename(package / "seed.py")
    assert sha256_of(tmp_path / "copy") != sha256_of(package)


def install(folder):
    """A wheel of the engine, unpacked as installers do it; its folder of packages."""
    home = folder / "packages"
    shutil.copytree(ROOT / "clopbench", home / "clopbench", ignore=shutil.ignore_patterns("__pycache__"))
    info = home / "clop_bench-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clop-bench\nVersion: 0.1.0\n")
    lines = []
    for path in sorted((home / "clopbench").rglob("*")):
        if path.is_file():
            digest = urlsafe_b64encode(sha256(path.read_bytes()).digest()).decode().rstrip("=")
            lines.append(f"{path.relative_to(home)},sha256={digest},{path.stat().st_size}\n")
    (info / "RECORD").write_text("".join(lines) + "clop_bench-0.1.0.dist-info/RECORD,,\n")
    return home


@pytest.mark.parametrize("edit", [None, *list(EDITS)[:4]])
def test_an_installed_engine_is_compared_with_what_was_installed(tmp_path, monkeypatch, edit):
    home = install(tmp_path)
    monkeypatch.syspath_prepend(home)
    if edit is not None:
        EDITS[edit](home / "clopbench")
    found = engine_state(home / "clopbench")
    assert (found["commit"], found["dirty"]) == (None, edit is not None)


def test_of_a_copy_that_nobody_installed_only_the_hash_is_known(tmp_path):
    shutil.copytree(ROOT / "clopbench", tmp_path / "clopbench")
    found = engine_state(tmp_path / "clopbench")
    assert (found["commit"], found["dirty"]) == (None, None)
    assert len(found["sha256"]) == 64


def test_a_clean_suite_and_an_edited_engine_are_told_apart(package, environment, tmp_path):
    """The command as it is typed, with an engine of its own: in each record and in `bench show`."""
    home = tmp_path / "home"
    for name in ("benchmarks", "methods", "tables"):
        shutil.copytree(ROOT / name, home / name)
    suite = commit_all(home)
    with (package / "seeds.py").open("a") as file:
        file.write("# edited\n")

    def bench(*arguments):
        variables = environment | {"PYTHONPATH": str(package.parent), "BENCH_SUITE": str(home)}
        command = [sys.executable, "-c", "from clopbench.cli.main import main; main()", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=variables, cwd=tmp_path)

    bench("run", "table7", "--seeds", "1", "--workers", "2", *QUICK)
    entries = scan(Store(tmp_path / "results"))
    assert len(entries) == 2
    for entry in entries.values():
        found = entry.content["provenance"]
        assert (found["commit"], found["dirty"]) == (suite, False)
        assert found["engine"] == {
            "version": "0.1.0",
            "commit": git(package, "rev-parse", "HEAD"),
            "dirty": True,
            "sha256": sha256_of(package),
        }
    shown = bench("show", next(iter(entries))).stdout
    assert f"  suite: at {suite}\n" in shown
    head = git(package, "rev-parse", "HEAD")
    assert (
        f"  engine: 0.1.0 at {head} with uncommitted changes, files of SHA-256 {sha256_of(package)}\n" in shown
    )


def test_the_files_are_hashed_once_a_run(bench, monkeypatch):
    calls = []
    monkeypatch.setattr(source, "sha256_of", lambda package: calls.append(package) or "0" * 64)
    assert bench("run", "table7", "--seeds", "2", *QUICK).code == 0
    assert calls == [ROOT / "clopbench"]
    entries = scan(Store(Path("results")))
    assert {one.content["provenance"]["engine"]["sha256"] for one in entries.values()} == {"0" * 64}
    assert len(entries) == 4
