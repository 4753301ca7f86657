"""What Slurm is asked, on a real Slurm: who is queued, why, how jobs ended; and when it gives no answer."""

import time
from datetime import datetime
from pathlib import Path

import pytest
from lab import Lab, require

from clopbench.errors import UserError
from clopbench.slurm import commands, squeue
from clopbench.slurm.commands import NoAnswer, Refused
from clopbench.slurm.squeue import JobState

# Task 0 ends well, 1 with status 3, 2 by a signal; 3 and 4 run; 5 and 6 wait for a place.
MIXED = (
    "case $SLURM_ARRAY_TASK_ID in 0) exit 0;; 1) exit 3;; 2) kill -9 $$;; esac; sleep 600",
    *("--array=0-6%2", "--time=30", "--job-name=a|b"),
)
ENDS = {0: ("COMPLETED", 0, None), 1: ("FAILED", 3, None), 2: ("FAILED", 0, 9)}


def mixed(lab: Lab) -> str:
    job = lab.sbatch(*MIXED)

    def settled() -> bool:
        states = lab.states(job)  # Once: between two answers, tasks end and others start.
        return states.count("RUNNING") == 2 and states.count("FAILED") == 2

    lab.wait(settled, "the array")
    return job


def test_queue_tells_of_every_task_in_one_call(lab: Lab, monkeypatch):
    job = mixed(lab)
    other = lab.sbatch("sleep 600", "--hold")
    shown = lab.ask("scontrol", "show", "job", f"{job}_3", "--oneliner")
    start = next(word.removeprefix("StartTime=") for word in shown.split() if word.startswith("StartTime="))
    # Users set such variables for their own eyes.
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    monkeypatch.setenv("SQUEUE_STATES", "SUSPENDED")
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")

    now = squeue.queue([job])
    assert {name: state.state for name, state in now.items()} == {
        f"{job}_3": "RUNNING", f"{job}_4": "RUNNING", f"{job}_5": "PENDING", f"{job}_6": "PENDING",
    }  # fmt: skip
    running, waiting = now[f"{job}_3"], now[f"{job}_5"]
    assert (running.ended, running.waiting, running.node, running.name) == (False, False, "n1", "a|b")
    assert running.seconds_left is not None and 29 * 60 < running.seconds_left <= 30 * 60
    assert running.starts_unix == datetime.fromisoformat(start).timestamp()
    assert (waiting.waiting, waiting.reason) == (True, "JobArrayTaskLimit")
    assert (waiting.node, waiting.seconds_left) == ("", None)

    everything = squeue.queue([job], ended=True)
    assert len(everything) == 7
    for task, (state, code, number) in ENDS.items():
        ended = everything[f"{job}_{task}"]
        assert (ended.state, ended.exit_code, ended.signal, ended.ended) == (state, code, number, True)
        assert ended.seconds_left is None

    assert squeue.queue([f"{job}_4", f"{job}_0"]).keys() == {f"{job}_4"}
    assert squeue.queue([job, other]).keys() == now.keys() | {other}
    assert squeue.queue([other])[other].reason == "JobHeldUser"
    assert squeue.queue().keys() == now.keys() | {other}
    # An id like 3 must not stand for 3_1, 33 or 13.
    assert squeue.queue([other + "0", job + "0"]) == {}


def test_jobs_that_slurm_does_not_know_are_absent(lab: Lab):
    assert squeue.queue([]) == {}
    assert squeue.queue(["4000000"]) == {}
    assert squeue.queue(["4000000", "4000001_3"], ended=True) == {}
    assert squeue.queue() == {}


def test_restarts_are_counted(lab: Lab):
    job = lab.sbatch("sleep 600", "--requeue")
    lab.wait(lambda: lab.states(job) == ["RUNNING"], "the job")
    assert squeue.queue([job])[job].restarts == 0
    lab.ask("scontrol", "requeue", job)
    lab.wait(lambda: squeue.queue([job])[job].waiting, "the job to be back in the queue")
    assert squeue.queue([job])[job].restarts == 1


def test_cancel_ends_tasks_and_no_others(lab: Lab):
    job, other = mixed(lab), lab.sbatch("sleep 600", "--array=0-1")
    squeue.cancel([f"{job}_3", f"{job}_0", f"{job}_6", f"{other}_1", "4000000"])
    left = {f"{job}_4", f"{job}_5", f"{other}_0"}
    lab.wait(lambda: squeue.queue([job, other]).keys() == left, "the cancelled tasks to go")
    squeue.cancel([job, other])
    lab.wait(lambda: squeue.queue() == {}, "all to go")
    squeue.cancel([job])
    squeue.cancel([])


