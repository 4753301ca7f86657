"""What is said of the package elsewhere: its version, how to cite it, and what a package index shows."""

import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from checkout import ROOT
from trove_classifiers import classifiers

import clopbench
from clopbench.launch.checkout import sha256_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())


def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()


def test_the_version_names_the_commit(bench):
    done = bench("--version")
    assert done.code == 0
    words = f"clop-bench {clopbench.__version__} at {git('rev-parse', 'HEAD')[:7]}"
    digest = sha256_of(ROOT / "clopbench")[:7]
    if git("status", "--porcelain", "--", "clopbench"):
        words += f" with uncommitted changes, files of SHA-256 {digest}"
    assert done.out == f"{words}\n"


def test_outside_git_the_version_names_the_files(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    digest = sha256_of(ROOT / "clopbench")[:7]
    assert bench("--version").out == f"clop-bench {clopbench.__version__} with files of SHA-256 {digest}\n"


def test_the_citation_is_valid():
    command = [Path(sys.executable).parent / "cffconvert", "--validate", "-i", ROOT / "CITATION.cff"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Citation metadata are valid" in done.stdout


def test_all_places_say_the_same():
    assert clopbench.__version__ == PROJECT["version"] == CITATION["version"]
    assert PROJECT["license"] == CITATION["license"]
    assert PROJECT["name"] == CITATION["title"]
    assert PROJECT["authors"] == CITATION["authors"]
    assert sorted(PROJECT["keywords"]) == sorted(CITATION["keywords"])
    [paper] = CITATION["references"]
    assert paper["title"] in PROJECT["description"]
    assert PROJECT["urls"] == {"Paper": paper["url"]}


def test_an_index_knows_the_classifiers():
    assert set(PROJECT["classifiers"]) <= classifiers
    minimum = PROJECT["requires-python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {minimum}" in PROJECT["classifiers"]
