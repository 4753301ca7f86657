"""What happens inside the process of one cell. Everything that it receives is plain data."""

import io
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from clopbench.cell import Cell
from clopbench.errors import UserError, in_words, print_anything
from clopbench.launch import ranks
from clopbench.launch.child import say_end
from clopbench.launch.messages import Ending, Said, Task
from clopbench.launch.recording import run_and_record
from clopbench.results import leases
from clopbench.results.files import Unreadable, open_to_append, reason, shown
from clopbench.results.records import DamagedRecord, Store
from clopbench.training.stop import StopRequest


def work(task: Task, channel: Connection) -> None:
    """Take the lease, train, record, and say how it ended; the exit status means nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print_anything()
    stop = StopRequest()
    stop.install()
    say_end(lambda: _work(task, stop), stop, channel)


def _work(task: Task, stop: StopRequest) -> Said:
    os.environ["BENCH_DATA"] = task["data"]
    if task["gpu"] is not None:  # Before CUDA starts in this process.
        os.environ["CUDA_VISIBLE_DEVICES"] = task["gpu"]
    store = Store(Path(task["results"]))
    cell = Cell.from_config(task["cell"])
    folder = store.folder(cell.id)
    folder.mkdir(parents=True, exist_ok=True)
    held = leases.acquire(folder)
    if held is None:
        return Ending.HELD, None
    with held:
        if _settled(store, cell.id, task["since"]):
            return Ending.RECORDED, None
        store.sweep(cell.id)
        _log_to(folder / "run.log")
        if cell.training.devices > 1:
            return ranks.supervise(task, cell, held, stop)
        return run_and_record(task, store, cell, held, stop)


def check(cells: list[Mapping[str, Any]], method_folders: list[str], data: str, answer: Connection) -> None:
    """Preflight: build the model of each cell once and send back the problems of the first that is refused."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print_anything()
    from clopbench.launch.process import configure
    from clopbench.launch.run_cell import preflight
    from clopbench.suite.plugins import Plugins

    configure(1)
    os.environ["BENCH_DATA"] = data
    plugins = Plugins([Path(folder) for folder in method_folders])
    try:
        for cell in cells:
            preflight(Cell.from_config(cell), plugins)
    except UserError as error:
        answer.send(error.problems)
    except (SystemExit, KeyboardInterrupt) as error:
        answer.send([f"a method ended its process while it was being built ({in_words(error)})"])
    else:
        answer.send([])


def _settled(store: Store, cell_id: str, since: float) -> bool:
    """True where there is nothing left to do: a result, a damaged record, or a failure of this very run."""
    try:
        record = store.read(cell_id)
    except DamagedRecord:
        return True
    if record is None:
        return False
    return record.is_result or record.provenance.get("ended_unix", 0.0) > since


def _log_to(path: Path) -> None:
    """Send everything that this process prints, from C libraries too, to the cell's log.

    Raises UserError where that is no file that can be written to; what is printed then goes nowhere.
    """
    problem = None
    try:
        handle = open_to_append(path)
    except (OSError, Unreadable) as error:
        problem = UserError(f"the log {shown(path)} cannot be written: {reason(error)}")
        handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    log = _LogFile(1, "wb", closefd=False)
    sys.stdout = sys.stderr = io.TextIOWrapper(log, "utf-8", "backslashreplace", write_through=True)
    if problem is not None:
        raise problem


class _LogFile(io.FileIO):
    """A full disk costs lines of the log, not the run."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)
