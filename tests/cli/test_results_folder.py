"""Verbs say first which results folder they are about, where one may be mistaken about it."""

import json
from pathlib import Path

import pytest
from checkout import QUICK, suite_of
from synthetic import record

from clopbench.results.records import Store

VERBS = {
    "plan": ["plan", "table7"],
    "run": ["run", "table7", "--seeds", "1", "--only", "prototypes=random", *QUICK],
    "show": ["show", "table7"],
    "power": ["power", "table7"],
    "status": ["status"],
    "submit": ["submit", "table7", "--profile", "lab", "--seeds", "1", "--dry-run"],
    "retry": ["retry", "table7", "--dry-run"],
    "cancel": ["cancel"],
    "forget": ["forget", "table7"],
    "logs": ["logs", "0123"],
    "import": ["import", "nowhere"],
    "local": ["report", "--local", "--out", "there"],
    "publish": ["report", "--publish", "--out", "there"],
    "page": ["report", "--html"],
    "doctor": ["doctor"],
    "list": ["list"],
}
WITHOUT = {"report": ["report"], "check": ["report", "--check"], "methods": ["methods"]}


@pytest.fixture(autouse=True)
def _in_a_suite(tmp_path, monkeypatch):
    mine = suite_of(tmp_path / "suite", "table7")
    (mine.root / "slurm").mkdir()
    (mine.root / "slurm" / "lab.yaml").write_text("timeout_min: 5\n")
    monkeypatch.setenv("BENCH_SUITE", str(mine.root))


@pytest.fixture
def full(tmp_path, cell, monkeypatch) -> Path:
    """A results folder with the cells of a seed; one stands in a folder below its own."""
    from clopbench.suite.suite import Suite

    for entry in Suite.locate().benchmark("table7").entries:
        Store(tmp_path / "results").write(record(entry.cell(0)))
    below = tmp_path / "below" / "further"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return tmp_path / "results"


def first(done) -> str:
    return (done.out.splitlines() or [""])[0]


@pytest.mark.parametrize("verb", VERBS)
def test_from_another_folder_a_verb_says_where_the_records_are(bench, full, verb):
    words = f"{Path.cwd()}/results (not there, and {full} is not: --results ../../results)"
    assert first(bench(*VERBS[verb])) == f"results folder: {words}"


@pytest.mark.parametrize("verb", VERBS)
def test_another_folder_than_the_default_is_named(bench, full, verb, monkeypatch):
    assert first(bench(*VERBS[verb], "--results", "../../results")) == f"results folder: {full}"
    monkeypatch.setenv("BENCH_RESULTS", str(full))
    assert first(bench(*VERBS[verb])) == f"results folder: {full}"


@pytest.mark.parametrize("verb", VERBS)
def test_of_the_default_nothing_is_said(bench, full, verb, monkeypatch):
    monkeypatch.chdir(full.parent)
    for more in ([], ["--results", "results"], ["--results", "./results/"]):
        done = bench(*VERBS[verb], *more)
        assert "results folder:" not in done.out + done.err


@pytest.mark.parametrize("verb", WITHOUT)
def test_verbs_that_do_not_look_into_it_say_nothing(bench, full, verb):
    done = bench(*WITHOUT[verb])
    assert "results folder:" not in done.out + done.err


def test_json_stays_json(bench, full):
    for verb in (["plan", "table7"], ["show", "table7"], ["status"], ["power", "table7"], ["doctor"]):
        done = bench(*verb, "--json")
        json.loads(done.out)
        assert done.err.startswith(f"results folder: {Path.cwd()}/results (not there, and {full} is not")


# What is done before `bench plan` in a folder below → what the line ends with; None: there is no line.
def _submissions(full: Path) -> None:
    (full / "submissions" / "20261127-lab").mkdir(parents=True)


def _published_only(full: Path) -> None:
    for shelf in full.glob("??"):
        shelf.rename(full.parent / shelf.name)
    (full / "published").mkdir()


def _nearer(full: Path) -> None:
    (full.parent / "below" / "results" / "ab" / "ab00000000000000").mkdir(parents=True)


STATES = {
    "empty": (
        lambda full: Path("results").mkdir(),
        "results (empty, and {full} is not: --results ../../results)",
    ),
    "a cell that runs": (lambda full: Path("results/ab/ab00000000000000").mkdir(parents=True), None),
    "a submission": (lambda full: _submissions(Path("results")), None),
    "nothing above": (_published_only, None),
    "two above": (_nearer, "/results (not there, and {nearer} is not: --results ../results)"),
    "a link": (lambda full: Path("results").symlink_to(full), None),
    "a file": (
        lambda full: Path("results").touch(),
        "results (empty, and {full} is not: --results ../../results)",
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_what_counts_as_empty(bench, full, case):
    make, end = STATES[case]
    make(full)
    line = first(bench("plan", "table7"))
    if end is None:
        assert not line.startswith("results folder:")
        return
    nearer = full.parent / "below" / "results"
    assert line.startswith("results folder: ")
    assert line.endswith(end.format(full=full, nearer=nearer))


def test_another_folder_that_holds_nothing_is_said_to(bench, tmp_path):
    assert first(bench("plan", "table7", "--results", "new")) == f"results folder: {tmp_path}/new (not there)"
    Path("new").mkdir()
    assert first(bench("plan", "table7", "--results", "new")) == f"results folder: {tmp_path}/new (empty)"
