"""The cells of one Slurm task, some at once, each in its own process; what happens to one is its own affair."""

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from clopbench.cell import Cell
from clopbench.launch import outcomes, worker
from clopbench.launch.child import Child
from clopbench.launch.local import PRELOAD, PRELOAD_RESNETS, process_context
from clopbench.launch.messages import STOPS, End, Ending, Failure, Task
from clopbench.results.records import DamagedRecord, Record, Store
from clopbench.slurm.submission import SubmittedCell
from clopbench.training.stop import STOP_SIGNALS

RETRY_HELD_SECONDS = 2.0
FORWARD_SECONDS = 1.0
"""A stop is forwarded this often, until all have left: a process that is only starting may miss one."""

MOST_LONE_STOPS = 3
"""A cell that is stopped so often while its task is not is stopped by its own code."""

SAME_DEATH_SECONDS = 1.0
"""Where a whole task is killed, cells may die a moment before us: that is no failure to record."""


class StopSignals:
    """SIGUSR2 (Slurm's warning) and SIGTERM, noted; Slurm often sends both, and more than once."""

    def __init__(self) -> None:
        self.received: list[int] = []

    def install(self) -> None:
        for number in (signal.SIGUSR2, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: self.received.append(received))

    @property
    def requested(self) -> bool:
        return bool(self.received)

    @property
    def warned(self) -> bool:
        return signal.SIGUSR2 in self.received


@dataclass
class Ended:
    """How the cells of a task ended; the last three without a record of this turn's making."""

    recorded: list[SubmittedCell] = field(default_factory=list)
    failed: list[tuple[SubmittedCell, str]] = field(default_factory=list)
    stopped: list[SubmittedCell] = field(default_factory=list)
    """Saved in the middle, because a stop was requested."""
    waiting: list[SubmittedCell] = field(default_factory=list)
    """Not begun when a stop was requested."""
    held: list[SubmittedCell] = field(default_factory=list)
    """Trained by another process."""


@dataclass
class _Running:
    child: Child
    cell: SubmittedCell
    gpu: str | None
    memory_kills: int
    log: outcomes.Log


