"""A task's turns: when it has run out of time too often, and what a warning does before it listens."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clopbench.cell import Cell
from clopbench.results.records import Store
from clopbench.slurm import sbatch
from clopbench.slurm.packing import StopSignals
from clopbench.slurm.submission import Submission, SubmittedCell, describe, write
from clopbench.slurm.task import Turn


@pytest.fixture
def turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: Cell) -> Turn:
    """A task of three cells, in its first turn; no Slurm answers it."""
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "123")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setenv("PATH", str(tmp_path))
    profile = {"name": "lab", "parameters": {}, "requeues": 2, "cells_per_task": 1}
    about = {"tables": ["table7"], "profile": profile, "source": {}, "scale": "laptop"}
    submission = describe(Store(tmp_path), about, [], [])
    cells = [SubmittedCell(cell.id, cell.config(), {}, [("table7", {})])] * 3
    write(submission, [cells])
    return Turn(Submission(submission.folder), 0, StopSignals())


@pytest.mark.parametrize(
    ("earlier", "left", "in_vain"),
    [
        ([], 3, 1),
        ([], 2, 0),  # One cell was finished in this turn.
        ([3, 3], 3, 3),
        ([3, 3], 2, 0),
        ([3, 2], 2, 1),
        ([2, 2, 1], 1, 1),  # Cells that earlier turns finished do not count again.
    ],
)
def test_turns_in_vain_are_those_since_fewer_cells_were_left(turn, earlier, left, in_vain):
    for count in earlier:
        turn.note("start")
        turn.note("timeout", left=count)
    assert turn._turns_in_vain(left) == in_vain


LISTENS_LATE = """
import os, signal
print("deaf", flush=True)
input()
heard = []
signal.signal(signal.SIGUSR2, lambda *_: heard.append(1))
os.kill(os.getpid(), signal.SIGUSR2)
print("heard", len(heard))
"""


def test_a_warning_does_not_end_a_task_that_has_not_begun_to_listen():
    process = subprocess.Popen(
        [*sbatch.DEAF_UNTIL_READY, sys.executable, "-c", LISTENS_LATE],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "deaf\n"
    process.send_signal(signal.SIGUSR2)
    out, _ = process.communicate("\n", timeout=60)
    assert (process.returncode, out) == (0, "heard 1\n")
