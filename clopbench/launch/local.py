"""Runs cells on this machine, each in its own process, from a fork server with the imports preloaded."""

import contextlib
import multiprocessing
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from clopbench.cell import Cell
from clopbench.data.store import root as data_root
from clopbench.errors import UserError
from clopbench.launch import outcomes, worker
from clopbench.launch.child import Child
from clopbench.launch.messages import End, Ending, Task
from clopbench.results.plan import PlannedCell
from clopbench.results.records import DamagedRecord, Record, Store

# How often a cell that another `bench run` holds is looked at again.
RETRY_HELD_SECONDS = 2.0
PRELOAD = ["clopbench.cli.main", "clopbench.launch.preload"]

PRELOAD_RESNETS = ["torchvision.models.resnet"]  # 1.5 s that cells without one need not pay.


class Listener(Protocol):
    """Who is told about progress."""

    def finished(self, planned: PlannedCell, record: Record | None, problem: str | None) -> None: ...
    def tick(self, active: int, held: int) -> None: ...


@dataclass
class Outcome:
    """How a run ended: cells by the way they ended, and whether it was interrupted."""

    results: int = 0
    failed: list[tuple[PlannedCell, str]] = field(default_factory=list)
    not_begun: list[tuple[PlannedCell, str]] = field(default_factory=list)
    """No device was left that starts; recorded as failures of that class."""
    remaining: int = 0
    interrupted: bool = False


@dataclass
class StopRequest:
    """Whether somebody wants the run to end."""

    asked: bool = False


@dataclass(frozen=True)
class _Running:
    child: Child
    planned: PlannedCell
    gpu: str | None
    log: outcomes.Log