def test_cancel_of_very_many_tasks_leaves_every_other_one(lab_with, monkeypatch):
    """squeue --array would lose task 3999 here, and shorten the list without it."""
    lab = lab_with(MAX_ARRAY_SIZE=4001)
    monkeypatch.setenv("SLURM_CONF", str(lab.conf))
    job = lab.sbatch("sleep 600", "--array=0-3999", "--hold")
    squeue.cancel([f"{job}_{task}" for task in range(0, 4000, 2)])
    assert squeue.queue([job]).keys() == {f"{job}_{task}" for task in range(1, 4000, 2)}


def test_a_signal_reaches_the_tasks_of_a_job(lab: Lab, tmp_path):
    log = tmp_path / "log"
    script = f"trap 'echo warned > {log}' USR2; touch {log}; while sleep 1 || :; do :; done"
    job = lab.sbatch(f'srun sh -c "{script}"')
    lab.wait(log.exists, "the job")
    squeue.cancel([job], "USR2")
    lab.wait(lambda: log.read_text() == "warned\n", "the signal")
    assert squeue.queue([job])[job].state == "RUNNING"


def test_max_array_size_is_the_cluster_s(lab: Lab, lab_with, monkeypatch):
    assert squeue.max_array_size() == 1001  # Slurm's default.
    small = lab_with(MAX_ARRAY_SIZE=10, NODES=1)
    monkeypatch.setenv("SLURM_CONF", str(small.conf))
    assert squeue.max_array_size() == 10
    commands.client("sbatch", "--array=0-9", "--output=/dev/null", "--wrap=true")
    with pytest.raises(Refused, match="Invalid job array specification"):
        commands.client("sbatch", "--array=0-10", "--output=/dev/null", "--wrap=true")


def test_a_refusal_is_one_line_with_slurm_s_words(lab: Lab):
    with pytest.raises(Refused) as refusal:
        commands.client("sbatch", "--partition=nowhere", "--wrap=true")
    assert str(refusal.value) == (
        "Slurm refused sbatch: invalid partition specified: nowhere; "
        "Batch job submission failed: Invalid partition name specified"
    )
    assert isinstance(refusal.value, UserError)
    assert not isinstance(refusal.value, NoAnswer)


@pytest.mark.slow
def test_a_controller_that_is_down_is_one_line(lab: Lab):
    lab.daemon("stop", "controller")
    for ask in (squeue.queue, lambda: squeue.queue(["1"]), lambda: squeue.cancel(["1"])):
        with pytest.raises(
            NoAnswer, match=r"^Slurm's controller does not answer s\w+: .*\bUnable to contact slurm"
        ):
            ask()
    assert squeue.max_array_size() is None


def test_without_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoAnswer, match=r"^Slurm's squeue cannot be run: no such file or directory$"):
        squeue.queue()
    assert squeue.history(["1"]) is None
    assert squeue.max_array_size() is None


def test_a_slow_answer_is_not_waited_for(program, tmp_path):
    """Nor do the children of a wrapper script stay behind."""
    program("squeue", f"sleep 600 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(NoAnswer, match=r"^Slurm gave no answer to squeue within 1 s$"):
        commands.client("squeue", seconds=1)
    stat = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    deadline = time.monotonic() + 30
    while stat.exists() and ") Z " not in stat.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    "script",
    [
        "sleep 600",
        "echo 'Slurm accounting storage is disabled' >&2; exit 1",
        "echo 'sacct: error: Problem talking to the database: Connection refused' >&2; exit 1",
    ],
)
def test_history_is_never_required(program, script):
    program("sacct", script)
    assert squeue.history(["1"], seconds=1) is None


def test_history_without_accounting(lab: Lab):
    assert squeue.history([lab.sbatch("true")]) is None
    assert squeue.history([]) == {}


@pytest.mark.slow
def test_history_with_accounting(lab_with, monkeypatch):
    require("slurmdbd", "mariadbd")
    lab = lab_with(accounting=True)
    monkeypatch.setenv("SLURM_CONF", str(lab.conf))
    job = mixed(lab)
    squeue.cancel([f"{job}_3"])

    def settled() -> bool:
        told = squeue.history([job, "4000000"])
        return told is not None and f"{job}_3" in told and told[f"{job}_3"].ended

    lab.wait(settled, "sacct to tell of the cancelled task")
    told = squeue.history([f"{job}_0"])
    assert told is not None
    for task, (state, code, number) in ENDS.items():
        expected = JobState(f"{job}_{task}", state, node="n1", exit_code=code, signal=number)
        assert told[f"{job}_{task}"] == expected
    assert told[f"{job}_3"].state == "CANCELLED"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:00", 0), ("29:59", 1799), ("1:00:00", 3600), ("2-03:04:05", 183845), ("365-00:00:00", 31536000),
        ("UNLIMITED", None), ("INVALID", None), ("NOT_SET", None), ("", None),
    ],
)  # fmt: skip
def test_durations(text, seconds):
    assert squeue.duration(text) == seconds


def test_complaints_lose_their_prefixes():
    message = "sbatch: error: Unable\nsbatch: fatal: to go on: why\n\nsbatch: error: Unable\n"
    assert commands.complaint(message) == "Unable; to go on: why"
