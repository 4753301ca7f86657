"""A task's turns: when it has run out of time too often, and what a warning does before it listens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from checkout import some

from clopbench.cell import Cell
from clopbench.launch.taking import Taken
from clopbench.results.records import Store
from clopbench.slurm import sbatch, task
from clopbench.slurm.packing import Packing, StopSignals
from clopbench.slurm.submission import Submission, SubmittedCell, describe, write
from clopbench.slurm.task import Turn


@pytest.fixture
def turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: Cell) -> Turn:
    """A task of three cells, in its first turn; no Slurm answers it."""
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "123")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setenv("PATH", str(tmp_path))
    profile = {"name": "lab", "parameters": {}, "requeues": 2, "cells_per_task": 1}
    about = {"tables": ["table7"], "profile": profile, "source": {}, "scale": "laptop", "device": "cpu"}
    submission = describe(Store(tmp_path), about | {"settings": {}}, [], [])
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there, and works")
def test_a_device_that_does_not_start_ends_the_task_at_once(turn, suite, tmp_path, monkeypatch):
    """The first cell finds out; the others are recorded as not begun, for `bench retry --class device`."""
    cells = [
        SubmittedCell(cell.id, cell.config(), {}, [("table7", {})])
        for cell in (suite.benchmark("table7").entries[0].cell(seed) for seed in range(20))
    ]
    monkeypatch.setenv("PATH", os.defpath)
    folders = [str(folder) for folder in suite.method_folders]
    packing = Packing(
        Store(tmp_path / "results"), folders, str(tmp_path), ["4", "4"], "cuda", 0.0, {}, StopSignals()
    )
    ended = packing.run(cells, 0.0)
    assert len(ended.failed) == 20
    failures = [some(some(packing.store.read(cell.id)).failure) for cell in cells]
    assert {failure["class"] for failure in failures} == {"device"}
    tried = [failure for failure in failures if not failure["message"].startswith("not begun: ")]
    assert 1 <= len(tried) <= 2
    assert all(failure["message"].startswith("GPU 4 does not start: ") for failure in tried)


@pytest.mark.parametrize(
    ("taken", "slots", "device"),
    [
        (Taken("cpu", (), "the CPU, as GPU 0 does not work: why"), [None], "cpu"),
        (Taken("cuda", ("1",), "GPU 1"), ["1"], "cuda"),
    ],
)
def test_a_task_takes_what_works_on_its_node_and_says_so(turn, monkeypatch, capsys, taken, slots, device):
    turn.submission.about.update({"device": "auto", "data": "", "created_unix": 0.0})
    monkeypatch.setattr(task, "resolve", lambda device: taken if device == "auto" else None)
    packing = turn._packing()
    assert turn._slots(packing, turn.submission.task(0)) == slots
    assert packing.device == device
    assert f"device auto: {taken.words}\n" in capsys.readouterr().out