class LocalLauncher:
    """Runs planned cells with a number of worker processes. One instance per `bench run`."""

    followers: Sequence[Connection] = ()
    """Processes that torchrun started beside this one (clopbench.cli.torchrun); they share each cell."""

    def __init__(
        self,
        store: Store,
        method_folders: Sequence[Path],
        slots: Sequence[str | None],
        device: str,
        provenance: dict[str, Any],
    ):
        self.store = store
        self.method_folders = [str(folder) for folder in method_folders]
        self.slots = list(slots)[:1] if self.followers else list(slots)
        self.device = device
        self.provenance = provenance
        self.since = time.time()
        self.context = process_context()

    def preflight(self, cells: Sequence[Cell]) -> None:
        """Build each distinct model once, in a process of its own. Raises UserError; nothing is written."""
        for devices in sorted({cell.training.devices for cell in cells}):
            if devices % (count := 1 + len(self.followers)):
                raise UserError(f"training.devices: {devices} cannot be shared evenly by {count} processes")
        resnets = any(cell.encoder.name.startswith("resnet") for cell in cells)
        self.context.set_forkserver_preload([*PRELOAD, *(PRELOAD_RESNETS if resnets else [])])
        distinct = {cell.arm: cell.config() for cell in cells}
        ours, theirs = self.context.Pipe(duplex=False)
        task = (list(distinct.values()), self.method_folders, str(data_root()), theirs)
        process = self.context.Process(target=worker.check, args=task)
        process.start()
        theirs.close()
        try:
            problems = ours.recv()
        except EOFError:
            process.join()
            if process.exitcode == 1:
                raise RuntimeError("the check of the cells crashed; its traceback is above") from None
            names = ", ".join(sorted({cell.method.name for cell in cells}))
            raise UserError(
                f"the check of the cells ended with status {process.exitcode}: a method ({names}) ends the "
                "process that imports and builds it; `bench methods` says which"
            ) from None
        process.join()
        if problems:
            raise UserError(*problems)

    def run(self, cells: Sequence[PlannedCell], listener: Listener) -> Outcome:
        """Run all cells. SIGINT, SIGTERM and SIGHUP stop: running cells are dropped, finished ones stay."""
        with _stop_requests() as stop:
            return self._run(cells, listener, stop)

    def _run(self, cells: Sequence[PlannedCell], listener: Listener, stop: StopRequest) -> Outcome:
        queue = deque(cells)
        held: deque[tuple[float, PlannedCell]] = deque()
        active: dict[int, _Running] = {}
        free, broken = deque(self.slots), dict[str | None, str]()
        outcome = Outcome()
        while (queue or held or active) and not stop.asked:
            while held and held[0][0] <= time.monotonic():
                queue.append(held.popleft()[1])
            while queue and free:
                running = self._start(queue.popleft(), free.popleft())
                active[running.child.sentinel] = running
            for sentinel in wait(list(active), timeout=0.5):
                assert isinstance(sentinel, int)
                running = active.pop(sentinel)
                end = running.child.end()
                if end.ending is Ending.HELD:
                    held.append((time.monotonic() + RETRY_HELD_SECONDS, running.planned))
                elif stop.asked and not self._has_result(running.planned):
                    continue  # Ctrl-C on a terminal reaches the workers too: dropped, as those below.
                elif (problem := self._settle(running, end, outcome, listener)) is not None:
                    broken[running.gpu] = problem
                free = deque(gpu for gpu in [*free, running.gpu] if gpu not in broken)
            if broken and not free and not active:
                left = [*queue, *(planned for _, planned in held)]
                self._not_begun(left, list(broken.values())[-1], outcome)
                break
            listener.tick(len(active), len(held))
        self._stop(list(active.values()), outcome, listener)
        outcome.remaining = len(cells) - outcome.results - len(outcome.failed) - len(outcome.not_begun)
        outcome.interrupted = outcome.remaining > 0
        return outcome

    def _start(self, planned: PlannedCell, gpu: str | None) -> _Running:
        log = outcomes.Log(self.store.folder(planned.cell.id) / "run.log")
        return _Running(Child(self.context, worker.work, self._task(planned, gpu)), planned, gpu, log)

    def _stop(self, active: Sequence[_Running], outcome: Outcome, listener: Listener) -> None:
        """End the running cells; one that came to its record just then counts as finished."""
        for running in active:
            running.child.process.terminate()
        for running in active:
            running.child.process.join(10)
            if running.child.process.is_alive():
                running.child.process.kill()
            end = running.child.end()
            if self._has_result(running.planned):
                self._settle(running, end, outcome, listener)

    def _has_result(self, planned: PlannedCell) -> bool:
        with contextlib.suppress(DamagedRecord):
            record = self.store.read(planned.cell.id)
            return record is not None and record.is_result
        return False

    def _settle(self, running: _Running, end: End, outcome: Outcome, listener: Listener) -> str | None:
        """Read what the worker recorded; where there is no record of this try, that is a failure to record.

        Returns why its device does not start, where that is so: no other cell need try it.
        """
        planned, record, problem = running.planned, None, None
        try:
            record = self.store.read(planned.cell.id)
        except DamagedRecord as damage:
            problem = f"damaged record: {damage}"
        known = record is not None and (record.is_result or end.ending is Ending.RECORDED)
        if not known and problem is None:
            failure = outcomes.failure_of(end, running.log)
            record, problem = outcomes.record_failure(self.store, planned.cell, failure, self.provenance)
        if record is not None and record.failure is not None:
            problem = f"{record.failure['class']}: {record.failure['message']}"
        if problem is None:
            outcome.results += 1
        else:
            outcome.failed.append((planned, problem))
        listener.finished(planned, record, problem)
        return outcomes.device_problem(record)

    def _not_begun(self, cells: Sequence[PlannedCell], why: str, outcome: Outcome) -> None:
        """Record cells for which no device is left."""
        for planned in cells:
            failure = outcomes.not_begun(why)
            _, problem = outcomes.record_failure(self.store, planned.cell, failure, self.provenance)
            outcome.not_begun.append((planned, problem or failure["message"]))

    def _task(self, planned: PlannedCell, gpu: str | None = None) -> Task:
        return {
            "cell": planned.cell.config(),
            "results": str(self.store.root),
            "method_folders": self.method_folders,
            "launch": planned.launch.model_dump(),
            "data": str(data_root().absolute()),
            "device": self.device,
            "gpu": gpu,
            "followers": self.followers,
            "since": self.since,
            "provenance": self.provenance,
        }


def process_context() -> ForkServerContext | SpawnContext:
    """A fork server, except on macOS, where a fork of a process that has used Apple's libraries may crash."""
    if sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


@contextlib.contextmanager
def _stop_requests() -> Iterator[StopRequest]:
    """Set by Ctrl-C, by a request to end, and by a closed terminal.

    An exception from the handler could fall between a worker's end and its being counted, or between its
    start and its being known; a flag is looked at where neither can be lost.
    """
    stop = StopRequest()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.asked = True

    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in previous.items():
        if handler != signal.SIG_IGN:  # nohup, and a shell's background jobs.
            signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
