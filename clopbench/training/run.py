"""One cell → one record.

Shapes: N training images, M test images.
"""

import csv
import ctypes
import hashlib
import io
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from clopbench import seeds
from clopbench.cell import Cell
from clopbench.data import sources
from clopbench.data.augment import recipe
from clopbench.data.sources import DataSet
from clopbench.data.subsets import Subset, choose_subset
from clopbench.declarations import LaunchConfig
from clopbench.errors import UserError
from clopbench.plugins import Plugins
from clopbench.records import Record
from clopbench.training.checkpoint import Checkpointer
from clopbench.training.encoders import has_narrow_shortcut
from clopbench.training.feed import feed
from clopbench.training.linear import ProbeTraining
from clopbench.training.loop import Row, Trainer
from clopbench.training.measure import Frozen, measure
from clopbench.training.model import build_model
from clopbench.training.place import PeerLost, Place
from clopbench.training.provenance import describe_run
from clopbench.training.stop import Stopped, StopRequest

TRACEBACK_LINES = 12
# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def choose_device(name: str) -> torch.device:
    """'auto' is the first GPU where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def configure(threads: int) -> None:
    """Set this process up for bit-reproducible training on `threads` CPU threads."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # Needed for determinism on CUDA.
    torch.set_num_threads(threads)
    # The same as use_deterministic_algorithms(True), which would import the compiler, for 2 s.
    torch.set_deterministic_debug_mode("error")
    # Filling fresh tensors guards against reading uninitialised memory; nothing here does, and it costs 8 %.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc reuse large blocks, which it gives back to the system when they are freed.

    A training step frees and asks for the same hundreds of megabytes; getting them back page by page, zeroed by
    the kernel, was 20 % of its time on a CPU. A cell's process ends soon enough to return them.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, -1)
        mallopt(_M_MMAP_MAX, 0)


@dataclass(frozen=True)
class Hooks:
    """What the surroundings of a cell want to know, and where its checkpoint lies."""

    on_epoch: Callable[[Row, Trainer], None]
    checkpoint: Path
    launch: LaunchConfig
    stop: StopRequest
    place: Place | None = None
    """This process among those of a cell on several devices."""

    @property
    def saved(self) -> tuple[Path, Path]:
        """Where training and the evaluation's probe are saved while they run."""
        return self.checkpoint, self.checkpoint.with_name("probe.pt")


