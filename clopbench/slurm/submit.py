"""`bench submit`: from cells to arrays in Slurm's queue, and back to the shell at once."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from clopbench.cell import Cell
from clopbench.data.store import root as data_root
from clopbench.errors import UserError, quantity
from clopbench.launch.checkout import source_state
from clopbench.launch.local import LocalLauncher
from clopbench.results import leases
from clopbench.results.records import Store
from clopbench.slurm import conflicts, options, sbatch, snapshot, squeue
from clopbench.slurm import jobs as ids
from clopbench.slurm.commands import NoAnswer, NotThere, set_aside
from clopbench.slurm.handover import Handover
from clopbench.slurm.profiles import Profile
from clopbench.slurm.submission import SUBMISSIONS, Part, Submission, SubmittedCell, describe, write
from clopbench.suite.suite import Suite

LOCK_SECONDS = 60.0
ASSUMED_ARRAY_SIZE = 1001
"""Slurm's own default for MaxArraySize, where nobody can be asked."""
WRONG_IN_PATHS = {
    "%": "Slurm reads it as a placeholder in the names of logs",
    "\\": "Slurm reads it as an escape in the names of logs",
    ":": "it would end the path of the tasks' code in PYTHONPATH (not with --live)",
}


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

    def __post_init__(self):
        """Raises UserError for a profile, or a results folder, with which no task could do its work."""
        conflicts.check_use(self.profile.parameters, self.profile.blame, self.profile.overridden)
        self._check_paths()

    @property
    def at_once(self) -> int:
        """Tasks that may run at the same time."""
        return options.parallelism(self.profile.parameters)

    def tasks(self) -> list[list[SubmittedCell]]:
        return pack(self.cells, self.profile.cells_per_task, self.profile.tasks)

    def describe(self, limit: int) -> Submission:
        """The submission, not on disk yet; its arrays have at most `limit` tasks each."""
        self._check_devices()
        live = [str(folder) for folder in self.suite.method_folders]
        folders = live if self.live else snapshot.method_folders(self.suite)
        parts = sbatch.split(len(self.tasks()), limit, self.at_once)
        return describe(self.store, self._about(), parts, folders)

    def array_size(self) -> int:
        """The tasks that one array may have. Raises Refused where the cluster allows no arrays."""
        return squeue.max_array_size(self.profile.clusters) or ASSUMED_ARRAY_SIZE

    @cached_property
    def source(self) -> dict[str, Any]:
        """The state of the code that tasks will run; with --live, of what they would run now."""
        return source_state(self.suite.root)

    def remarks(self) -> Iterator[str]:
        """What a person may not expect, a line each."""
        engine = self.source["engine"]
        for what, state in (("suite", self.source), ("engine", engine)):
            if state["dirty"] and state["commit"] is not None:
                yield f"the {what} has uncommitted changes (since commit {state['commit'][:12]})"
        if engine["dirty"] and engine["commit"] is None:
            yield "the engine's files are not those that were installed"
        if names := set_aside():
            yield f"not passed on to sbatch, because the profile says how tasks run: {', '.join(names)}"

    def _check_paths(self) -> None:
        """Raise UserError for a results folder that Slurm, or Python, would take for another one."""
        path = str(self.store.root.absolute())
        for wrong, why in WRONG_IN_PATHS.items():
            if wrong in path and not (wrong == ":" and self.live):
                raise UserError(f"results folder {path}: choose a path without '{wrong}': {why}")
        if not path.isprintable():
            raise UserError(f"results folder {path!r}: choose a path without control characters")

    def _check_devices(self) -> None:
        """Raise UserError where the processes of a task could not share a cell's devices evenly."""
        name, packed = self.profile.name, self.profile.cells_per_task
        processes = options.processes(self.profile.parameters)
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
            engine = self.source["engine"]["sha256"]
            fill = (lambda _: None) if self.live else (lambda folder: snapshot.take(folder, self.suite, engine))
            write(submission, self.tasks(), self.others, fill)
        except OSError as error:
            raise UserError(f"{submission.folder} could not be written: {error.strerror}") from None

    def preflight(self) -> None:
        """Build each distinct model once, in a process of its own. Raises UserError; nothing is written."""
        cells = [Cell.from_config(cell.config) for cell in self.cells]
        LocalLauncher(self.store, self.suite.method_folders, [None], "cpu", {}).preflight(cells)

    def _about(self) -> dict[str, Any]:
        return {
            "tables": sorted({table for cell in self.cells for table in cell.tables}),
            "scale": self.scale,
            "arguments": list(self.arguments),
            "settings": dict(self.settings),
            "device": self.device,
            "data": str(data_root().absolute()),
            "live": self.live,
            "profile": self.profile.as_dict(),
            "source": self.source,
            "environment": snapshot.environment(),
        }