class Packing:
    """Runs cells in the given slots (GPU names, or None for the CPU), one process each."""

    def __init__(
        self,
        store: Store,
        method_folders: Sequence[str],
        data: str,
        slots: Sequence[str | None],
        device: str,
        since: float,
        provenance: dict[str, Any],
        stop: StopSignals,
    ):
        self.store, self.method_folders, self.data = store, list(method_folders), data
        self.slots, self.device, self.since = list(slots), device, since
        self.provenance, self.stop = provenance, stop
        self.followers: Sequence[Connection] = ()
        self._lone_stops: dict[str, int] = {}
        self._device_problems: dict[str, str] = {}
        """Cell → why its device did not start."""

    def run(self, cells: Sequence[SubmittedCell], patience: float) -> Ended:
        """Run all cells, or until a stop is requested.

        A cell that another process holds is tried again for `patience` seconds after the others are done.
        """
        ended = Ended()
        queue, held = deque(cells), deque[tuple[float, SubmittedCell]]()
        active: dict[int, _Running] = {}
        free, broken = deque(self.slots), dict[str | None, str]()
        context = self._context(cells)
        idle_since = forwarded = time.monotonic()
        while active or ((queue or held) and not self.stop.requested):
            now = time.monotonic()
            while held and held[0][0] <= now:
                queue.append(held.popleft()[1])
            while queue and free and not self.stop.requested:
                running = self._start(context, queue.popleft(), free.popleft())
                active[running.child.sentinel] = running
            if self.stop.requested and now - forwarded >= FORWARD_SECONDS:
                forwarded = now
                _forward([running.child.process for running in active.values()])
            for sentinel in wait(list(active), timeout=0.2):
                assert isinstance(sentinel, int)
                running = active.pop(sentinel)
                if not self._settle(running, running.child.end(), ended):
                    held.append((time.monotonic() + RETRY_HELD_SECONDS, running.cell))
                else:
                    idle_since = time.monotonic()
                if (why := self._device_problems.get(running.cell.id)) is not None:
                    broken[running.gpu] = why
                free = deque(gpu for gpu in [*free, running.gpu] if gpu not in broken)
            if broken and not free and not active:
                self._not_begun([*queue, *(cell for _, cell in held)], list(broken.values())[-1], ended)
                return ended
            if held and not active and not queue and time.monotonic() - idle_since > patience:
                break
        ended.waiting += queue
        ended.held += [cell for _, cell in held]
        return ended

    def _start(self, context: BaseContext, cell: SubmittedCell, gpu: str | None) -> _Running:
        kills, log = outcomes.memory_kills(), outcomes.Log(self.store.folder(cell.id) / "run.log")
        return _Running(Child(context, worker.work, self._task(cell, gpu)), cell, gpu, kills, log)

    def _settle(self, running: _Running, end: End, ended: Ended) -> bool:
        """Sort a finished process's cell into `ended`; False where it should be tried again later."""
        cell = running.cell
        if end.ending is Ending.HELD:
            return False
        record, problem = None, None
        try:
            record = self.store.read(cell.id)
        except DamagedRecord as damage:
            problem = f"damaged record: {damage}"
        known = record is not None and (record.is_result or end.ending is Ending.RECORDED)
        killed = end.ending is Ending.DIED and end.status in (-signal.SIGKILL, outcomes.FORK_SERVER_DIED)
        if killed and not known:
            time.sleep(SAME_DEATH_SECONDS)
        stopped = end.ending in STOPS or (killed and self.stop.requested)
        if stopped and not known and problem is None:
            if self.stop.requested:
                ended.stopped.append(cell)
                return True
            self._lone_stops[cell.id] = self._lone_stops.get(cell.id, 0) + 1
            if self._lone_stops[cell.id] < MOST_LONE_STOPS:  # The signal was for this process alone.
                return False
        if not known and problem is None:
            kills = outcomes.memory_kills() - running.memory_kills
            record, problem = self.record_failure(cell, outcomes.failure_of(end, running.log, kills))
        if record is not None and record.failure is not None:
            problem = f"{record.failure['class']}: {record.failure['message']}"
            if (why := outcomes.device_problem(record)) is not None:
                self._device_problems[cell.id] = why
        if problem is None:
            ended.recorded.append(cell)
        else:
            ended.failed.append((cell, problem))
        print(f"{cell.id} {cell.label}: {problem or (record.status if record else '')}", flush=True)
        return True

    def _not_begun(self, cells: Sequence[SubmittedCell], why: str, ended: Ended) -> None:
        """Record cells for which no device is left that starts."""
        failure = outcomes.not_begun(why)
        for cell in cells:
            self.record_failure(cell, failure)
            ended.failed.append((cell, f"{failure['class']}: {failure['message']}"))
            print(f"{cell.id} {cell.label}: {failure['message']}", flush=True)

    def record_failure(self, cell: SubmittedCell, failure: Failure) -> tuple[Record | None, str | None]:
        return outcomes.record_failure(self.store, Cell.from_config(cell.config), failure, self.provenance)

    def _task(self, cell: SubmittedCell, gpu: str | None) -> Task:
        return {
            "cell": cell.config,
            "results": str(self.store.root),
            "method_folders": self.method_folders,
            "launch": cell.launch,
            "data": self.data,
            "device": self.device,
            "gpu": gpu,
            "followers": self.followers,
            "since": self.since,
            "provenance": self.provenance,
        }

    def _context(self, cells: Sequence[SubmittedCell]):
        """A fork server whose processes start with the stop signals blocked.

        So it survives a signal to the whole task, and a cell that has only just been forked gets the signal
        when it is ready for it.
        """
        context = process_context()
        resnets = any(cell.config["encoder"]["name"].startswith("resnet") for cell in cells)
        context.set_forkserver_preload([*PRELOAD, *(PRELOAD_RESNETS if resnets else [])])
        if context.get_start_method() == "forkserver":
            with _blocked():
                resource_tracker.ensure_running()
            with _blocked():  # Once more, because starting the tracker unblocks SIGTERM.
                forkserver.ensure_running()
        return context


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    assert threading.current_thread() is threading.main_thread()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forward(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        if process.pid is not None and process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGUSR2)
