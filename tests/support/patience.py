"""A suite of one table whose cells are small and last as long as a test wants, for accidents in the middle.

Until the test lets them go, cells pause at every step without using the processor. What they compute does not
depend on it, so their results are those of a local run that never paused.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from cluster import events, starts
from lab import Lab
from runs import digests, leftovers

from clopbench.results import leases
from clopbench.results.index import scan
from clopbench.results.records import Store
from clopbench.slurm.submission import Submission

TABLE = "patience"
METHOD = '''
"""InfoNCE in no hurry: a step takes as many seconds as the file $PACE says, as long as there is one."""
import os, time
import torch
from clopbench.contrastive import info_nce
from clopbench.method import Method

class Patient(Method):
    name, version = "patient", 1

    def __init__(self, dim: int, num_classes: int, *, generator: torch.Generator):
        super().__init__()

    def loss(self, batch):
        begin, pace = time.monotonic(), os.environ.get("PACE", "")
        while os.path.exists(pace) and time.monotonic() < begin + float(open(pace).read() or 0):
            time.sleep(0.05)
        return {"total": info_nce(batch.z_VBD, 0.2)}
'''
BENCHMARK = """
defaults: [{scale: laptop}, _self_]
title: Cells that wait
axes: {method: {patient: {}}}
method: {name: patient}
data: {label_fraction: 1.0}
"""
# Fifty steps, saved after each.
SCALE = """
# @package _global_
scale: {name: laptop, summary: digits, seconds_per_cell: 3, measured_on: one core}
data: {name: digits}
encoder: {name: residual, width: 4}
projection: {hidden: 16, dim: 16}
training: {epochs: 5, batch_size: 128, learning_rate: 0.1, momentum: 0.9, weight_decay: 1e-4, warmup_epochs: 0}
augmentation: {name: digits}
evaluation: {probe_c: 1.0, knn: 20, collapse_rank: 0}
launch: {threads: 1, checkpoint_seconds: 0}
"""
SUBMIT = ["submit", TABLE, "--profile", "lab"]
SEEDS = 6


class Pace:
    """How long each step of every cell takes."""

    def __init__(self, path: Path):
        self.path = path

    def slow(self, seconds: float = 3) -> None:
        partial = self.path.with_suffix(".partial")
        partial.write_text(str(seconds))
        partial.replace(self.path)

    def go(self) -> None:
        self.path.unlink()


def write_suite(root: Path) -> Path:
    """The suite's folder."""
    files = {
        "methods/patient.py": METHOD,
        f"benchmarks/{TABLE}.yaml": BENCHMARK,
        "benchmarks/scale/laptop.yaml": SCALE.lstrip(),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    shutil.copytree(ROOT / "slurm", root / "slurm", ignore=shutil.ignore_patterns("lab"))
    return root


@pytest.fixture(scope="session")
def patient_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture
def pace(patient_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pace:
    """Makes the suite the one that commands find, and its cells slow from the start."""
    monkeypatch.setenv("BENCH_SUITE", str(patient_suite))
    monkeypatch.setenv("PACE", str(tmp_path / "pace"))
    pace = Pace(tmp_path / "pace")
    pace.slow()
    return pace


@pytest.fixture(scope="session")
def undisturbed(patient_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of all cells that tests here submit, from `bench run` without any Slurm."""
    results = tmp_path_factory.mktemp("undisturbed")
    command = ["run", TABLE, "--seeds", str(SEEDS), "--workers", "2", "--results", str(results)]
    done = subprocess.run(
        [sys.executable, "-c", "from clopbench.cli.main import main; main()", *command],
        capture_output=True, text=True, check=False, env=os.environ | {"BENCH_SUITE": str(patient_suite)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return digests(results)


def state(bench: Callable, cells: int | None = None) -> dict[str, Any]:
    """`bench status --json` of the one table; whatever goes on, each cell is somewhere."""
    done = bench("status", TABLE, "--json")
    (table,) = json.loads(done.out)["tables"]
    counts = {name: table[name] for name in ("done", "running", "queued", "failed", "cancelled", "stalled")}
    assert sum(counts.values()) == table["total"] == len(table["cells"])
    assert cells in (None, table["total"])
    bad = counts["failed"] + counts["cancelled"] + counts["stalled"]
    assert done.code == (1 if bad else 0 if counts["done"] == table["total"] else 3)
    return table


def under_way(lab: Lab, results: Path, jobs: list[str]) -> None:
    """Wait until each of these tasks has taken a step of its cell, and saved."""

    def saved() -> set[str]:
        holders = [leases.current(path.parent) for path in results.glob("??/*/checkpoint.pt")]
        return {lease.holder.get("slurm_job", "") for lease in holders if lease}

    lab.wait(lambda: saved() >= set(jobs), f"{jobs} to get under way", 120)


def turns(submission: Submission, task: int = 0) -> int:
    """How often a task has started."""
    return events(submission, task).count("start")


def check_records(results: Path, undisturbed: dict[str, str], begun: dict[int, int]) -> None:
    """Every cell has one record, written once, with the local run's numbers; begun: seed → starts."""
    entries = scan(Store(results)).values()
    seeds = {entry.content["config"]["seed"]: entry.id for entry in entries}
    assert seeds.keys() == begun.keys()
    assert digests(results) == {cell: undisturbed[cell] for cell in seeds.values()}
    for seed, cell in seeds.items():
        log = (Store(results).folder(cell) / "run.log").read_text()
        assert (seed, log.count(" start "), log.count(" done\n")) == (seed, begun[seed], 1), log
        assert log.count("resuming at epoch") == begun[seed] - 1, log
    assert sum(starts(results)) == sum(begun.values())
    assert leftovers(results) == []
