"""Whatever a cluster does to a task, its cells end with one record each, in the bits of an undisturbed run."""

import os
import signal
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cluster import events, jobs, only, wait_for
from lab import Lab
from patience import SUBMIT, TABLE, Pace, check_records, state, turns, under_way

from clopbench.results import leases
from clopbench.results.records import Store
from clopbench.slurm.submission import Submission, all_submissions

pytestmark = pytest.mark.slow
# What came of a task that was interrupted once and asked for another turn.
ANOTHER_TURN = ["start", "stop {0}", "requeue {0}", "start", "end"]


def end_soon(lab: Lab, job: str, seconds: float) -> None:
    """Bring a task's time limit forward."""
    end = datetime.now() + timedelta(seconds=seconds)
    lab.ask("scontrol", "update", f"JobId={job}", f"EndTime={end:%FT%T}")


def kill_tree(job: str) -> None:
    """kill -9 of every process of a task's step, as the kernel would; Slurm's own daemons live."""
    array, index = job.split("_")
    marks = {f"SLURM_ARRAY_JOB_ID={array}", f"SLURM_ARRAY_TASK_ID={index}"}
    pids = []
    for entry in Path("/proc").iterdir():
        try:
            variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            if entry.name.isdigit() and marks <= set(variables) and "python" in os.readlink(entry / "exe"):
                pids.append(int(entry.name))
        except OSError:
            continue
    assert pids
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)


def wait_for_turns(lab: Lab, bench: Callable, submission: Submission, tasks: Iterable[int], least: int = 2):
    """Until these tasks have started so often, while `bench status` says of every cell where it is."""

    def begun() -> bool:
        state(bench)
        return all(turns(submission, task) >= least for task in tasks)

    lab.wait(begun, f"{least} turns each of {tasks}", 120)


def test_signals_requeues_and_time_limits(bench, lab: Lab, tmp_path, pace: Pace, undisturbed):
    """Four tasks: a warning, a requeue without one, a time limit, and the last is left alone.

    A fifth may not be requeued at its time limit. Under all of them the controller is started again.
    """
    results = tmp_path / "results"
    assert bench(*SUBMIT, "--seeds", "4", "slurm_array_parallelism=4").code == 0
    assert bench(*SUBMIT, "--seeds", "4,5", "requeues=0").code == 0
    submission, impatient = all_submissions(Store(results))
    (array,), (limited,) = jobs(submission), jobs(impatient)
    under_way(lab, results, [*(f"{array}_{n}" for n in range(4)), f"{limited}_0"])
    pace.slow(1)
    lab.daemon("stop", "controller")
    told = state(bench, 6)
    assert told["running"] >= 5
    lab.daemon("start", "controller")
    lab.wait(lab.answers, "the controller")
    lab.ask("scancel", "--signal=USR2", f"{array}_0")
    lab.ask("scontrol", "requeue", f"{array}_1")
    end_soon(lab, f"{array}_2", 5)
    end_soon(lab, f"{limited}_0", 5)
    lab.wait(lambda: "requeue timeout" in events(submission, 2), "the timed-out task to ask for a turn", 120)
    lab.ask("scontrol", "update", f"JobId={array}_2", "TimeLimit=60")  # Or the next turn ends early too.
    wait_for_turns(lab, bench, submission, range(3))
    lab.wait(lambda: state(bench)["failed_by_class"] == {"timeout": 1}, "the failure", 120)
    pace.go()
    wait_for(lab, results, 6)
    assert events(submission, 0) == [word.format("preempted") for word in ANOTHER_TURN]
    assert events(submission, 1) == ["start", "stop requeued", "start", "end"]
    assert events(submission, 2) == ["start", "stop timeout", "timeout", "requeue timeout", "start", "end"]
    assert events(submission, 3) == ["start", "end"]
    assert events(impatient, 0) == ["start", "stop timeout", "timeout", "end"]
    assert events(impatient, 1) == ["start", "end"]
    (failed,) = [cell for cell in state(bench)["cells"] if cell["state"] == "failed"]
    assert "out of time in 1 turns of 20 min (profile lab: requeues 0)" in failed["message"]
    assert (Store(results).folder(failed["id"]) / "checkpoint.pt").is_file()
    logs = bench("logs", failed["id"][:8]).out
    assert "stopped (timeout): 1 cell saved, 0 not begun" in logs
    assert bench("retry", TABLE, "--class", "timeout").code == 0
    wait_for(lab, results, 6)
    check_records(results, undisturbed, {0: 2, 1: 2, 2: 2, 3: 1, 4: 2, 5: 1})
    assert bench("status").out == "patience: 6 cells: 6 done\n"
    first = next(cell["id"] for cell in state(bench)["cells"] if cell["seed"] == 0)
    logs = bench("logs", first[:8], "-n", "400").out
    for words in ("resuming at epoch", "stopped (preempted): 1 cell saved, 0 not begun", f"{first} "):
        assert words in logs


