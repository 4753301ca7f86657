"""What to record of a cell whose process ended without a record of its own."""

import contextlib
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clopbench.cell import Cell
from clopbench.launch import worker
from clopbench.results import leases
from clopbench.results.records import Record, Store

STOPPED_CODES = (worker.EXIT_STOPPED, 128 + signal.SIGTERM, 128 + signal.SIGUSR2)
"""A worker that was asked to stop: in the middle of training, or before or after it."""

FORK_SERVER_DIED = 255
"""What multiprocessing reports where it cannot know: the fork server that saw the end was killed too."""


def crash(code: int, memory_kills: int = 0) -> dict[str, str]:
    """The failure that an exit status speaks of; negative ones are signals, as multiprocessing has them.

    memory_kills: how often the kernel has killed for memory in this control group since the cell began.
    """
    if code == worker.EXIT_STOPPED:
        message = "the worker was asked to stop; it saved its checkpoint, run again to resume"
        return {"class": "killed", "message": message, "traceback": ""}
    if code == worker.EXIT_UNWRITTEN:
        message = "the record could not be written (its run.log says why); the checkpoint is kept, run again"
        return {"class": "error", "message": message, "traceback": ""}
    if code == -signal.SIGKILL and memory_kills:
        message = "the worker was killed for memory (control group's limit)"
        return {"class": "out_of_memory", "message": message, "traceback": ""}
    if code == FORK_SERVER_DIED:
        return {"class": "killed", "message": "the worker's fork server was killed", "traceback": ""}
    if code < 0:
        name = signal.Signals(-code).name
        return {"class": "killed", "message": f"the worker was killed by {name}", "traceback": ""}
    return {"class": "error", "message": f"the worker ended with status {code}", "traceback": ""}


def record_failure(
    store: Store, cell: Cell, failure: Mapping[str, str], provenance: Mapping[str, Any]
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


def memory_kills() -> int:
    """Processes of this control group that the kernel has killed for memory; 0 where it cannot be known."""
    total = 0
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                total += _count(Path(f"/sys/fs/cgroup{path}/memory.events"))
            elif "memory" in controllers.split(","):
                total += _count(Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control"))
    return total


def _count(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0
