"""One cell → one record.

Shapes: N training images, M test images, F features, D embedding dimensions.
"""

import csv
import hashlib
import io
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clopbench import seeds
from clopbench.cell import Cell
from clopbench.contrastive import normalised
from clopbench.data import sources
from clopbench.data.augment import recipe
from clopbench.data.sources import DataSet
from clopbench.data.subsets import Subset, choose_subset
from clopbench.errors import UserError
from clopbench.plugins import Plugins
from clopbench.records import Record
from clopbench.training import evaluate, geometry
from clopbench.training.checkpoint import Checkpointer
from clopbench.training.loop import Row, Trainer
from clopbench.training.model import Model, build_model
from clopbench.training.provenance import describe_run
from clopbench.training.stop import Stopped, StopRequest

TRACEBACK_LINES = 12
AUTHORS_KNN = 100


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


@dataclass(frozen=True)
class Hooks:
    """What the surroundings of a cell want to know, and where its checkpoint lies."""

    on_epoch: Callable[[Row], None]
    checkpoint: Path
    checkpoint_seconds: float
    stop: StopRequest


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
        model = build_model(cell, plugins, data.train.images.shape[1], data.num_classes, "meta")
    except (TypeError, ValueError) as error:
        raise UserError(f"method {cell.method.name} refuses its parameters: {error}") from error
    for name in model.method.views or ():
        recipe(name)


def describe_failure(error: BaseException) -> dict[str, str]:
    """Class, message and last lines of the traceback."""
    memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    lines = "".join(traceback.format_exception(error)).splitlines()[-TRACEBACK_LINES:]
    return {
        "class": "out_of_memory" if memory else "error",
        "message": f"{type(error).__name__}: {error}".splitlines()[0],
        "traceback": "\n".join(lines),
    }


def _run(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Record:
    data = sources.load(cell.data.name)
    subset = _subset(cell, data)
    model = build_model(cell, plugins, data.train.images.shape[1], data.num_classes)
    pairing = {
        "subset": hashlib.sha256(subset.kept.tobytes() + subset.shown.tobytes()).hexdigest(),
        "init": _weights_sha256([model.encoder, model.head]),
    }
    for module in model.modules().values():
        module.to(device)
    # Convolutions over few channels are 1.4 times as fast this way on a CPU (8×8 digits, width 16).
    model.encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    images = torch.from_numpy(data.train.images[subset.kept]).to(device)
    trainer = Trainer(cell, model, images, torch.from_numpy(subset.shown).to(device))
    resumed = _train(trainer, hooks)
    all_labels = torch.from_numpy(data.train.labels[subset.kept]).to(device)
    metrics, spectrum = _measure(cell, model, data, trainer, all_labels)
    status, notes = _judge(cell, trainer.diverged, metrics)
    provenance = {
        "data_sha256": data.sha256,
        "resumed": resumed,
        "train_seconds": round(trainer.seconds, 3),
        "views_per_second": round(trainer.views / max(trainer.seconds, 1e-9), 1),
    }
    history = _to_csv(trainer.history)
    return Record(cell, status, metrics, notes, pairing, provenance, history=history, spectrum=spectrum)


def _subset(cell: Cell, data: DataSet) -> Subset:
    generator = seeds.numpy_generator(cell.seed, "subset")
    return choose_subset(data.train.labels, data.num_classes, cell.data, generator)


def _train(trainer: Trainer, hooks: Hooks) -> bool:
    """Train to the end, from a checkpoint if there is one (then True). Raises Stopped."""
    checkpointer = Checkpointer(hooks.checkpoint, hooks.checkpoint_seconds, hooks.stop)
    resumed = checkpointer.restore(trainer)
    hooks.stop.training = True
    trainer.run(checkpointer.after_step, hooks.on_epoch)
    hooks.stop.training = False
    return resumed


def _measure(
    cell: Cell, model: Model, data: DataSet, trainer: Trainer, all_N: Tensor
) -> tuple[dict[str, float | None], tuple[float, ...]]:
    """Accuracies of the frozen features, and the geometry of the test embeddings.

    Where the weights are no longer finite there is nothing to measure, and no metrics are given.
    """
    config, images, shown_N = cell.evaluation, trainer.images, trainer.labels
    # Packed data sets are memory-mapped read-only, which torch does not accept: hence the copies.
    test = torch.from_numpy(data.test.images.copy()).to(images.device)
    y_M = torch.from_numpy(data.test.labels.copy()).to(images.device)
    train_NF = evaluate.extract(model.encoder, images)
    test_MF = evaluate.extract(model.encoder, test)
    network = nn.Sequential(model.encoder, model.head)
    z_MD = normalised(evaluate.extract(network, test))
    if not all(output.isfinite().all() for output in (train_NF, test_MF, z_MD)):
        return {}, ()
    all_top1, all_top5 = evaluate.linear_probe(train_NF, all_N, test_MF, y_M, config.probe_c)
    if shown_N.equal(all_N):  # All labels are shown: the two protocols are one.
        top1, top5 = all_top1, all_top5
    else:
        top1, top5 = evaluate.linear_probe(train_NF, shown_N, test_MF, y_M, config.probe_c)
    knn, knn100 = evaluate.nearest_neighbours(
        train_NF, all_N, test_MF, y_M, (config.knn, AUTHORS_KNN), data.num_classes
    )
    singular = geometry.singular_values(z_MD)
    first_MD, second_MD = _two_views(cell, network, test)
    metrics: dict[str, float | None] = {
        "probe_top1": top1,
        "probe_top5": top5,
        "probe_all_top1": all_top1,
        "probe_all_top5": all_top5,
        "knn_top1": knn[0],
        "knn_top5": knn[1],
        f"knn{AUTHORS_KNN}_top1": knn100[0],
        f"knn{AUTHORS_KNN}_top5": knn100[1],
        "effective_rank": geometry.effective_rank(singular),
        "mean_norm": geometry.mean_norm(z_MD),
        "alignment": geometry.alignment(first_MD, second_MD),
        "uniformity": geometry.uniformity(z_MD),
    }
    prototype_KD = getattr(model.method, "prototype_KD", None)
    if prototype_KD is not None:
        own, other = geometry.prototype_cosines(z_MD, y_M, prototype_KD)
        metrics |= {"prototype_cosine_own": own, "prototype_cosine_other": other}
    return metrics, tuple(singular.tolist())


@torch.no_grad()
def _two_views(cell: Cell, network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of two augmented views of the test images, drawn from the `evaluate` stream."""
    generator = torch.Generator(images.device)
    generator.manual_seed(seeds.integer(cell.seed, "evaluate"))
    augment = recipe(cell.augmentation.name)
    network.eval()
    first, second = (normalised(network(augment(images, generator))) for _ in range(2))
    return first, second


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
