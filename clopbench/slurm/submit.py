"""`bench submit`: from cells to arrays in Slurm's queue, and back to the shell at once."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from clopbench.cell import Cell
from clopbench.data.store import root as data_root
from clopbench.errors import UserError
from clopbench.launch.checkout import source_state
from clopbench.launch.local import LocalLauncher
from clopbench.results import leases
from clopbench.results.records import Store
from clopbench.slurm import sbatch, snapshot, squeue
from clopbench.slurm.profiles import Profile
from clopbench.slurm.submission import SUBMISSIONS, Part, Submission, SubmittedCell, describe, write
from clopbench.suite.suite import Suite

LOCK_SECONDS = 60.0
ASSUMED_ARRAY_SIZE = 1001
"""Slurm's own default for MaxArraySize, where nobody can be asked."""


@dataclass
class Order:
    """What is to be submitted, and how."""

    suite: Suite
    store: Store
    profile: Profile
    scale: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the profile that the command line set."""
    device: str = "auto"
    live: bool = False
    arguments: Sequence[str] = ()
    cells: Sequence[SubmittedCell] = ()
    others: Sequence[SubmittedCell] = ()
    """Cells of the same tables that are not submitted: finished, or on their way already."""

    @property
    def at_once(self) -> int:
        """Tasks that may run at the same time."""
        return sbatch.parallelism(self.profile.parameters)

    def tasks(self) -> list[list[SubmittedCell]]:
        return pack(self.cells, self.profile.cells_per_task, self.profile.tasks)

    def describe(self, limit: int) -> Submission:
        """The submission, not on disk yet; its arrays have at most `limit` tasks each."""
        self._check_devices()
        live = [str(folder) for folder in self.suite.method_folders]
        folders = live if self.live else snapshot.method_folders(self.suite)
        parts = sbatch.split(len(self.tasks()), limit, self.at_once)
        return describe(self.store, self._about(), parts, folders)

    def _check_devices(self) -> None:
        """Raise UserError where the processes of a task could not share a cell's devices evenly."""
        name, packed = self.profile.name, self.profile.cells_per_task
        processes = sbatch.processes(self.profile.parameters)
        for devices in sorted({cell.config["training"].get("devices", 1) for cell in self.cells}):
            if devices > 1 and packed > 1:
                raise UserError(
                    f"profile {name}: cells_per_task {packed} goes with training.devices 1 only, "
                    f"and a cell has {devices}"
                )
            if devices % processes:
                raise UserError(
                    f"profile {name}: its tasks have {processes} processes (nodes × tasks_per_node), which "
                    f"cannot share training.devices {devices} evenly"
                )

    def write(self, submission: Submission) -> None:
        """Write the submission's folder. Raises UserError where the disk does not take it."""
        try:
            fill = (lambda _: None) if self.live else (lambda folder: snapshot.take(folder, self.suite))
            write(submission, self.tasks(), self.others, fill)
        except OSError as error:
            raise UserError(f"{submission.folder} could not be written: {error.strerror}") from None

    def preflight(self) -> None:
        """Build each distinct model once, in a process of its own. Raises UserError; nothing is written."""
        cells = [Cell.from_config(cell.config) for cell in self.cells]
        LocalLauncher(self.store, self.suite.method_folders, [None], "cpu", {}).preflight(cells)

    def _about(self) -> dict[str, Any]:
        profile = self.profile
        return {
            "tables": sorted({table for cell in self.cells for table in cell.tables}),
            "scale": self.scale,
            "arguments": list(self.arguments),
            "settings": dict(self.settings),
            "device": self.device,
            "data": str(data_root().absolute()),
            "live": self.live,
            "profile": {
                "name": profile.name,
                "path": str(profile.path),
                "cells_per_task": profile.cells_per_task,
                "tasks": profile.tasks,
                "requeues": profile.requeues,
                "parameters": dict(profile.parameters),
            },
            "source": source_state(self.suite.root),
            "environment": snapshot.environment(),
        }


@dataclass
class Submitted:
    """What came of an order: the arrays that Slurm took, and what it said of the rest."""

    submission: Submission
    jobs: list[tuple[Part, str]] = field(default_factory=list)
    refusal: UserError | None = None


def pack(cells: Sequence[SubmittedCell], at_once: int, most: int | None) -> list[list[SubmittedCell]]:
    """Cells by task: `at_once` each, or more (to be run in turn) where that would be more than `most` tasks."""
    tasks = -(-len(cells) // at_once)
    if most is None or tasks <= most:
        return [list(cells[first : first + at_once]) for first in range(0, len(cells), at_once)]
    bounds = [len(cells) * number // most for number in range(most + 1)]
    return [list(cells[first:end]) for first, end in pairwise(bounds)]


def submit(order: Order) -> Submitted:
    """Write the submission folder, then hand it to Slurm part by part.

    A refusal ends it and keeps what was taken; where nothing was, the folder goes too.
    """
    submission = order.describe(squeue.max_array_size() or ASSUMED_ARRAY_SIZE)
    order.write(submission)
    done = Submitted(submission)
    for part in submission.parts:
        before = sbatch.waits_for(submission.parts, part, order.at_once)
        dependency = f"afterany:{dict(done.jobs)[before]}" if before else None
        try:
            job = sbatch.submit(submission, part, dependency)
        except UserError as error:
            done.refusal = error
            break
        with contextlib.suppress(OSError):  # A full disk: Slurm has the array, and its name finds it there.
            submission.set_job(part, job)
        done.jobs.append((part, job))
    if done.refusal is not None and not isinstance(done.refusal, squeue.NoAnswer) and not done.jobs:
        submission.remove()  # Nothing of it will ever run.
    return done


@contextlib.contextmanager
def alone(store: Store) -> Iterator[None]:
    """Keep a second `bench submit` on the same results folder waiting, on whatever host it runs."""
    store.ensure_writable()
    folder = store.root / SUBMISSIONS
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        while (lock := leases.acquire(folder)) is None:
            if time.monotonic() > deadline:
                raise UserError(f"another `bench submit` is at work in {folder}")
            time.sleep(0.2)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {(error.strerror or 'error').lower()}") from None
    with lock:
        yield
