"""What CLOP's term costs: training steps with it and without it, in turns, on the same batches.

A machine drifts by more than the difference, so the two take turns in the order ABBA, and each step is compared
with its neighbour alone. Times differ from run to run, as nothing else in a record does: the seeds of this
study are repetitions.
"""

import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch

from clopbench import seeds
from clopbench.cell import Cell, MethodConfig
from clopbench.errors import UserError
from clopbench.studies.peak_memory import peak_bytes
from clopbench.studies.study_kind import Outcome, Preparing, StudyKind
from clopbench.study import OverheadStudy
from clopbench.suite.plugins import Plugins
from clopbench.training.loop import Trainer

MIB = 2**20


class Overhead(StudyKind):
    """Steps of the cell, whose method is CLOP, and of its base loss alone. The history has a row per pair."""

    study: OverheadStudy
    trains: ClassVar[bool] = True

    def check(self, images: Callable[[], int]) -> None:
        base_cell(self.cell, self.plugins)
        size, kept = self.cell.training.batch_size, images()
        if kept < 2 * size:
            raise UserError(
                f"training.batch_size: study overhead needs two batches of {size}, "
                f"and this cell keeps {kept} training images of {self.cell.data.name}"
            )

    def measure(self, prepare: Preparing) -> Outcome:
        term = prepare(self.cell)
        base = prepare(base_cell(self.cell, self.plugins))
        metrics, history = measure(self.study, term.trainer, base.trainer)
        return Outcome(metrics, history, term.pairing, {"data_sha256": term.data.sha256})


def base_cell(cell: Cell, plugins: Plugins) -> Cell:
    """The same cell with the base loss alone, at the same temperature. Raises UserError for another method."""
    given = cell.method.parameters
    if cell.method.name != "clop":
        raise UserError(
            f"study overhead: method clop, which has a base to compare with, not {cell.method.name}"
        )
    plugin = plugins.get(given["base"])
    parameters = plugin.resolve({"temperature": given["temperature"]})
    method = MethodConfig(name=plugin.name, version=plugin.signature.version, parameters=parameters)
    return cell.model_copy(update={"method": method})


class Turns:
    """Steps of two trainers on the same batches.

    The last step of an epoch measures geometry too: it is left out.
    """

    def __init__(self, term: Trainer, base: Trainer):
        self.term, self.base = term, base
        self.size = term.cell.training.batch_size
        self.order = seeds.numpy_generator(term.cell.seed, "order", 0).permutation(len(term.images))
        self.batches = term.steps_per_epoch - 1

    def pair(self, number: int) -> tuple[float, float]:
        """Seconds of one step with the term and one without; which goes first alternates."""
        turns = (self.term, self.base) if number % 2 else (self.base, self.term)
        taken = {id(trainer): self._seconds(trainer, number) for trainer in turns}
        return taken[id(self.term)], taken[id(self.base)]

    def peak(self, trainer: Trainer, number: int) -> int:
        """Bytes that one step holds at most, beyond weights and the state of the optimiser."""
        trainer.optimizer.zero_grad(set_to_none=True)
        return peak_bytes(self._step(trainer, number), trainer.images.device)

    def _seconds(self, trainer: Trainer, number: int) -> float:
        work, device = self._step(trainer, number), trainer.images.device
        _finish(device)
        begin = time.perf_counter()
        work()
        _finish(device)
        return time.perf_counter() - begin

    def _step(self, trainer: Trainer, number: int) -> Callable[[], object]:
        """A step on a batch that is at hand already."""
        position = number % self.batches
        positions = self.order[position * self.size : (position + 1) * self.size]
        image_BCHW = next(iter(trainer.images.batches([positions])))
        return lambda: trainer.step_on(image_BCHW, positions, position)


def measure(
    study: OverheadStudy, term: Trainer, base: Trainer
) -> tuple[dict[str, float | None], list[dict[str, Any]]]:
    """Metrics, and the times of each pair.

    overhead_time: median over the pairs of (time with the term / time without) − 1. overhead_memory: the same
    of the peak memory of a step. step_ms, step_ms_base: medians. step_mib, step_mib_base: peaks.
    """
    turns = Turns(term, base)
    for number in range(study.warmup):
        turns.pair(number)
    seconds = np.array([turns.pair(number) for number in range(study.warmup, study.warmup + study.pairs)])
    peak, peak_base = turns.peak(term, 0), turns.peak(base, 0)
    milliseconds = 1000 * np.median(seconds, 0)
    metrics: dict[str, float | None] = {
        "overhead_time": float(np.median(seconds[:, 0] / seconds[:, 1]) - 1),
        "overhead_memory": peak / peak_base - 1 if peak_base else None,
        "step_ms": float(milliseconds[0]),
        "step_ms_base": float(milliseconds[1]),
        "step_mib": peak / MIB,
        "step_mib_base": peak_base / MIB,
    }
    pairs = [
        {"epoch": number, "seconds": one, "seconds_base": other}
        for number, (one, other) in enumerate(seconds.tolist(), 1)
    ]
    return metrics, pairs


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
