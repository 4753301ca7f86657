"""`bench submit` against a real Slurm: everything once, nothing doubled, in the bits of a local run."""

import json
import os
import shutil
import subprocess
import sys
import threading
from typing import Any

import pytest
from checkout import QUICK, ROOT
from cluster import SUBMIT, events, jobs, only, starts, state, wait_for
from golden_sbatch import GOLDEN, golden_submission
from lab import Lab
from runs import METHOD, digests, leftovers

from clopbench.errors import UserError
from clopbench.launch.checkout import sha256_of
from clopbench.results.index import scan
from clopbench.results.records import Store
from clopbench.slurm import sbatch, snapshot
from clopbench.slurm.submission import Part, all_submissions, describe, write
from clopbench.slurm.submit import pack


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> dict[str, str]:
    """Digests of 12 cells, trained by `bench run` without any Slurm."""
    results = tmp_path_factory.mktemp("local")
    command = ["run", "table7", "--seeds", "6", "--workers", "2", *QUICK, "--results", str(results)]
    done = subprocess.run(
        [sys.executable, "-c", "from clopbench.cli.main import main; main()", *command],
        capture_output=True, text=True, check=False, env=os.environ | {"BENCH_SUITE": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return digests(results)


@pytest.mark.slow
def test_an_array_of_12_over_two_nodes_at_parallelism_4(bench, lab: Lab, tmp_path, local):
    """Two CPUs a task, so that two tasks fill half a node; submitted twice, and once more at the end."""
    results = tmp_path / "results"
    command = [*SUBMIT, "--seeds", "6", *QUICK, "cpus_per_task=2", "slurm_array_parallelism=4"]
    done = bench(*command)
    assert done.code == 0, done.err
    assert "12 cells in 12 tasks" in done.out
    (job,) = jobs(only(results))
    assert f"array {job}: 12 tasks, 4 at a time" in done.out
    again = bench(*command)
    assert "12 cells are in Slurm's queue already" in again.out
    assert "nothing to submit" in again.out
    most, stop = [0], threading.Event()

    def count() -> None:
        while not stop.wait(0.3):
            most[0] = max(most[0], lab.ask("squeue", "-h", "-r", "-t", "R", "-o", "%K").count("\n") + 1)

    counter = threading.Thread(target=count)
    counter.start()
    seen = state(bench)
    assert seen["total"] == seen["queued"] + seen["running"] == 12
    found = wait_for(lab, results, 12)
    stop.set()
    counter.join()
    assert found == local
    assert starts(results) == [1] * 12
    assert leftovers(results) == []
    assert most[0] == 4
    contents = [entry.content for entry in scan(Store(results)).values()]
    assert {content["provenance"]["slurm_node"] for content in contents} == {"n1", "n2"}
    assert {content["provenance"]["slurm_job"] for content in contents} == {f"{job}_{n}" for n in range(12)}
    assert {content["provenance"]["submission"] for content in contents} == {only(results).name}
    assert all(events(only(results), task) == ["start", "end"] for task in range(12))
    assert "nothing to submit" in bench(*command).out
    assert len(all_submissions(Store(results))) == 1
    counted, overrides = bench("status").out.splitlines()
    assert counted == "table7: 12 cells: 12 done"
    assert overrides.startswith("  12 of them with training.epochs=1, ")
    assert bench("status").code == 0


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "kind"), [("kill", "killed"), ("memory", "out_of_memory")])
def test_three_in_a_task_one_of_which_fails(bench, lab: Lab, tmp_path, local, fault, kind):
    """The other two do not notice; `retry` takes up that one alone, and not while it waits already."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "theirs.py").write_text(METHOD)
    results = tmp_path / "results"
    extra = ["--method", "theirs", "--methods-dir", folder, f"method.fault={fault}"]
    done = bench(*SUBMIT, "--seeds", "1", *extra, *QUICK, "cells_per_task=3")
    assert done.code == 0, done.err
    assert "3 cells in 1 task" in done.out
    found = wait_for(lab, results, 3)
    assert len(found) == 2
    assert found.items() <= local.items()
    assert lab.states(jobs(only(results))[0]) == ["FAILED"]
    told = bench("status")
    assert told.code == 1
    assert "table7: 3 cells: 2 done, 1 failed" in told.out
    assert f"  failed: 1 {kind}\n" in told.out
    assert f"  failed {kind}  " in bench("status", "--all").out
    (failed,) = [cell["id"] for cell in state(bench)["cells"] if cell["state"] == "failed"]
    assert (
        f"==> {results / failed[:2] / failed / 'run.log'} <=="
        in bench("logs", failed[:8], "--results", results).out
    )
    assert bench("retry", "table7", "--class", "timeout").out == "nothing to retry\n"
    wrong = bench("retry", "table7", "training.epochs=2")
    assert "it makes another cell, to be submitted with `bench submit`" in wrong.err
    (folder / "theirs.py").write_text(METHOD.replace("self.calls == 3", "False"))
    done = bench("retry", "table7", "--class", kind, "--methods-dir", folder, "timeout_min=30")
    assert done.code == 0, done.err
    assert "1 cell in 1 task" in done.out
    assert "nothing to retry" in bench("retry", "table7").out  # It is in the queue.
    assert len(wait_for(lab, results, 3)) == 3
    assert all_submissions(Store(results))[-1].about["profile"]["parameters"]["timeout_min"] == 30
    assert bench("status").code == 0


@pytest.mark.slow
def test_25_cells_where_an_array_holds_10(bench, lab_with, monkeypatch, tmp_path, local):
    lab: Lab = lab_with(MAX_ARRAY_SIZE=10)
    monkeypatch.setenv("SLURM_CONF", str(lab.conf))
    results = tmp_path / "results"
    arguments = ["--seeds", "25", "--only", "prototypes=random", *QUICK, "slurm_array_parallelism=5"]
    done = bench(*SUBMIT, *arguments)
    assert done.code == 0, done.err
    submission = only(results)
    assert [part.count for part in submission.parts] == [9, 8, 8]
    assert sum(part.parallelism for part in submission.parts) == 5
    assert [done.out.count(f"array {job}: ") for job in jobs(submission)] == [1, 1, 1]
    found = wait_for(lab, results, 25, seconds=400)
    assert len(found) == 25
    assert starts(results) == [1] * 25
    shared = found.keys() & local.keys()
    assert len(shared) == 6
    assert all(found[cell] == local[cell] for cell in shared)


def test_slurms_refusal_is_one_line_and_leaves_nothing(bench, lab: Lab, tmp_path):
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, "slurm_partition=nope")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith("error: Slurm refused the job: ")
    assert "invalid partition" in line.lower()
    assert all_submissions(Store(tmp_path / "results")) == []
    assert list((tmp_path / "results" / "submissions").iterdir()) == []


KILLER = """#!/bin/bash
{before}
kill -9 $PPID
{after}
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_sbatch_nothing_is_lost_and_nothing_doubled(bench, lab: Lab, tmp_path, moment):
    """`bench submit` dies just before Slurm hears of the array, or just after, without learning its id."""
    results, folder = tmp_path / "results", tmp_path / "bin"
    folder.mkdir()
    call = f'{shutil.which("sbatch")} "$@"'
    script = KILLER.format(before="" if moment == "before" else call, after="")
    (folder / "sbatch").write_text(script)
    (folder / "sbatch").chmod(0o755)
    command = [*SUBMIT, "--seeds", "1", *QUICK, "slurm_additional_parameters={hold:true}"]
    died = subprocess.run(
        [sys.executable, "-c", "from clopbench.cli.main import main; main()", *command],
        check=False, capture_output=True, text=True,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert died.returncode == -9, died.stderr
    lost = only(results)
    assert lost.job(lost.parts[0]) is None
    queued = lab.ask("squeue", "-h", "-r", "-o", "%F_%K").splitlines()
    assert len(queued) == (0 if moment == "before" else 2)
    done = bench(*command)
    assert done.code == 0, done.err
    assert ("2 cells are in Slurm's queue already" in done.out) == (moment == "after")
    assert len(lab.ask("squeue", "-h", "-r", "-o", "%F_%K").splitlines()) == 2
    assert state(bench)["queued"] == 2
    assert bench("cancel", "table7").code == 0
    assert lab.ask("squeue", "-h", "-t", "PD,R") == ""
    assert state(bench)["cancelled"] == 2


def test_submissions_of_the_same_second_keep_their_order(tmp_path):
    """Names decide which submission of a cell is the newer one."""
    store = Store(tmp_path)
    about = {"tables": ["table7"], "scale": "laptop", "device": "cpu", "settings": {}}
    about["profile"] = {"name": "lab", "parameters": {}}
    made = [describe(store, about, [], []) for _ in range(50)]
    for submission in made:
        write(submission, [])
    assert [s.name for s in all_submissions(store)] == [s.name for s in made]


@pytest.mark.slow
def test_tasks_run_the_code_of_the_moment_of_submission(bench, lab: Lab, tmp_path):
    """Held in the queue while the method's file is broken: the snapshot does not care, --live does."""
    folder, results = tmp_path / "theirs", tmp_path / "results"
    folder.mkdir()
    (folder / "theirs.py").write_text(METHOD)
    (folder / "clopbench").mkdir()
    (folder / "clopbench" / "__init__.py").write_text("raise ImportError('the working folder won')")
    extra = ["--only", "prototypes=random", "--method", "theirs", "--methods-dir", folder, *QUICK]
    hold = "slurm_additional_parameters={hold:true,chdir:" + str(folder) + "}"
    assert bench(*SUBMIT, "--seeds", "1", *extra, hold).code == 0
    assert bench(*SUBMIT, "--seeds", "1,3", "--live", *extra, hold).code == 0
    frozen, live = all_submissions(Store(results))
    (folder / "theirs.py").write_text(METHOD.replace("self.calls += 1", "raise RuntimeError('broken since')"))
    for job in (*jobs(frozen), *jobs(live)):
        lab.ask("scontrol", "release", job)
    wait_for(lab, results, 6)
    entries = {entry.id: entry for entry in scan(Store(results)).values()}
    broken = {cell_id for cell_id, entry in entries.items() if entry.status == "failed"}
    theirs = {c.id for cells in live.tasks for c in cells if c.config["method"]["name"] == "theirs"}
    assert broken == theirs
    assert len(broken) == 2
    assert (frozen.folder / "snapshot" / "clopbench" / "slurm" / "task.py").is_file()
    assert not (live.folder / "snapshot").exists()
    assert frozen.about["source"].keys() == {"commit", "dirty", "engine"}
    engine = sha256_of(frozen.folder / "snapshot" / "clopbench")
    told = {id: entry.content["provenance"]["engine"]["sha256"] for id, entry in entries.items()}
    assert told == dict.fromkeys(entries, engine)


def test_dry_run_shows_the_sbatch_text_without_a_slurm(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = bench(*SUBMIT, "--seeds", "2", "--dry-run", "timeout_min=90", *QUICK)
    assert done.code == 0, done.err
    assert "#SBATCH --array=0-3%2\n" in done.out
    assert "#SBATCH --time=90\n" in done.out
    assert not (tmp_path / "results").exists()
    refused = bench(*SUBMIT, "--seeds", "2", *QUICK)
    assert refused.code == 2
    assert "cannot be run: no such file or directory" in refused.err


def test_the_sbatch_text_is_golden():
    text = sbatch.text(golden_submission(), Part(1, 500, 500, 8), "afterany:1234")
    assert text == GOLDEN.read_text(), "after a wanted change: uv run python tests/support/renew_golden.py"


@pytest.mark.parametrize(
    ("tasks", "limit", "at_once", "sizes", "shares"),
    [
        (25, 10, 5, [9, 8, 8], [2, 2, 1]),
        (25, 1001, 4, [25], [4]),
        (2, 1001, 256, [2], [2]),
        (5, 1, 2, [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
        (1000, 400, 10, [334, 333, 333], [4, 3, 3]),
    ],
)
def test_arrays_share_the_parallelism(tasks, limit, at_once, sizes, shares):
    parts = sbatch.split(tasks, limit, at_once)
    assert [part.count for part in parts] == sizes
    assert [part.parallelism for part in parts] == shares
    assert [part.first for part in parts] == [sum(sizes[:n]) for n in range(len(sizes))]
    waiting = [
        (before.number if before else None) for p in parts for before in [sbatch.waits_for(parts, p, at_once)]
    ]
    # Five arrays, two at once: 2 waits for 0, 3 for 1, 4 for 2.
    assert waiting == ([None, None, 0, 1, 2] if len(sizes) == 5 else [None] * len(sizes))


def test_tasks_take_more_cells_in_turn_where_there_may_be_only_so_many():
    cells: Any = list(range(11))
    assert pack(cells, 3, None) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]
    assert pack(cells, 3, 4) == pack(cells, 3, None)
    assert pack(cells, 3, 2) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10]]
    assert pack(cells, 1, 3) == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]]