class Incomplete(UserError):
    """Not all tasks are in the queue. What is there stays, and the same command again adds the rest."""


def pack(cells: Sequence[SubmittedCell], at_once: int, most: int | None) -> list[list[SubmittedCell]]:
    """Cells by task: `at_once` each, or more (to be run in turn) where that would be more than `most` tasks."""
    tasks = -(-len(cells) // at_once)
    if most is None or tasks <= most:
        return [list(cells[first : first + at_once]) for first in range(0, len(cells), at_once)]
    bounds = [len(cells) * number // most for number in range(most + 1)]
    return [list(cells[first:end]) for first, end in pairwise(bounds)]


def prepare(order: Order) -> Handover:
    """Write the submission folder; nothing of it is in the queue yet."""
    limit = order.array_size()
    submission = order.describe(limit)
    order.write(submission)
    return Handover(submission, order.at_once, limit)


def submit(handover: Handover, patient: bool) -> None:
    """Hand to Slurm what it takes now. Where that is nothing, the folder goes too; not so if one is patient.

    Raises Refused where Slurm takes nothing and waiting would not help.
    """
    handover.begin()
    refusal = handover.refusal
    if refusal is None or handover.taken or (patient and handover.may_pass):
        return
    if not isinstance(refusal, NoAnswer) or isinstance(refusal, NotThere):
        handover.submission.remove()  # Nothing of it will ever run.
    if not handover.may_pass or isinstance(refusal, NoAnswer):
        raise refusal


@contextlib.contextmanager
def attended(submission: Submission) -> Iterator[None]:
    """Meanwhile this process sees to the tasks that Slurm has not taken, and nobody else submits them."""
    try:
        held = leases.acquire(submission.folder)
    except OSError as error:
        words = (error.strerror or "error").lower()
        raise UserError(f"{submission.folder} cannot be written: {words}") from None
    assert held is not None  # The folder is new.
    with held:
        yield


def the_rest(handover: Handover) -> Iterator[str]:
    """Submit what is left whenever there is room, and say so. Raises Incomplete where it is interrupted."""
    try:
        yield f"{_so_far(handover)}; the rest follows when there is room"
        yield "Ctrl-C ends the wait, and what is submitted stays"
        for arrays in handover.wait():
            for part, job in arrays:
                yield array_line(part, job)
            yield _so_far(handover)
    except KeyboardInterrupt:
        words = f"interrupted: {len(handover.rest)} of {handover.total} tasks are not submitted"
        raise Incomplete(f"{words}; the same command again submits them") from None


def check_complete(handover: Handover) -> None:
    """Raise Incomplete (UserError where no time will help) where tasks are left over, saying what to do."""
    if not handover.rest or handover.refusal is None:
        return
    advice = "the same command again submits the rest"
    if handover.may_pass:
        advice = "the same command again later, or with --wait, submits the rest when there is room"
    words = f"{len(handover.rest)} of {handover.total} tasks are not submitted"
    raise (Incomplete if handover.may_pass else UserError)(f"{handover.refusal}; {words}: {advice}")


def array_line(part: Part, job: str) -> str:
    bare, cluster = ids.split(job)
    where = f" on cluster {cluster}" if cluster else ""
    return f"array {bare}{where}: {quantity(part.count, 'task')}, {part.parallelism} at a time"


def _so_far(handover: Handover) -> str:
    there = handover.total - len(handover.rest)
    full = f" ({handover.refusal})" if handover.rest and handover.refusal else ""
    return f"{there} of {handover.total} tasks are submitted{full}"


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