def run_cell(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Record:
    """Train and evaluate one cell, from its checkpoint where there is one.

    Failures come back as records of status `failed`, not as exceptions. Raises Stopped where a stop was
    requested; the checkpoint is then saved.
    """
    started = time.time()
    try:
        record = _run(cell, plugins, device, hooks)
    except Stopped:
        raise
    except Exception as error:
        traceback.print_exc()
        record = Record(cell, "failed", failure=describe_failure(error))
    record.provenance.update(describe_run(device, started))
    return record


def train_along(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> dict[str, str] | None:
    """Train a cell as a rank that neither evaluates nor writes; returns the failure, if it came to one.

    Raises Stopped where a stop was requested of any rank.
    """
    try:
        _train(_prepare(cell, plugins, device, hooks).trainer, hooks)
    except Stopped:
        raise
    except Exception as error:
        traceback.print_exc()
        return describe_failure(error)
    return None


def preflight(cell: Cell, plugins: Plugins) -> None:
    """Find out what can be wrong with a cell before any time is spent: build its model, train nothing.

    Raises UserError. A plug-in's own ValueError or TypeError counts as a refusal of its parameters.
    """
    data = sources.load(cell.data.name)
    images = len(_subset(cell, data).kept)
    if cell.training.batch_size > images:
        raise UserError(
            f"training.batch_size: {cell.training.batch_size} is more than the {images} training images "
            f"that this cell keeps of {cell.data.name}"
        )
    try:
        model = build_model(cell, plugins, data.train.shape[0], data.num_classes, "meta")
    except (TypeError, ValueError) as error:
        raise UserError(f"method {cell.method.name} refuses its parameters: {error}") from error
    for name in model.method.views or ():
        recipe(name)


def describe_failure(error: BaseException) -> dict[str, str]:
    """Class, message and last lines of the traceback."""
    memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    other = "node" if isinstance(error, PeerLost) else "error"
    lines = "".join(traceback.format_exception(error)).splitlines()[-TRACEBACK_LINES:]
    return {
        "class": "out_of_memory" if memory else other,
        "message": f"{type(error).__name__}: {error}".splitlines()[0],
        "traceback": "\n".join(lines),
    }


@dataclass(frozen=True)
class _Prepared:
    """A cell that is ready to be trained."""

    trainer: Trainer
    data: DataSet
    subset: Subset
    pairing: dict[str, str]
    compiled: bool


def _prepare(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> _Prepared:
    data = sources.load(cell.data.name)
    subset = _subset(cell, data)
    model = build_model(cell, plugins, data.train.shape[0], data.num_classes)
    pairing = {
        "subset": hashlib.sha256(subset.kept.tobytes() + subset.shown.tobytes()).hexdigest(),
        "init": _weights_sha256([model.encoder, model.head]),
    }
    for module in model.modules().values():
        module.to(device)
    if device.type == "cuda" or not has_narrow_shortcut(model.encoder):
        # Convolutions over few channels are 1.4 times as fast this way on a CPU (8×8 digits, width 16).
        model.encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    compiled = hooks.launch.compile == "on" or (hooks.launch.compile == "auto" and device.type == "cuda")
    compiled = compiled and hooks.place is None  # Exchanges between ranks would cut the network into pieces.
    if compiled:
        model.compile()
    images = feed(data.train, device, hooks.launch.loader_workers, subset.kept)
    labels = torch.from_numpy(subset.shown).to(device)
    if hooks.place is None:
        trainer = Trainer(cell, model, images, labels)
    else:
        from clopbench.training.distributed import join_training  # A second that other cells need not wait for.

        common = "".join([data.sha256, *pairing.values()])
        trainer = join_training(hooks.place, common, cell, model, images, labels)
    return _Prepared(trainer, data, subset, pairing, compiled)


def _run(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Record:
    ready = _prepare(cell, plugins, device, hooks)
    trainer = ready.trainer
    resumed = _train(trainer, hooks)
    metrics, spectrum = measure(_frozen(trainer, ready.data, ready.subset, hooks))
    status, notes = _judge(cell, trainer.diverged, metrics)
    provenance = {
        "data_sha256": ready.data.sha256,
        "resumed": resumed,
        "compiled": ready.compiled,
        "train_seconds": round(trainer.seconds, 3),
        "views_per_second": round(trainer.views / max(trainer.seconds, 1e-9), 1),
    }
    history = _to_csv(trainer.history)
    return Record(cell, status, metrics, notes, ready.pairing, provenance, history=history, spectrum=spectrum)


def _frozen(trainer: Trainer, data: DataSet, subset: Subset, hooks: Hooks) -> Frozen:
    """The trained model beside the images and labels that it is measured on."""
    cell, model, images, launch = trainer.cell, trainer.model, trainer.images, hooks.launch
    return Frozen(
        cell,
        model,
        data.num_classes,
        images,
        trainer.labels,
        torch.from_numpy(data.train.labels[subset.kept]).to(images.device),
        feed(data.test, images.device, launch.loader_workers),
        torch.from_numpy(data.test.labels.copy()).to(images.device),
        ProbeTraining(cell, model, images, data.num_classes, hooks.saved[1], launch.checkpoint_seconds),
    )


def _subset(cell: Cell, data: DataSet) -> Subset:
    generator = seeds.numpy_generator(cell.seed, "subset")
    return choose_subset(data.train.labels, data.num_classes, cell.data, generator)


def _train(trainer: Trainer, hooks: Hooks) -> bool:
    """Train to the end, from a checkpoint if there is one (then True). Raises Stopped."""
    checkpointer = Checkpointer(hooks.checkpoint, hooks.launch.checkpoint_seconds, hooks.stop)
    resumed = checkpointer.restore(trainer)
    hooks.stop.training = True
    try:
        trainer.run(checkpointer.after_step, lambda row: hooks.on_epoch(row, trainer))
    except Stopped:
        trainer.leave()
        raise
    trainer.leave()
    hooks.stop.training = False
    return resumed


def _judge(cell: Cell, diverged: str | None, metrics: dict[str, float | None]) -> tuple[str, dict[str, str]]:
    rank = metrics.get("effective_rank")
    if diverged:
        return "diverged", {"diverged": diverged}
    if rank is None:
        return "diverged", {"diverged": "features not finite after the last step"}
    if rank < cell.evaluation.collapse_rank:
        rule = f"effective rank {rank:.3f} < evaluation.collapse_rank = {cell.evaluation.collapse_rank:g}"
        return "collapsed", {"collapsed": rule}
    return "done", {}


def _weights_sha256(modules: list[nn.Module]) -> str:
    state = hashlib.sha256()
    for module in modules:
        for name, tensor in module.state_dict().items():
            state.update(name.encode())
            state.update(tensor.numpy().tobytes())
    return state.hexdigest()


def _to_csv(history: list[dict[str, Any]]) -> str:
    """Rows as CSV with enough digits to restore every float."""
    if not history:
        return ""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return buffer.getvalue()
