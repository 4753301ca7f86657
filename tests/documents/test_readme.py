"""README.md and the guides keep their promises: commands run, and the table shown is the real one."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import QUICK, ROOT
from document_blocks import blocks, commands
from synthetic import record

from clopbench.results.published import read_published
from clopbench.results.records import Store
from clopbench.suite.suite import Suite

PAGES = (
    *("README.md", "docs/first_hour.md", "docs/concepts.md", "docs/methods.md", "docs/tables.md"),
    "docs/why_is_my_number_different.md",
)
ELSEWHERE = {"docs/cluster.md"}
"""Whose commands tests of their own run."""
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
FIRST_HOUR = TEXTS["docs/first_hour.md"]
COMMANDS = {" ".join(words): words for text in TEXTS.values() for words in commands(text)}
"""Each once, in the order of the pages."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """What a fresh clone holds besides the engine, with the guide's own example of a method added."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("benchmarks", "methods", "tables", "slurm", "results/published"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "RESULTS.md", folder)
    (folder / "methods" / "align.py").write_text(blocks(TEXTS["docs/methods.md"], "python")[0])
    return folder


def test_readme_opens_with_the_two_commands():
    first, second = blocks(TEXTS["README.md"], "bash")
    assert first == "pip install uv && uv run bench run table7 --seeds 10\n"
    assert second == "pip install uv && uv run pytest -n auto\n"
    assert second.strip() in (ROOT / ".ci" / "run").read_text()


def test_every_command_of_the_guides_is_run_by_a_test():
    """A block that is marked as commands stands on a page whose commands are run."""
    marked = {
        str(path.relative_to(ROOT))
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        if blocks(path.read_text(), "bash")
    }
    assert marked <= set(PAGES) | ELSEWHERE
    for page in marked & set(PAGES):
        lines = [line for block in blocks(TEXTS[page], "bash") for line in block.splitlines()]
        others = [line for line in lines if "bench " not in line]
        assert others in ([], ["pip install uv && uv run pytest -n auto"]), page


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_commands_of_the_guides_run(bench, monkeypatch, copy, words):
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


def test_the_first_hour_shows_what_its_first_command_prints(bench, tmp_path):
    """Word for word, on a results folder that holds what the command leaves in a fresh clone."""
    suite, store = Suite(ROOT), Store(tmp_path / "results")
    entries = suite.benchmark("table7").entries
    ours = {entry.cell_id(seed) for entry in entries for seed in range(10)}
    for one in read_published(ROOT / "results" / "published" / "laptop.parquet"):
        if one.cell.id in ours:
            store.write(one)
    done = bench("run", *commands(FIRST_HOUR)[0][1:], "--suite", ROOT, "--results", store.root)
    assert done.code == 0
    assert "20 cells: 20 done" in done.out
    shown = bench("show", *commands(FIRST_HOUR)[0][1:], "--suite", ROOT, "--results", store.root, "--json")
    [table] = json.loads(shown.out)
    lines = [line for line in FIRST_HOUR.splitlines() if line.startswith("| ")]
    for part in ("rows", "claims"):
        for row in table[part]:
            texts = {key: text for key, text in row.items() if key != "numbers"}
            head, text = (f"| {' | '.join(cells)} |" for cells in (texts.keys(), texts.values()))
            assert head in lines
            assert any(_without_links(line) == text for line in lines)
    heading = f"Claims (corrected over {table['family']} claims)"
    assert heading in FIRST_HOUR
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
