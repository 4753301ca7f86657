"""One cell → one record.

Shapes: N training images, M test images.
"""

import csv
import io
import time
import traceback
from typing import Any

import numpy as np
import torch

from clopbench.cell import Cell
from clopbench.data import sources
from clopbench.data.augment import view_recipes
from clopbench.errors import UserError
from clopbench.evaluation import detection, keeping, transfer
from clopbench.evaluation.measure import Frozen, measure
from clopbench.evaluation.selection import Selection
from clopbench.evaluation.trained_probe import ProbeTraining
from clopbench.geometry import NotFiniteError
from clopbench.launch.judging import finite, judge, what_diverged
from clopbench.launch.messages import Failure
from clopbench.launch.outcomes import failure_of_error
from clopbench.launch.process import start
from clopbench.launch.provenance import describe_run
from clopbench.results.records import Record
from clopbench.studies.study_kind import Preparing, StudyKind
from clopbench.studies.studying import study_of
from clopbench.suite.plugins import Plugins
from clopbench.training.assembly import Hooks, Prepared, prepare, subset_of
from clopbench.training.checkpoint import Checkpointer
from clopbench.training.feed import feed
from clopbench.training.loop import Row, Trainer
from clopbench.training.model import build_model
from clopbench.training.stop import Stopped

DOWNSTREAM = (transfer, detection)
"""What may be done with the trained encoder on other data sets."""