def test_preemption_in_all_forms(bench, lab: Lab, tmp_path, pace: Pace, undisturbed):
    """A job of a higher partition wants all nodes. What it drives out is requeued by Slurm, or asks to be.

    Where Slurm cancels without time to ask, `bench retry` brings it back.
    """
    results = tmp_path / "results"
    lab.ask("scontrol", "create", "PartitionName=low-now", "Nodes=ALL", "PriorityTier=1", "PreemptMode=CANCEL")
    for seeds, partition in (("1", "low"), ("2", "low-cancel"), ("3", "low-now")):
        assert bench(*SUBMIT, "--seeds", seeds, f"slurm_partition={partition}").code == 0
    submissions = all_submissions(Store(results))
    under_way(lab, results, [f"{jobs(submission)[0]}_0" for submission in submissions])
    pace.slow(1)
    higher = lab.sbatch("sleep 600", "--partition=high", "--exclusive", "--nodes=2")
    lab.wait(lambda: lab.states(higher) == ["RUNNING"], "the higher job", 120)
    table = state(bench, 3)
    assert (table["queued"], table["failed_by_class"]) == (2, {"killed": 1})
    told = bench("status", "--all").out
    assert "ended task" in told and ": PREEMPTED" in told
    pace.go()
    lab.ask("scancel", higher)
    assert "1 cell in 1 task" in bench("retry", TABLE).out
    wait_for(lab, results, 3)
    for submission in submissions[:2]:
        assert events(submission) == [word.format("preempted") for word in ANOTHER_TURN]
    check_records(results, undisturbed, {0: 2, 1: 2, 2: 2})


def test_nodes_that_fail(bench, lab_with, monkeypatch, tmp_path, pace: Pace, undisturbed):
    """One task on each of five nodes, and three that are free.

    n1 is set DOWN. n2 and n3 lose their daemons, so that their tasks run twice: on n2 the first copy ends its
    cell, on n3 it is killed, and the second goes on. n4 crashes as a whole. On n5 all processes of the task are
    killed, and `bench submit` brings it back.
    """
    lab: Lab = lab_with(NODES=8, CPUS=1)
    monkeypatch.setenv("SLURM_CONF", str(lab.conf))
    results = tmp_path / "results"
    assert bench(*SUBMIT, "--seeds", "5", "slurm_array_parallelism=5").code == 0
    submission = only(results)
    (array,) = jobs(submission)
    tasks = [f"{array}_{n}" for n in range(5)]
    under_way(lab, results, tasks)
    pace.slow(10)
    nodes = {lab.ask("squeue", "-h", "-j", task, "-o", "%N"): n for n, task in enumerate(tasks)}
    assert nodes == {"n1": 0, "n2": 1, "n3": 2, "n4": 3, "n5": 4}
    lab.daemon("kill", "n2")
    lab.daemon("kill", "n3")
    lab.daemon("crash", "n4")
    kill_tree(tasks[4])
    for down in ("DRAIN", "DOWN"):  # DRAIN alone would let the task end; DOWN alone would soon be over.
        lab.ask("scontrol", "update", "NodeName=n1", f"State={down}", "Reason=test")
    wait_for_turns(lab, bench, submission, range(4))
    lab.wait(lambda: state(bench)["failed_by_class"] == {"killed": 1}, "the killed task to be missed")
    assert "4 cells are in Slurm's queue already" in bench(*SUBMIT, "--seeds", "5").out
    assert holder(submission, 1)["slurm_node"] == "n2"
    assert holder(submission, 2)["slurm_node"] == "n3"
    lab.daemon("start", "n3")
    lab.wait(lambda: holder(submission, 2).get("slurm_node") not in (None, "n3"), "the second copy's turn", 120)
    pace.go()
    wait_for(lab, results, 5)
    check_records(results, undisturbed, {0: 2, 1: 1, 2: 2, 3: 2, 4: 2})
    assert events(submission, 1) == ["start", "start", "end", "end"]
    assert state(bench, 5)["done"] == 5


def holder(submission: Submission, task: int) -> dict[str, Any]:
    """What the process says that has a task's cell."""
    (cell,) = submission.task(task)
    lease = leases.current(submission.folder.parents[1] / cell.id[:2] / cell.id)
    return lease.holder if lease and not lease.stale else {}
