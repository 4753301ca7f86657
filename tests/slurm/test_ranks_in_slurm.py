"""A cell over two nodes of a real Slurm: the bits of a local run, and a clean end where a process dies."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from checkout import QUICK
from cluster import LONGER, epoch, jobs, only, state, wait_for
from lab import Lab
from runs import digests, leftovers

CELL = ["table7", "--seeds", "1", "--only", "prototypes=random"]
SUBMIT = ["submit", *CELL, "--profile", "lab"]
TWO = ["training.devices=2"]


@pytest.mark.slow
def test_two_nodes_give_the_bits_of_a_local_run(bench, lab: Lab, tmp_path):
    """Warned in the middle, as before a time limit: both nodes' ranks stop at one step, and go on from it."""
    results, local = tmp_path / "results", tmp_path / "local"
    settings = [*LONGER, *TWO, "training.epochs=8"]
    done = bench(*SUBMIT, *settings, "nodes=2")
    assert done.code == 0, done.err
    submission = only(results)
    (job,) = jobs(submission)
    lab.wait(lambda: epoch(results) >= 2, "the second epoch", 120)
    lab.ask("scancel", "--signal=USR2", job)
    assert bench("run", *CELL, *settings, "--workers", "1", "--results", local).code == 0
    assert wait_for(lab, results, 1) == digests(local)
    assert len(digests(local)) == 1
    assert next(results.glob("??/*/run.log")).read_text().count("resuming at epoch") == 1
    assert leftovers(results) == []
    assert list((submission.folder / "ranks").iterdir()) == []
    logs = [path.read_text() for path in sorted(submission.logs.glob(f"{job}_0_*_log.out"))]
    assert [log.count(" rank 1 ") for log in logs] == [0, 2]
    assert lab.states(job)[0] == "COMPLETED"
    assert state(bench)["done"] == 1


@pytest.mark.slow
def test_the_death_of_the_other_nodes_process_fails_the_cell(bench, lab: Lab, tmp_path):
    results = tmp_path / "results"
    assert bench(*SUBMIT, *LONGER, *TWO, "training.epochs=500", "nodes=2").code == 0
    lab.wait(lambda: epoch(results) >= 2, "the second epoch", 120)
    followers = [pid for pid, variables in processes_of(lab) if variables["SLURM_PROCID"] == "1"]
    (follower,) = filter(is_task, followers)
    begin = time.monotonic()
    os.kill(follower, signal.SIGKILL)
    lab.wait(lambda: list(results.glob("??/*/record.json")), "the record of a failure", 60)
    assert time.monotonic() - begin < 60
    (record,) = results.glob("??/*/record.json")
    failure = json.loads(record.read_text())["failure"]
    assert failure["message"] == "rank 1 of 2: its process (1 of the task's 2) is gone"
    assert failure["class"] == "node"
    lab.wait(lambda: not lab.ask("squeue", "-h"), "an empty queue")
    lab.wait(lambda: not processes_of(lab), "the end of all processes")


def processes_of(lab: Lab) -> list[tuple[int, dict[str, str]]]:
    """Living processes of a lab's tasks, with the variables that they started with."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            pairs = (word.partition("=") for word in path.read_bytes().decode(errors="replace").split("\0"))
            variables = {name: value for name, _, value in pairs}
            alive = (path.parent / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            continue
        if alive and "SLURM_PROCID" in variables and variables.get("SLURM_CONF") == str(lab.conf):
            found.append((int(path.parent.name), variables))
    return found


def is_task(pid: int) -> bool:
    return b"clopbench.slurm.task" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["training.devices=4", "cells_per_task=2"], "cells_per_task 2 goes with training.devices 1 only"),
        (["training.devices=4", "nodes=3"], "3 processes (nodes × tasks_per_node), which cannot share"),
        (["nodes=2", "tasks_per_node=2"], "4 processes (nodes × tasks_per_node), which cannot share"),
    ],
)
def test_processes_that_cannot_share_a_cell_are_refused(bench, settings, words):
    done = bench(*SUBMIT, *QUICK, *settings, "--dry-run")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert words in line


def test_one_process_does_not_end_the_others_before_they_have_recorded_it(bench):
    done = bench(*SUBMIT, *QUICK, *TWO, "nodes=2", "--dry-run")
    assert "#SBATCH --nodes=2\n" in done.out
    assert " --kill-on-bad-exit=0 " in done.out
    assert "kill-on-bad-exit" not in bench(*SUBMIT, *QUICK, "--dry-run").out
