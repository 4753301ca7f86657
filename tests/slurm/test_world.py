"""A real Slurm as sites set it up: an outer job's variables, --export=NONE, limits, no second turn."""

import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from checkout import QUICK, ROOT
from cluster import SUBMIT, events, jobs, only, state, wait_for
from lab import Lab, lab_command, require
from patience import SUBMIT as PATIENT
from patience import TABLE, Pace, check_records, under_way
from patience import state as patient_state

from clopbench.slurm import handover

# Each by itself made tasks fail, or sent them elsewhere, where sbatch saw it.
OUTER = {
    "SLURM_NTASKS": "4", "SLURM_NPROCS": "4", "SLURM_MEM_PER_CPU": "500", "SLURM_CPUS_PER_TASK": "3",
    "SLURM_JOB_ID": "7", "SLURM_PROCID": "1", "SLURM_DISTRIBUTION": "arbitrary", "SLURM_HINT": "nomultithread",
    "SLURM_CLUSTERS": "nowhere", "SLURM_EXPORT_ENV": "NONE", "SLURM_ARRAY_TASK_ID": "9",
    "SBATCH_PARTITION": "nowhere", "SBATCH_TIMELIMIT": "1", "SBATCH_JOB_NAME": "other", "SBATCH_ARRAY_INX": "5",
    "SBATCH_EXPORT": "NONE", "SBATCH_NO_REQUEUE": "1", "SBATCH_WAIT": "1", "SBATCH_SIGNAL": "KILL@10",
    "SBATCH_OUTPUT": "/nowhere/%j", "SRUN_CPUS_PER_TASK": "64", "SQUEUE_FORMAT": "%i", "SQUEUE_STATES": "CD",
    "SCANCEL_STATE": "SUSPENDED", "PMI_RANK": "3", "PMIX_RANK": "3",
}  # fmt: skip


@pytest.mark.slow
def test_from_inside_a_job_and_without_an_environment(bench, lab: Lab, tmp_path, monkeypatch):
    """Cells are trained under every variable of the table, and where tasks inherit no variable at all."""
    results = tmp_path / "results"
    with monkeypatch.context() as outer:
        for name, value in OUTER.items():
            outer.setenv(name, value)
        done = bench(*SUBMIT, "--seeds", "1", *QUICK, "mem_gb=1")
        assert done.code == 0, done.err
        ignored = ", ".join(sorted(name for name in OUTER if name.startswith("SBATCH_")))
        assert f"not passed on to sbatch, because the profile says how tasks run: {ignored}" in done.out
        assert state(bench)["queued"] + state(bench)["running"] + state(bench)["done"] == 2
    (array,) = jobs(only(results))
    shown = lab.ask("scontrol", "show", "job", f"{array}_0", "--oneliner")
    for words in ("Partition=main", "TimeLimit=00:20:00", "NumTasks=1", "Requeue=1", only(results).name):
        assert words in shown
    one = ["--only", "prototypes=random", *QUICK]
    for seed, words in enumerate(("export=HOME", "slurm_additional_parameters={export:NONE}"), start=2):
        done = bench(*SUBMIT, "--seeds", f"{seed}-{seed}", *one, words)
        assert done.code == 0, done.err
    wait_for(lab, results, 4)
    assert state(bench)["done"] == state(bench)["total"] == 4


@pytest.mark.slow
def test_a_task_that_may_not_be_requeued_fails_and_is_said_to_have(
    bench, lab: Lab, tmp_path, pace: Pace, undisturbed
):
    """Preempted, and out of time: one turn, a failure of its class, a checkpoint from which retry goes on."""
    results = tmp_path / "results"
    assert bench(*PATIENT, "--seeds", "0,3,4", "requeue=false", "tasks=2").code == 0
    submission = only(results)
    (array,) = jobs(submission)
    under_way(lab, results, [f"{array}_0", f"{array}_1"])
    pace.slow(1)
    end = datetime.now() + timedelta(seconds=5)
    lab.ask("scontrol", "update", f"JobId={array}_1", f"EndTime={end:%FT%T}")
    lab.ask("scancel", "--signal=USR2", f"{array}_0")  # As preemption sends it.
    lab.wait(lambda: patient_state(bench)["failed"] == 3, "the failures", 120)
    failed = patient_state(bench)
    assert failed["failed_by_class"] == {"timeout": 2, "killed": 1}
    assert events(submission, 0) == ["start", "stop preempted", "end"]
    assert events(submission, 1) == ["start", "stop timeout", "end"]
    kept = "; the checkpoint is kept for `bench retry`"
    assert {cell["seed"]: cell["message"] for cell in failed["cells"]} == {
        0: f"preempted (profile lab: requeue false){kept}",
        3: f"out of time (profile lab: requeue false){kept}",
        4: "not begun: out of time (profile lab: requeue false)",
    }
    lab.wait(lambda: not lab.ask("squeue", "-h"), "an empty queue: nothing was requeued")
    pace.go()
    assert bench("retry", TABLE, "tasks=null").code == 0
    wait_for(lab, results, 3)
    check_records(results, undisturbed, {0: 2, 3: 2, 4: 1})


