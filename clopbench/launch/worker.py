"""What happens inside the process of one cell. Everything that it receives is plain data."""

import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypedDict

from clopbench.cell import Cell
from clopbench.results import leases
from clopbench.results.records import DamagedRecord, Store
from clopbench.training.place import Place
from clopbench.training.stop import Stopped, StopRequest

EXIT_RECORDED = 0
EXIT_UNWRITTEN = 74
"""The record could not be written, say to a full disk; the checkpoint is kept."""
EXIT_STOPPED = 76
"""Asked to stop; the checkpoint is saved and no record was written."""
EXIT_REPORTED = 1
"""A rank of several has told its supervisor why it failed."""
EXIT_HELD = 75
"""Another process holds the cell (or took it over); nothing was written."""

CHECKPOINT = "checkpoint.pt"
LOGGED = ("epoch", "learning_rate", "effective_rank")
"""What run.log shows of an epoch beside its losses; history.csv has everything."""

REPORTED = ("submission", "slurm_job", "slurm_node")
"""What a lease says of its holder beside host and pid: where the rest of its output is."""


class Task(TypedDict):
    """One cell to run."""

    cell: Mapping[str, Any]
    results: str
    method_folders: list[str]
    launch: Mapping[str, Any]
    """A LaunchConfig as plain data."""
    data: str
    """The folder of prepared data sets, which a fork server's environment need not name."""
    device: str
    gpu: str | None
    """The GPU that this cell gets, as CUDA_VISIBLE_DEVICES names it; several with commas between them."""
    followers: Sequence[Connection]
    """The other processes of a Slurm task or of torchrun, which run their share of a cell's ranks."""
    since: float
    """When the launcher started: a failure recorded later than this is not tried again."""
    provenance: Mapping[str, Any]


def work(task: Task) -> None:
    """Take the lease, train, record, exit with one of the codes above; any other is a crash."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = StopRequest()
    stop.install()
    os.environ["BENCH_DATA"] = task["data"]
    if task["gpu"] is not None:  # Before CUDA starts in this process.
        os.environ["CUDA_VISIBLE_DEVICES"] = task["gpu"]
    store = Store(Path(task["results"]))
    cell = Cell.from_config(task["cell"])
    folder = store.folder(cell.id)
    folder.mkdir(parents=True, exist_ok=True)
    held = leases.acquire(folder)
    if held is None:
        sys.exit(EXIT_HELD)
    with held:
        if _settled(store, cell.id, task["since"]):
            sys.exit(EXIT_RECORDED)
        store.sweep(cell.id)
        _log_to(folder / "run.log")
        if cell.training.devices > 1:
            from clopbench.launch import ranks

            sys.exit(ranks.supervise(task, store, cell, held, stop))
        sys.exit(train(task, store, cell, held, stop))


def train(
    task: Task,
    store: Store,
    cell: Cell,
    held: leases.Held,
    stop: StopRequest,
    place: Place | None = None,
    report: Callable[[dict[str, str]], None] | None = None,
) -> int:
    """Train, judge and record a cell; returns the exit status.

    place: as rank 0 of several. report: is told of a failure, which is then not recorded here.
    """
    # Imported here: the launcher's own process imports this module and must stay free of torch.
    from clopbench.launch.process import choose_device, configure
    from clopbench.launch.run_cell import run_cell
    from clopbench.suite.declarations import LaunchConfig
    from clopbench.suite.plugins import Plugins
    from clopbench.training.assembly import Hooks
    from clopbench.training.loop import Trainer

    launch = LaunchConfig(**task["launch"])
    about = {key: value for key, value in task["provenance"].items() if key in REPORTED}
    about["epochs"] = cell.training.epochs
    held.report(epoch=0, **about)

    def on_epoch(row: Mapping[str, Any], trainer: Trainer) -> None:
        pace = {
            "views_per_second": round(trainer.views / max(trainer.seconds, 1e-9), 1),
            "seconds_per_epoch": round(trainer.seconds / max(trainer.epoch, 1), 3),
        }
        held.report(epoch=row["epoch"], **about, **pace)
        shown = [name for name in row if name in LOGGED or name.startswith("loss")]
        print("  ".join(f"{name} {row[name]:.6g}" for name in shown), flush=True)

    configure(launch.threads)
    plugins = Plugins([Path(folder) for folder in task["method_folders"]])
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} start {cell.id} pid {os.getpid()}", flush=True)
    checkpoint = store.folder(cell.id) / CHECKPOINT
    hooks = Hooks(on_epoch, checkpoint, launch, stop, place)
    try:
        record = run_cell(cell, plugins, choose_device(task["device"]), hooks)
    except Stopped:
        print("stopped; the checkpoint is saved", flush=True)
        return EXIT_STOPPED
    if record.failure is not None and report is not None:
        report(record.failure)
        return EXIT_REPORTED
    record.provenance.update(task["provenance"])
    if not held.in_force:
        print("another process took this cell over; leaving without writing", flush=True)
        return EXIT_HELD
    try:
        store.write(record)
    except OSError as error:
        print(f"the record could not be written: {error}", flush=True)
        return EXIT_UNWRITTEN
    for path in hooks.saved:
        path.unlink(missing_ok=True)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {record.status}", flush=True)
    return EXIT_RECORDED


def check(cells: list[Mapping[str, Any]], method_folders: list[str], data: str, answer: Connection) -> None:
    """Preflight: build the model of each cell once and send back the first refusal, or None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from clopbench.errors import UserError
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
        answer.send(str(error))
    else:
        answer.send(None)


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
    """Send everything that this process prints, from C libraries too, to the cell's log."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    sys.stdout = sys.stderr = io.TextIOWrapper(_LogFile(1, "wb", closefd=False), write_through=True)


class _LogFile(io.FileIO):
    """A full disk costs lines of the log, not the run."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)