BAD = {
    ("--profile", "labb"): "unknown profile 'labb': did you mean 'lab'?",
    ("--profile", "lab", "timeout_mn=5"): "timeout_mn",
    ("--profile", "lab", "--device", "gpu"): "unknown device 'gpu'",
    ("--profile", "lab", "training.batch_size=5000"): "training.batch_size: 5000 is more than",
}


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_requests_are_one_line_and_leave_nothing(bench, lab: Lab, tmp_path, arguments):
    done = bench("submit", "table7", "--seeds", "1", *arguments)
    assert done.code == 2
    assert BAD[arguments] in done.err
    assert len(done.err.splitlines()) == 1
    assert all_submissions(Store(tmp_path / "results")) == []


def test_names_of_tables_and_cells_are_checked(bench, lab: Lab):
    assert bench("status").out == "nothing has been submitted to Slurm from this results folder\n"
    assert "unknown submitted table 'table7'" in bench("status", "table7").err
    assert "unknown submitted table 'x'" in bench("cancel", "x").err
    assert "no cell of that name" in bench("logs", "0123").err
    assert (
        "unknown failure class 'memory': did you mean 'out_of_memory'?"
        in bench("retry", "table7", "--class", "memory").err
    )
    assert json.loads(bench("status", "--json").out) == {"slurm_problem": None, "tables": []}


def test_an_engine_that_is_edited_while_it_is_copied_is_refused(tmp_path, suite):
    """What records would say of it, and what tasks would run, are looked up one after the other."""
    engine = sha256_of(snapshot.package_folder())
    snapshot.take(tmp_path / "sound", suite, engine)
    with pytest.raises(UserError, match="the engine's files changed while they were copied"):
        snapshot.take(tmp_path / "edited", suite, "0" * 64)
