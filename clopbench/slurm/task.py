"""What one task of a Slurm array does: `python -m clopbench.slurm.task SUBMISSION FIRST`.

Runs its cells, saves them when Slurm warns (SIGUSR2) or ends the task (SIGTERM), and asks for another turn
where Slurm does not give one by itself. The truth is on disk: any turn may be the last, or run twice.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from clopbench.errors import UserError, print_anything, quantity
from clopbench.launch.checkout import source_state
from clopbench.launch.devices import slots
from clopbench.launch.taking import resolve
from clopbench.launch.team import Missing, Seat, follow, lead
from clopbench.results.files import Unreadable
from clopbench.results.records import Store, write_atomic
from clopbench.slurm import options
from clopbench.slurm.allocation import Allocation
from clopbench.slurm.packing import Ended, Packing, StopSignals
from clopbench.slurm.submission import Submission, SubmittedCell

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_STOPPED = 76
"""Exit statuses of a task: every cell has a record that is no failure; some have not; asked to stop, and to be
given another turn. Slurm's accounting shows them, and nothing here rests on them: the truth is on disk."""
# A cell that another process is training: a GPU does not wait for it longer than this, but comes back later.
PATIENCE_SECONDS = 150.0
COME_BACK_SECONDS = 600.0
# Why a task is stopped that would go on in another turn → the class of failure where it gets none, and words.
NO_END = {"timeout": ("timeout", "out of time"), "preempted": ("killed", "preempted")}


