"""docs/cluster.md keeps its promises: the walk-through runs as written, and its other commands exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import QUICK, ROOT
from lab import lab_command, require

from clopbench.slurm.profiles import load_profile

TEXT = (ROOT / "docs" / "cluster.md").read_text()
BEFORE, _, WALK_THROUGH = TEXT.partition("\n## Without a cluster\n")
SMALL = " ".join(QUICK)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """Words of every `bench` command before the walk-through, without comments."""
    lines = [line.partition("#")[0].strip() for block in blocks(BEFORE, "bash") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("bench ")]


@pytest.fixture
def clone(tmp_path) -> Path:
    """What a fresh clone holds besides the engine."""
    for name in ("benchmarks", "methods", "tables", "slurm"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def lab_folder() -> Iterator[Path]:
    """Where the walk-through's lab lives; it is stopped however the test ends."""
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    yield folder
    assert lab_command("stop", folder).returncode == 0
    shutil.rmtree(folder)


def test_the_walk_through_is_the_promised_one():
    (script,) = blocks(WALK_THROUGH, "bash")
    assert script.splitlines() == [
        'eval "$(slurm/lab/start)"',
        "sinfo",
        "bench submit table7 --seeds 3 --profile lab",
        "bench status --watch",
        "bench show table7",
        "slurm/lab/stop",
    ]


@pytest.mark.slow
def test_the_walk_through_runs_as_written(clone, lab_folder, environment):
    """In one shell, on a lab of its own. The cells are small: settings are added, nothing is taken away."""
    require("slurmctld", "slurmd", "munged")
    (script,) = blocks(WALK_THROUGH, "bash")
    small = re.sub(r"^(bench submit .*)$", rf"\1 {SMALL}", script, flags=re.MULTILINE)
    small = re.sub(r"^(bench show .*)$", rf"\1 {SMALL}", small, flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    given = {key: value for key, value in environment.items() if key != "BENCH_SUITE"}
    done = subprocess.run(
        ["bash", "-euc", small], cwd=clone, capture_output=True, text=True, check=False, timeout=300,
        env=given | {"LAB_DIR": str(lab_folder), "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    # The settings that were added here are named in headline and table.
    said = masked(re.sub(r",? with training\.epochs=.*", "", done.stdout + done.stderr))
    shown = masked("".join(blocks(WALK_THROUGH, "text")))
    # What was under way when `status` looked depends on the moment.
    steady = [line for line in shown if not re.search("running|queued|…", line)]
    assert len(steady) > 8
    for line in steady:
        assert line in said, f"docs/cluster.md shows a line that is not printed: {line}"
    assert len(list((clone / "results").glob("??/*/record.json"))) == 6
    assert not (lab_folder / "run" / "slurmctld.pid").exists()


def masked(output: str) -> list[str]:
    """Lines without what differs from run to run: numbers, ids, spaces of tables."""
    lines = [re.sub(r"[0-9a-f]*\d[\d.,:a-f-]*", "#", line) for line in output.splitlines()]
    return [" ".join(line.split()) for line in lines]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_of_the_document_are_understood(bench, words):
    """Those that submit are asked for their sbatch text; of the others, verb and options are looked up."""
    if words[0] == "submit":
        done = bench(*words, *([] if "--dry-run" in words else ["--dry-run"]))
        assert done.code == 0, done.err
        assert "#SBATCH" in done.out
        return
    verb = words[:2] if words[0] == "data" else words[:1]
    told = bench(*verb, "--help")
    assert told.code == 0, told.err
    for word in words:
        assert not word.startswith("--") or word in told.out, f"bench {verb[0]} has no {word}"


def test_the_edited_profile_is_valid(clone, monkeypatch):
    """The lines to edit, as shown, are keys that profiles have."""
    (edited,) = blocks(BEFORE, "yaml")
    (clone / "slurm" / "mine.yaml").write_text(edited)
    profile = load_profile("mine", clone)
    shipped = (ROOT / "slurm" / "a100.yaml").read_text()
    assert all(key in shipped for key in profile.parameters)