def run_cell(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Record:
    """Train and evaluate one cell, from its checkpoint where there is one.

    Failures come back as records of status `failed`, not as exceptions. Raises Stopped where a stop was
    requested; the checkpoint is then saved.
    """
    started = time.time()
    try:
        start(device)
        record = finite(_run(cell, plugins, device, hooks))
    except BaseException as error:  # A method may raise SystemExit, or worse: that is its failure.
        if _is_stop(error, hooks):
            raise
        traceback.print_exc()
        record = Record(cell, "failed", failure=dict(failure_of_error(error)))
    record.provenance.update(describe_run(device, started))
    return record


def train_along(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Failure | None:
    """Train a cell as a rank that neither evaluates nor writes; returns the failure, if it came to one.

    Raises Stopped where a stop was requested of any rank.
    """
    try:
        start(device)
        _train(prepare(cell, plugins, device, hooks).trainer, hooks)
    except BaseException as error:
        if _is_stop(error, hooks):
            raise
        traceback.print_exc()
        return failure_of_error(error)
    return None


def _is_stop(error: BaseException, hooks: Hooks) -> bool:
    """True for the end that a signal asked for: in the middle of training, or before or after it."""
    return isinstance(error, Stopped) or (isinstance(error, SystemExit) and hooks.stop.requested)


def preflight(cell: Cell, plugins: Plugins) -> None:
    """Find out what can be wrong with a cell before any time is spent: build its model, train nothing.

    Raises UserError. Whatever a plug-in's constructor raises counts as a refusal of its parameters.
    """
    study = study_of(cell, plugins)
    if study is not None:
        study.check(lambda: len(subset_of(cell, sources.load(cell.data.name)).kept))
        if not study.trains:
            return
    data = sources.load(cell.data.name)
    unlabelled = 0 if data.unlabelled is None else len(data.unlabelled.labels)
    images = len(subset_of(cell, data).kept) + unlabelled
    if cell.training.batch_size > images:
        raise UserError(
            f"training.batch_size: {cell.training.batch_size} is more than the {images} training images "
            f"that this cell keeps of {cell.data.name}"
        )
    if len(np.unique(data.train.labels[data.train.labels >= 0])) < 2:
        raise UserError(f"data.name: the training images of {cell.data.name} show a single class")
    model = build_model(cell, plugins, data.train.shape[0], data.num_classes, "meta")
    view_recipes(model.method.views, cell.augmentation.name)
    for task in DOWNSTREAM:
        task.check(cell, data.train.shape)


def _run(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Record:
    study = study_of(cell, plugins)
    if study is None:
        return _trained(cell, plugins, device, hooks)
    try:
        return _studied(study, lambda of: prepare(of, plugins, device, hooks))
    except ArithmeticError as error:
        return Record(cell, "diverged", notes={"diverged": what_diverged(error)})


def _studied(study: StudyKind, prepare: Preparing) -> Record:
    """The record of a study."""
    found = study.measure(prepare)
    history = _to_csv(found.history)
    return Record(study.cell, "done", found.metrics, {}, found.pairing, found.provenance, history=history)


def _trained(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Record:
    ready = prepare(cell, plugins, device, hooks)
    trainer, pairing = ready.trainer, ready.pairing
    selection = _selection(ready, hooks)
    resumed = _train(trainer, hooks, selection)
    frozen = _frozen(ready, hooks)
    metrics, spectrum, lost = _measured(frozen)
    if cell.seed == keeping.SEED and metrics:
        keeping.keep_embeddings(trainer.model, frozen.test, frozen.y_M, hooks.checkpoint.parent)
    downstream, hashes = _downstream(trainer, hooks) if metrics else ({}, {})
    unknown = [name for name, value in downstream.items() if value is None]
    if unknown:
        lost = lost or f"{', '.join(unknown)}: not finite"
    status, notes = judge(cell, trainer.diverged or lost, metrics)
    provenance = _data_provenance(ready) | {
        "resumed": resumed,
        "compiled": ready.compiled,
        "train_seconds": round(trainer.seconds, 3),
        "views_per_second": round(trainer.views / max(trainer.seconds, 1e-9), 1),
        **hashes,
    }
    history = _to_csv(trainer.history)
    metrics = metrics | downstream
    if selection is not None and metrics:
        metrics |= selection.measure_best(frozen)
    return Record(cell, status, metrics, notes, pairing, provenance, history=history, spectrum=spectrum)


def _data_provenance(ready: Prepared) -> dict[str, Any]:
    """The data's hash, how many test images it has, and how many without a label, where it has some."""
    unlabelled = {"unlabelled_images": ready.unlabelled} if ready.unlabelled else {}
    return {"data_sha256": ready.data.sha256, "test_images": len(ready.data.test.labels)} | unlabelled


def _measured(frozen: Frozen) -> tuple[dict[str, float | None], tuple[float, ...], str | None]:
    """Metrics and spectrum; and what was not finite, if anything was."""
    try:
        metrics, spectrum = measure(frozen)
    except NotFiniteError as error:
        return {}, (), f"{what_diverged(error)} after the last step"
    return metrics, spectrum, None


def _frozen(ready: Prepared, hooks: Hooks) -> Frozen:
    """The trained model beside the images and labels that it is measured on."""
    trainer, data, subset = ready.trainer, ready.data, ready.subset
    cell, model, images, launch = trainer.cell, trainer.model, ready.labelled, hooks.launch
    return Frozen(
        cell,
        model,
        data.num_classes,
        images,
        trainer.labels[: len(images)],
        torch.from_numpy(data.train.labels[subset.kept]).to(images.device),
        feed(data.test, images.device, launch.loader_workers),
        torch.from_numpy(data.test.labels.copy()).to(images.device),
        ProbeTraining(cell, model, images, data.num_classes, hooks.saved[1], launch.checkpoint_seconds),
    )


def _downstream(trainer: Trainer, hooks: Hooks) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Metrics on other data sets, and their hashes for the provenance; both empty where none are asked for."""
    metrics: dict[str, float | None] = {}
    hashes: dict[str, str] = {}
    for task in DOWNSTREAM:
        found, data = task.measure(
            trainer.cell, trainer.model.encoder, trainer.images, hooks.launch.loader_workers
        )
        metrics, hashes = metrics | found, hashes | data
    return metrics, {"other_data_sha256": hashes} if hashes else {}


def _selection(ready: Prepared, hooks: Hooks) -> Selection | None:
    """What judges epochs on held-out images, where there are any."""
    subset, trainer = ready.subset, ready.trainer
    if not len(subset.held):
        return None
    held = feed(ready.data.train, trainer.images.device, hooks.launch.loader_workers, subset.held)
    y_M = torch.from_numpy(subset.held_labels).to(held.device)
    return Selection(trainer, ready.labelled, held, y_M, ready.data.num_classes)


def _train(trainer: Trainer, hooks: Hooks, selection: Selection | None = None) -> bool:
    """Train to the end, from a checkpoint if there is one (then True). Raises Stopped."""
    checkpointer = Checkpointer(hooks.checkpoint, hooks.launch.checkpoint_seconds, hooks.stop)
    resumed = checkpointer.restore(trainer)
    hooks.stop.training = True

    def on_epoch(row: Row) -> None:
        if selection is not None:
            selection.after_epoch(row)
        hooks.on_epoch(row, trainer)

    try:
        trainer.run(checkpointer.after_step, on_epoch)
    except Stopped:
        trainer.leave()
        raise
    trainer.leave()
    hooks.stop.training = False
    return resumed


def _to_csv(history: list[dict[str, Any]]) -> str:
    """Rows as CSV with enough digits to restore every float."""
    if not history:
        return ""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return buffer.getvalue()
