"""README.md keeps its promises: commands run, and the table shown is the real one."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import QUICK, ROOT
from synthetic import record

from clopbench.results.published import read_published
from clopbench.results.records import Store
from clopbench.suite.suite import Suite

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    """Words of every `bench` command in README.md, without comments; `uv run` is this environment."""
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    found = [line.partition("#")[0].rpartition("uv run ")[2].strip() for line in lines]
    return [shlex.split(line)[1:] for line in found if line.startswith("bench")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """What a fresh clone holds besides the engine, with the README's own example of a method added."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("benchmarks", "methods", "tables", "slurm", "results/published"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "RESULTS.md", folder)
    (folder / "methods" / "align.py").write_text(blocks("python")[0])
    return folder


def test_readme_opens_with_the_two_commands():
    first, second = blocks("bash")[:2]
    assert first == "pip install uv && uv run bench run table7 --seeds 10\n"
    assert second == "pip install uv && uv run pytest -n auto\n"
    assert second.strip() in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_of_the_readme_run(bench, monkeypatch, copy, words):
    """Runs train real but small cells: a few settings are added, nothing is taken away.

    Only where settings cannot be added, since claims are those of the declared cells, are these there already.
    """
    monkeypatch.chdir(copy)
    monkeypatch.setenv("BENCH_SUITE", str(copy))
    given = {word.partition("=")[0] for word in words}
    small = [word for word in QUICK if word.partition("=")[0] not in given]
    if "--until" in words:
        small = []
        for entry in Suite(copy).benchmark("table7").entries:
            for seed in range(40):
                Store(copy / "results").write(record(entry.cell(seed), 0.8 + 0.001 * (seed % 3)))
    done = bench(*words, *(small if words[0] == "run" else []))
    assert done.code == 0, done.err
    assert done.out


def test_readme_shows_what_its_first_command_prints(bench, tmp_path):
    """Word for word, on a results folder that holds what the command leaves in a fresh clone."""
    suite, store = Suite(ROOT), Store(tmp_path / "results")
    entries = suite.benchmark("table7").entries
    ours = {entry.cell_id(seed) for entry in entries for seed in range(10)}
    for one in read_published(ROOT / "results" / "published" / "laptop.parquet"):
        if one.cell.id in ours:
            store.write(one)
    done = bench("run", *commands()[0][1:], "--suite", ROOT, "--results", store.root)
    assert done.code == 0
    assert "20 cells: 20 done" in done.out
    shown = bench("show", *commands()[0][1:], "--suite", ROOT, "--results", store.root, "--json")
    [table] = json.loads(shown.out)
    lines = [line for line in README.splitlines() if line.startswith("| ")]
    for part in ("rows", "claims"):
        for row in table[part]:
            texts = {key: text for key, text in row.items() if key != "numbers"}
            head, text = (f"| {' | '.join(cells)} |" for cells in (texts.keys(), texts.values()))
            assert head in lines
            assert any(_without_links(line) == text for line in lines)
    heading = f"Claims (corrected over {table['family']} claims)"
    assert heading in README
    assert heading in done.out


def _without_links(line: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line)


def test_installed_entry_point_answers(environment):
    done = subprocess.run(
        [Path(sys.executable).parent / "bench", "--help"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert "Regenerate the tables of the CLOP paper" in done.stdout
    for verb in ("list", "plan", "run", "report", "show", "power", "methods", "doctor", "data"):
        assert re.search(rf"^  {verb} ", done.stdout, re.MULTILINE)


def test_a_clone_starts_without_a_lock_file_and_without_finished_cells():
    """Only published records are tracked: a clone that brought its own results would train nothing."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()  # fmt: skip
    assert "uv.lock" not in tracked
    results = [name for name in tracked if name.startswith("results/")]
    assert results
    published = re.compile(r"results/published/(looks\.jsonl|\w+\.parquet|embeddings/\w+\.npz)")
    assert all(map(published.fullmatch, results))
    assert "uv.lock" in (ROOT / ".gitignore").read_text().splitlines()
