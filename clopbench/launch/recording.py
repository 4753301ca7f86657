"""Trains, judges and records a cell in this process, as its only one or as the first of its ranks."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clopbench.cell import Cell
from clopbench.launch.messages import Ending, Said, Task
from clopbench.results import leases
from clopbench.results.records import Store
from clopbench.training.place import Place
from clopbench.training.stop import Stopped, StopRequest

CHECKPOINT = "checkpoint.pt"
LOGGED = ("epoch", "learning_rate", "effective_rank")
"""What run.log shows of an epoch beside its losses; history.csv has everything."""

REPORTED = ("submission", "slurm_job", "slurm_node")
"""What a lease says of its holder beside host and pid: where the rest of its output is."""


def run_and_record(
    task: Task, store: Store, cell: Cell, held: leases.Held, stop: StopRequest, place: Place | None = None
) -> Said:
    """Train, judge and record a cell; how it ended.

    place: as rank 0 of several; then a failure is not recorded but given back.
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
        return Ending.STOPPED, None
    if record.failure is not None and place is not None:
        return Ending.FAILED, record.failure
    record.provenance.update(task["provenance"])
    if not held.in_force:
        print("another process took this cell over; leaving without writing", flush=True)
        return Ending.HELD, None
    try:
        store.write(record)
    except OSError as error:
        print(f"the record could not be written: {error}", flush=True)
        return Ending.UNWRITTEN, None
    for path in hooks.saved:
        path.unlink(missing_ok=True)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {record.status}", flush=True)
    return Ending.RECORDED, None
