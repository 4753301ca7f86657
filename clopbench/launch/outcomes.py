"""What to record of a cell whose process ended without a record of its own."""

import contextlib
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clopbench.cell import Cell
from clopbench.errors import in_words, visible
from clopbench.launch.messages import End, Ending, Failure
from clopbench.results import leases
from clopbench.results.files import Unreadable, read_bytes
from clopbench.results.records import Record, Store
from clopbench.training.place import PeerLost

FORK_SERVER_DIED = 255
"""What multiprocessing reports where it cannot know: the fork server that saw the end was killed too."""
TRACEBACK_LINES = 12
LONGEST_LINE = 1000
LOG_BYTES = 2**16
_OURS = re.compile(r"epoch \d|resuming at |checkpoint not |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")

_TOLD = {
    Ending.RECORDED: ("error", "the worker said that it was done, and there is no record"),
    Ending.STOPPED: ("killed", "the worker was asked to stop; it saved its checkpoint, run again to resume"),
    Ending.LEFT: ("killed", "the worker was asked to stop; run again"),
    Ending.UNWRITTEN: (
        "error",
        "the record could not be written (its run.log says why); the checkpoint is kept, run again",
    ),
}


class DeviceFailed(Exception):
    """A device that was asked for does not start; the message has the driver's words."""


class Log:
    """A cell's run.log from now on: several tries write to one file."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._begin = path.stat().st_size
        except OSError:
            self._begin = 0

    def words(self) -> list[str]:
        """The last lines that came since, but for what we print of every cell."""
        try:
            size = max(0, os.stat(self.path).st_size - self._begin)
            content = read_bytes(self.path, sys.maxsize, last=min(size, LOG_BYTES))
        except (OSError, Unreadable):
            return []
        lines = map(_line, content.decode(errors="replace").splitlines())
        return [line for line in lines if line and not _OURS.match(line)][-TRACEBACK_LINES:]


def failure_of(end: End, log: Log | None = None, memory_kills: int = 0) -> Failure:
    """The failure of a worker that ended like this and left no valid record.

    log: where its last words are, if it has died. memory_kills: how often the kernel has killed for memory in
    this control group since the cell began.
    """
    if end.failure is not None:
        return end.failure
    if end.ending in _TOLD:
        kind, message = _TOLD[end.ending]
        return {"class": kind, "message": message, "traceback": ""}
    kind, message = _of_status(end.status, memory_kills)
    words = log.words() if log is not None else []
    said = f": {words[-1]}" if words else ""
    return {"class": kind, "message": f"{message}{said}", "traceback": "\n".join(words)}


def failure_of_error(error: BaseException) -> Failure:
    """Class, message and last lines of the traceback. Knows torch's errors by name, to stay free of it."""
    kind = "node" if isinstance(error, PeerLost) else "error"
    if isinstance(error, DeviceFailed):
        kind = "device"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        kind = "out_of_memory"
    lines = map(_line, "".join(traceback.format_exception(error)).splitlines())
    message = visible(str(error)) if isinstance(error, DeviceFailed) else in_words(error)
    if not isinstance(error, Exception):  # SystemExit, KeyboardInterrupt: nobody but a method raises them.
        message = f"the cell's own code ended its process ({message})"
    return {"class": kind, "message": message, "traceback": "\n".join(list(lines)[-TRACEBACK_LINES:])}


def _line(text: str) -> str:
    """A line that somebody else's code wrote, as it can be kept and shown."""
    return visible(text.rstrip().expandtabs())[:LONGEST_LINE]


def _of_status(status: int, memory_kills: int) -> tuple[str, str]:
    """Class and message of an exit status; negative ones are signals, as multiprocessing has them."""
    if status == -signal.SIGKILL and memory_kills:
        return "out_of_memory", "the worker was killed for memory (control group's limit)"
    if status == FORK_SERVER_DIED:
        return "killed", "the worker ended with status 255, or its fork server was killed"
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        return "killed", f"the worker was killed by {names.get(-status, f'signal {-status}')}"
    return "error", f"the worker ended with status {status}" + (" and no record" if status == 0 else "")


def record_failure(
    store: Store, cell: Cell, failure: Failure, provenance: Mapping[str, Any]
) -> tuple[Record | None, str | None]:
    """Record a failure, unless another process has meanwhile taken the cell over.

    Where not even that can be written, there is no record, and the second value says why.
    """
    record = Record(cell, "failed", failure=dict(failure))
    record.provenance.update({"ended_unix": time.time()}, **provenance)
    try:
        lease = leases.acquire(store.folder(cell.id))
        if lease is not None:
            with lease:
                store.write(record)
    except OSError as error:  # A full or read-only disk, which is likely what the cell died of.
        return None, f"{failure['message']}, and its record could not be written: {error}"
    return record, None


def device_problem(record: Record | None) -> str | None:
    """Why a cell's device did not start, where the cell failed because of that."""
    failure = record.failure if record is not None else None
    return failure["message"] if failure is not None and failure["class"] == "device" else None


def not_begun(why: str) -> Failure:
    """The failure of a cell that was not tried, because no device is left. why: of the last one."""
    return {"class": "device", "message": f"not begun: {why}", "traceback": ""}


def memory_kills() -> int:
    """Processes of this control group that the kernel has killed for memory; 0 where it cannot be known."""
    total = 0
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                total += _count(Path(f"/sys/fs/cgroup{path}/memory.events"))
            elif "memory" in controllers.split(","):
                total += _count(Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control"))
    return total


def _count(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0
