"""Disks that are full or read-only, accounting that is absent or slow, a person who changes their mind."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cluster
import pytest
from cluster import events, jobs, only, wait_for
from lab import Lab, require
from patience import SUBMIT, TABLE, Pace, check_records, state, under_way
from runs import wait_until
from synthetic import record

from clopbench.cell import Cell
from clopbench.cli import status
from clopbench.results import leases
from clopbench.results.records import Store
from clopbench.slurm.submission import all_submissions

SLOW_OR_DISABLED = ("sleep 600", "echo 'Slurm accounting storage is disabled' >&2; exit 1")


class Disk:
    """A file system of a few megabytes in memory."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._full = threading.Event()
        self._thread: threading.Thread | None = None

    def mount(self, *options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(["size=16m", *options]), "tmpfs", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    def fill(self) -> None:
        """Leave no room, and take again what others set free, until `free`."""
        self._full.set()
        self._thread = threading.Thread(target=self._fill)
        self._thread.start()

    def _fill(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file:
            while self._full.is_set():
                try:
                    file.write(bytes(4096))
                except OSError:
                    time.sleep(0.01)

    def free(self) -> None:
        if self._thread is not None:
            self._full.clear()
            self._thread.join()
            (self.folder / "filler").unlink()
            self._thread = None


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    """A disk of its own as the results folder."""
    disk = Disk(tmp_path / "results")
    disk.folder.mkdir()
    disk.mount()
    yield disk
    disk.free()
    # Lazily, because a log may still be open.
    subprocess.run(["umount", "--lazy", disk.folder], check=True)


@pytest.mark.slow
def test_a_disk_that_is_full_when_a_record_is_written(bench, lab: Lab, disk: Disk, pace: Pace, undisturbed):
    """It costs the end of a turn; with room again, the cell goes on from its checkpoint."""
    assert bench(*SUBMIT, "--seeds", "1").code == 0
    (array,) = jobs(only(disk.folder))
    under_way(lab, disk.folder, [f"{array}_0"])
    disk.fill()
    pace.go()
    lab.wait(lambda: lab.states(array) == ["FAILED"], "the task to fail", 120)
    (cell,) = state(bench, 1)["cells"]
    assert (cell["state"], cell["message"]) == ("stalled", f"task {array}_0 ended (FAILED) without it")
    refused = bench(*SUBMIT, "--seeds", "2")
    assert refused.code == 2
    assert refused.err == "error: results/submissions cannot be written: no space left on device\n"
    disk.free()
    assert len(all_submissions(Store(disk.folder))) == 1
    again = bench("retry", TABLE)
    assert again.code == 0, again.err
    wait_for(lab, disk.folder, 1)
    check_records(disk.folder, undisturbed, {0: 2})


def run_one(results: Path) -> "subprocess.Popen[str]":
    """`bench run` of one cell in a process of its own."""
    command = ["run", TABLE, "--seeds", "1", "--workers", "1", "--results", str(results)]
    return subprocess.Popen(
        [sys.executable, "-c", "from clopbench.cli.main import main; main()", *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_disk_that_is_full_under_a_local_run(disk: Disk, pace: Pace, undisturbed):
    """The same without Slurm: one line about the cell, and running again finishes it."""
    running = run_one(disk.folder)
    wait_until(lambda: list(disk.folder.glob("??/*/checkpoint.pt")), 120)
    disk.fill()
    pace.go()
    out, _ = running.communicate(timeout=120)
    assert running.returncode == 1, out
    assert "error: the record could not be written" in out or "and its record could not be written" in out
    disk.free()
    again = run_one(disk.folder)
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0, out
    check_records(disk.folder, undisturbed, {0: 2})


@pytest.mark.slow
def test_a_results_folder_that_is_read_only(bench, lab: Lab, disk: Disk, pace: Pace):
    """Nothing is submitted, status still tells, and what is queued can be cancelled."""
    assert bench(*SUBMIT, "--seeds", "1", "slurm_additional_parameters={hold:true}").code == 0
    (array,) = jobs(only(disk.folder))
    subprocess.run(["mount", "-o", "remount,ro", disk.folder], check=True)
    refused = bench(*SUBMIT, "--seeds", "2")
    assert refused.code == 2
    assert refused.err == "error: results folder results is not writable: Read-only file system\n"
    assert state(bench, 1)["queued_by_reason"] == {"JobHeldUser": 1}
    done = bench("cancel", TABLE)
    assert done.code == 0, done.err
    assert "not noted in" in done.out
    assert "cancelled 1 task with 1 cell" in done.out
    lab.wait(lambda: lab.states(array) == ["CANCELLED"], "the task to be cancelled")
    assert state(bench, 1)["cancelled"] == 1


@pytest.mark.slow
def test_cancelled_cells_come_back_and_are_watched_to_the_end(
    bench, lab: Lab, tmp_path, monkeypatch, pace: Pace, undisturbed
):
    """Two cells in a running task, one in a task that waits: the running ones are saved, none is requeued."""
    results = tmp_path / "results"
    assert bench(*SUBMIT, "--seeds", "3", "cells_per_task=2", "slurm_array_parallelism=1").code == 0
    (array,) = jobs(only(results))
    under_way(lab, results, [f"{array}_0"])
    lab.wait(lambda: state(bench, 3)["running"] == 2, "both cells to run")
    pace.slow(1)
    done = bench("cancel", TABLE)
    assert "cancelled 2 tasks with 3 cells" in done.out
    lab.wait(lambda: lab.states(array) == ["CANCELLED"] * 2, "both tasks to end")
    assert events(only(results)) == ["start", "stop cancelled"]
    assert state(bench, 3)["cancelled"] == 3
    assert bench("cancel", TABLE).out == "nothing to cancel\n"
    assert "3 cells in 2 tasks" in bench("retry", TABLE).out
    pace.go()
    monkeypatch.setattr(status, "WATCH_SECONDS", 0.5)
    watched = bench("status", "--watch")
    assert watched.code == 0
    first, *_, last = [line for line in watched.out.splitlines() if line.startswith("patience: ")]
    assert re.search("queued|running", first)
    assert last == "patience: 3 cells: 3 done"
    wait_for(lab, results, 3)
    check_records(results, undisturbed, {0: 2, 1: 2, 2: 1})


@pytest.mark.slow
def test_accounting_present_slow_and_absent(bench, lab_with, monkeypatch, tmp_path, pace: Pace):
    """A task ended by another's hand, which squeue has forgotten: sacct says more, and nothing needs it."""
    require("slurmdbd", "mariadbd")
    lab: Lab = lab_with(accounting=True, NODES=1)
    monkeypatch.setenv("SLURM_CONF", str(lab.conf))
    results, programs = tmp_path / "results", tmp_path / "programs"
    assert bench(*SUBMIT, "--seeds", "1").code == 0
    (array,) = jobs(only(results))
    under_way(lab, results, [f"{array}_0"])
    pace.slow(1)
    lab.ask("scancel", array)
    told = ("sacct", "-n", "-X", "-P", "-j", array, "-o", "State")
    lab.wait(lambda: lab.ask(*told).startswith("CANCELLED"), "accounting to hear of it")
    lab.stop()
    lab.start()  # Its queue is empty then; the database stays.
    assert lab.ask("squeue", "-h", "-t", "all") == ""
    assert state(bench, 1)["cancelled"] == 1
    programs.mkdir()
    (programs / "squeue").symlink_to(str(shutil.which("squeue")))
    sacct = programs / "sacct"
    for script in SLOW_OR_DISABLED:
        sacct.write_text(f"#!/bin/sh\n{script}\n")
        sacct.chmod(0o755)
        with monkeypatch.context() as shell:
            shell.setenv("PATH", f"{programs}:{os.environ['PATH']}")
            assert state(bench, 1)["stalled"] == 1
    sacct.unlink()
    with monkeypatch.context() as shell:
        shell.setenv("PATH", str(programs))
        assert state(bench, 1)["stalled"] == 1


class Calls(Counter[tuple[str, str]]):
    """How often each file is opened, folder looked into and program started, as Python's audit hooks say."""

    listening = False

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.listening and event in ("open", "os.scandir", "subprocess.Popen"):
            self[event, str(arguments[0])] += 1


@contextlib.contextmanager
def counted() -> Iterator[Calls]:
    """What happens in the meantime. The hook stays for good, but listens no more."""
    calls = Calls()
    sys.addaudithook(calls.hear)
    calls.listening = True
    yield calls
    calls.listening = False


def test_status_of_2000_cells_asks_slurm_once_and_reads_each_file_once(
    bench, lab: Lab, tmp_path, suite, monkeypatch
):
    """Counted, because seconds depend on the machine: files that are opened, folders looked into, programs."""
    results = tmp_path / "results"
    hold = "slurm_additional_parameters={hold:true}"
    assert bench(*cluster.SUBMIT, "--seeds", "1000", "cells_per_task=4", hold).code == 0
    cells = [Cell.from_config(cell.config) for task in only(results).tasks for cell in task]
    with monkeypatch.context() as quick:
        quick.setattr(os, "fsync", lambda _: None)
        for cell in cells[:1500]:
            Store(results).write(record(cell))
    for cell in cells[1500:1600]:
        assert leases.acquire(Store(results).folder(cell.id))
    for records in (1500, 0):  # First all of them, then from the index.
        with counted() as calls:
            table = cluster.state(bench)
        assert [table[name] for name in ("total", "done", "running", "queued")] == [2000, 1500, 100, 400]
        assert [name for event, name in calls if event == "subprocess.Popen"] == ["squeue"]
        opened = {name: times for (event, name), times in calls.items() if event == "open"}
        ours = {name: times for name, times in opened.items() if re.search(r"results/(../|.*plan)", name)}
        assert max(ours.values()) == 1
        assert sum(name.endswith("record.json") for name in ours) == records
        assert len(ours) < 4 * records + 120  # A record, its history, spectrum and embeddings.
        looked = sum(times for (event, _), times in calls.items() if event == "os.scandir")
        assert looked < 500 + 256 + 20  # Unfinished cells, and folders of cells.