def waiting(results: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`bench submit --wait` in a process of its own, which looks every half second."""
    code = (
        "import clopbench.slurm.handover as h; h.Handover.wait.__defaults__ = (0.5,); "
        "from clopbench.cli.main import main; main()"
    )
    command = [sys.executable, "-u", "-c", code, *SUBMIT, "--wait", *arguments, "--results", str(results)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_limit_of_the_account(bench, lab_with, tmp_path, monkeypatch):
    """Room for three of six: what fits is taken; --wait is interrupted, goes on, and submits the rest.

    On the same lab, whose database knows its name: a profile that names the cluster.
    """
    require("slurmdbd", "mariadbd")
    lab: Lab = lab_with(accounting=True, NODES=1, MAX_SUBMIT=3)
    monkeypatch.setenv("SLURM_CONF", str(lab.conf))
    results = tmp_path / "results"
    cells = ["--seeds", "3", *QUICK]
    hold = "slurm_additional_parameters={hold:true}"
    done = bench(*SUBMIT, *cells, hold, "clusters=lab")
    assert done.code == 3
    assert done.err == (
        "QOSMaxSubmitJobPerUserLimit; 3 of 6 tasks are not submitted: the same command again later, or with "
        "--wait, submits the rest when there is room\n"
    )
    assert "6 cells in 6 tasks" in done.out
    assert " on cluster lab: 3 tasks, 2 at a time\n" in done.out
    submission = only(results)
    assert str(submission.job(submission.parts[0])).endswith(";lab")
    assert (state(bench)["queued"], state(bench)["stalled"]) == (3, 3)
    assert "cancelled 3 tasks" in bench("cancel").out
    lab.wait(lambda: not lab.ask("squeue", "-h"), "an empty queue")

    patient = waiting(results, *cells, hold)
    lab.wait(lambda: state(bench)["queued"] == 6, "three in the queue, and three that are spoken for", 240)
    assert state(bench)["queued_by_reason"] == {"JobHeldUser": 3, "no room in Slurm's queue yet": 3}
    assert "6 cells are in Slurm's queue already" in bench(*SUBMIT, *cells).out
    patient.send_signal(signal.SIGINT)
    out, err = patient.communicate(timeout=60)
    assert err == "interrupted: 3 of 6 tasks are not submitted; the same command again submits them\n"
    assert patient.returncode == 3
    assert "3 of 6 tasks are submitted (QOSMaxSubmitJobPerUserLimit); the rest follows" in out
    assert (state(bench)["queued"], state(bench)["stalled"]) == (3, 3)
    lab.ask("scontrol", "release", lab.ask("squeue", "-h", "-o", "%F"))
    again = waiting(results, *cells)
    out, err = again.communicate(timeout=300)
    assert (again.returncode, err) == (0, "")
    assert "3 cells are in Slurm's queue already\n" in out
    assert "3 of 3 tasks are submitted\n" in out
    wait_for(lab, results, 6)
    assert state(bench)["done"] == 6


@pytest.mark.slow
def test_a_limit_of_the_cluster(bench, lab_with, tmp_path, monkeypatch):
    """MaxJobCount, at which sbatch itself would try on for two minutes."""
    lab: Lab = lab_with(NODES=1, MAX_JOB_COUNT=10)
    monkeypatch.setenv("SLURM_CONF", str(lab.conf))
    monkeypatch.setattr(handover, "WAIT_SECONDS", 0.5)
    begin = time.monotonic()
    hold = "slurm_additional_parameters={hold:true}"
    done = bench(*SUBMIT, "--seeds", "8", *QUICK, hold)
    assert time.monotonic() - begin < 60
    assert done.code == 3
    assert re.match(r"Slurm temporarily unable to accept job.*; \d+ of 16 tasks are not submitted", done.err)
    queued = len(lab.ask("squeue", "-h", "-r").splitlines())
    assert 8 <= queued <= 10
    assert f"; {16 - queued} of 16" in done.err
    assert state(bench)["queued"] == queued


def test_daemon_and_stop_act_on_the_lab_that_slurm_conf_names(lab: Lab, tmp_path):
    """Not on the default one, and on none where it names somebody's cluster."""
    conf = {"SLURM_CONF": str(lab.conf), "LAB_DIR": str(tmp_path / "default")}
    assert lab_command("daemon", "stop", "controller", **conf).returncode == 0
    assert not lab.answers()
    assert lab_command("daemon", "start", "controller", **conf).returncode == 0
    lab.wait(lab.answers, "the controller")
    (tmp_path / "slurm.conf").write_text("ClusterName=real\n")
    for name, words in (("slurm.conf", "names no lab"), ("absent.conf", "names no file")):
        for command in (["daemon", "stop", "controller"], ["stop"]):
            done = lab_command(*command, SLURM_CONF=str(tmp_path / name))
            assert (done.returncode, done.stderr.count("\n")) == (1, 1)
            assert words in done.stderr
    # A folder that is named comes first.
    done = lab_command("daemon", "stop", "controller", tmp_path / "other", **conf)
    assert (done.returncode, "no lab in" in done.stderr) == (1, True)
    assert lab.answers()


def test_a_dirty_tree_is_said(bench, tmp_path, monkeypatch):
    """Once with the first submission, so that one still can commit; a clean one is not mentioned."""
    clone = tmp_path / "clone"
    for name in ("benchmarks", "methods", "tables", "slurm"):
        shutil.copytree(ROOT / name, clone / name)
    git = ["git", "-C", str(clone), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setenv("BENCH_SUITE", str(clone))
    dirty = "the suite has uncommitted changes (since commit "
    assert dirty not in bench(*SUBMIT, "--seeds", "1", *QUICK, "--dry-run").out
    with (clone / "methods" / "clop.py").open("a") as file:
        file.write("# changed\n")
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, "--dry-run")
    assert done.out.count(dirty) == 1
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert f"{dirty}{head[:12]})\n" in done.out