class Turn:
    """One turn of a task: its submission, its number in the plan, and Slurm's allocation."""

    def __init__(self, submission: Submission, first: int, stop: StopSignals):
        self.submission, self.stop, self.seat = submission, stop, Seat.in_slurm()
        self.profile: dict[str, Any] = submission.about["profile"]
        self.allocation = Allocation.current(options.signal_delay(self.profile["parameters"]))
        self.number = first + self.allocation.index
        self.provenance = {
            **_source(submission),
            "scale": submission.about["scale"],
            "launcher": "slurm",
            "submission": submission.name,
            "slurm_job": self.allocation.job,
            "slurm_node": self.allocation.node,
        }

    def run(self) -> int:
        """Run the cells; returns the exit status of the task."""
        self.note("start", node=self.allocation.node, host=os.uname().nodename)
        cells = self.submission.task(self.number)
        packing = self._packing()
        try:
            packing.slots = self._slots(packing, cells)
            with self._followers() as packing.followers:
                ended = packing.run(cells, PATIENCE_SECONDS)
        except (UserError, Missing) as error:  # A GPU, or process, was asked for, and is not there.
            if not self.stop.requested:
                return self._fail(packing, cells, "node", f"{self.allocation.node}: {error}")
            ended = Ended(waiting=cells)
        if self.stop.requested and (ended.stopped or ended.waiting or ended.held):
            return self._after_stop(packing, ended)
        if ended.held:
            self._come_back(ended)
        self.note("end", failed=len(ended.failed), held=len(ended.held))
        return EXIT_FAILED if ended.failed or ended.held else EXIT_DONE

    def _slots(self, packing: Packing, cells: list[SubmittedCell]) -> list[str | None]:
        """The task's slots; the packing is told what device 'auto' stands for on this node."""
        at_once, known = min(len(cells), self.profile["cells_per_task"]), None
        if packing.device == "auto":
            taken = resolve("auto")
            packing.device, known = taken.device, taken.gpus
            print(f"device auto: {taken.words}", flush=True)
        devices = max(cell.config["training"].get("devices", 1) for cell in cells)
        if devices == 1:
            return slots(packing.device, at_once, at_once, 1, known=known)
        return [",".join(self.seat.gpus(packing.device, devices // self.seat.count)) or None]

    @contextlib.contextmanager
    def _followers(self) -> Iterator[list[Connection]]:
        """The task's other processes, which leave when their connections are closed. Raises Missing."""
        if self.seat.count == 1:
            yield []
            return
        path = meeting_point(self.submission)
        path.parent.mkdir(exist_ok=True)

        def publish(text: str) -> None:
            write_atomic(path, text.encode(), private=True)

        try:
            found = lead(self.seat, publish, lambda: self.stop.requested)
            with contextlib.ExitStack() as stack:
                for connection in found:
                    stack.enter_context(connection)
                yield found
        finally:
            path.unlink(missing_ok=True)

    def _packing(self) -> Packing:
        about = self.submission.about
        return Packing(
            Store(self.submission.folder.parents[1]),
            [str(folder) for folder in self.submission.method_folders],
            about["data"],
            [],
            about["device"],
            about["created_unix"],
            self.provenance,
            self.stop,
        )

    def _after_stop(self, packing: Packing, ended: Ended) -> int:
        """Cells are saved and unfinished: find out why, and ask for another turn where that is right."""
        cause = self.allocation.cause(self.stop.warned)
        saved, waiting = len(ended.stopped), len(ended.waiting) + len(ended.held)
        self.note("stop", cause=cause, saved=saved, waiting=waiting)
        print(f"stopped ({cause}): {quantity(saved, 'cell')} saved, {waiting} not begun", flush=True)
        if cause in NO_END and not self.may_requeue and not self.is_cancelled:
            return self._last_turn(packing, ended, cause)
        if cause == "timeout":
            turns = self._turns_in_vain(saved + waiting)
            enough = bool(ended.stopped) and turns > self.profile["requeues"]
            self.note("timeout", left=waiting if enough else saved + waiting)
            if enough:
                self._give_up(packing, ended.stopped, turns)
                if not waiting:
                    return EXIT_FAILED
        if cause in NO_END and not self.is_cancelled:
            self.note("requeue", cause=cause, accepted=self.allocation.requeue())
        return EXIT_STOPPED

    def _turns_in_vain(self, left: int) -> int:
        """Turns that ran out of time, this one included, since fewer cells than before were left."""
        counts = [event["left"] for event in self.submission.events(self.number) if event["event"] == "timeout"]
        counts = [len(self.submission.task(self.number)), *counts]
        return next((n for n, count in enumerate(reversed(counts)) if count != left), len(counts))

    def _give_up(self, packing: Packing, cells: list[SubmittedCell], turns: int) -> None:
        """Out of time as often as the profile allows: that is a failure, with its checkpoint kept."""
        name, allowed = self.profile["name"], self.profile["requeues"]
        limit = self.profile["parameters"].get("timeout_min", "?")
        message = (
            f"out of time in {turns} turns of {limit} min (profile {name}: requeues {allowed}); "
            "the checkpoint is kept for `bench retry`"
        )
        self._fail(packing, cells, "timeout", message)

    def _last_turn(self, packing: Packing, ended: Ended, cause: str) -> int:
        """There is no other turn: what this one leaves without a result has failed, and is said to have."""
        kind, what = NO_END[cause]
        message = f"{what} (profile {self.profile['name']}: requeue false)"
        for cell in ended.waiting:
            packing.record_failure(cell, _failure(kind, f"not begun: {message}"))
        return self._fail(packing, ended.stopped, kind, f"{message}; the checkpoint is kept for `bench retry`")

    def _fail(self, packing: Packing, cells: list[SubmittedCell], kind: str, message: str) -> int:
        for cell in cells:
            packing.record_failure(cell, _failure(kind, message))
        print(message, flush=True)
        self.note("end", failed=len(cells))
        return EXIT_FAILED

    def _come_back(self, ended: Ended) -> None:
        """Another process trains these cells and is alive. Free the GPU, and look again in a while."""
        for cell in ended.held:
            print(f"{cell.id} {cell.label}: another process is training it", flush=True)
        if self.may_requeue and not self.is_cancelled:
            accepted = self.allocation.requeue(COME_BACK_SECONDS)
            self.note("requeue", cause="held", accepted=accepted)

    @property
    def may_requeue(self) -> bool:
        return self.profile.get("requeue", True)

    @property
    def is_cancelled(self) -> bool:
        return self.number in self.submission.cancelled

    def note(self, event: str, **details: Any) -> None:
        """Note an event; a disk that is full or read-only must not cost a checkpoint."""
        try:
            self.submission.note(
                self.number, event, job=self.allocation.job, turn=self.allocation.restarts, **details
            )
        except (OSError, Unreadable) as error:
            print(f"event {event} not noted: {error}", flush=True)


def _source(submission: Submission) -> dict[str, Any]:
    """The code that runs: what was copied when it was submitted, or with --live what lies there now."""
    about = submission.about
    return source_state(submission.method_folders[0].parent) if about.get("live") else about["source"]


def _failure(kind: str, message: str) -> dict[str, str]:
    return {"class": kind, "message": message, "traceback": ""}


def meeting_point(submission: Submission) -> Path:
    """The file by which the processes of this turn of this task find each other."""
    names = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT")
    return submission.folder / "ranks" / "-".join(os.environ.get(name) or "0" for name in names)


def main(arguments: list[str]) -> int:
    """Run as `srun python -m clopbench.slurm.task SUBMISSION FIRST`, by one process or by several."""
    print_anything()
    folder, first = arguments
    submission, seat = Submission(Path(folder)), Seat.in_slurm()
    if seat.number > 0:

        def find() -> str | None:
            with contextlib.suppress(FileNotFoundError):
                return meeting_point(submission).read_text(encoding="utf-8")
            return None

        return follow(seat, find)
    stop = StopSignals()
    stop.install()
    return Turn(submission, int(first), stop).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
