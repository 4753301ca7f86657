"""The training loop: batches, views, loss, step. All its state can be saved between two steps.

Shapes: V views, B images, C channels, H × W pixels, D embedding dimensions.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clopbench import geometry, seeds
from clopbench.cell import Cell
from clopbench.contrastive import normalised
from clopbench.data.augment import Recipe, view_recipes, views
from clopbench.geometry import NotFiniteError
from clopbench.method import Embedded, LossError, scalars
from clopbench.results.files import plain
from clopbench.seeds import Stream
from clopbench.training.feed import Images
from clopbench.training.model import Model, Teacher, backward_in_chunks, embed_in_chunks
from clopbench.training.optim import build_optimizer, learning_rate, set_learning_rate

Row = dict[str, Any]


class Trainer:
    """A run between two steps: model, optimiser, position, and the history so far.

    images: N of them; labels: int64 [N], -1 where unlabelled. A last batch that is not full is left
    out; the order is new each epoch. Everything random belongs to (seed, epoch, step), so a position and
    the tensors of `state` are all that resuming needs.

    A cell on several devices has a SharedTrainer on each (clopbench.training.distributed).
    """

    writes = True
    """Whether this process is the one of its cell that saves and records."""

    def __init__(self, cell: Cell, model: Model, images: Images, labels: Tensor):
        self.cell, self.model, self.images, self.labels = cell, model, images, labels
        self.steps_per_epoch = len(images) // cell.training.batch_size
        self.recipes = view_recipes(model.method.views, cell.augmentation.name)
        self.optimizer = build_optimizer(model.parameters(), cell.training)
        self.teacher = Teacher(model)
        self.epoch, self.step = 0, 0
        self.rows: list[Row] = []
        self.history: list[Row] = []
        self.views, self.seconds = 0, 0.0
        self.best: dict[str, Any] | None = None
        """The best epoch so far with its weights, where epochs are judged on held-out images."""
        self.diverged: str | None = None
        for module in model.modules().values():
            module.train()

    def run(self, after_step: Callable[["Trainer"], None], on_epoch: Callable[[Row], None]) -> None:
        """Train from the present position to the end.

        Calls `after_step` after each step, and `on_epoch` with each finished epoch's row: mean losses, learning
        rate, geometry of the last batch's embeddings. A loss that is not finite ends the run before that
        step is taken, embeddings that are not end it with their epoch, and `diverged` says where.
        """
        while self.epoch < self.cell.training.epochs and self.diverged is None:
            generator = seeds.numpy_generator(self.cell.seed_of("order"), "order", self.epoch)
            order = generator.permutation(len(self.images))
            size = self.cell.training.batch_size
            chosen = [order[step * size : (step + 1) * size] for step in range(self.step, self.steps_per_epoch)]
            batches = self.images.batches(chosen)
            for positions in chosen:
                begin = time.perf_counter()
                try:
                    self.rows.append(self._step(next(batches), positions))
                except NotFiniteError as error:
                    self.diverged = f"{error} not finite at epoch {self.epoch + 1}, step {self.step + 1}"
                    return
                self.step += 1
                self.seconds += time.perf_counter() - begin
                if self.step < self.steps_per_epoch:
                    after_step(self)
            self.history.append(self._summary())
            self.epoch, self.step, self.rows = self.epoch + 1, 0, []
            on_epoch(self.history[-1])
            after_step(self)

    def step_on(self, image_BCHW: Tensor, positions: np.ndarray, step: int) -> None:
        """One step apart from `run`, as if it were this step of the present epoch. Raises NotFiniteError."""
        self.step = step
        self._step(image_BCHW, positions)

    def anywhere(self, flag: bool) -> bool:
        """Whether any process of this cell says so; all call it at the same moments."""
        return flag

    def leave(self) -> None:
        """Part from the other processes of this cell, after the last step together."""

    def load(self, path: Path) -> dict[str, Any]:
        """A checkpoint's `state`. Raises FileNotFoundError, or almost anything where the file is junk."""
        # Our own tensors and plain data only: nothing in the file is executed.
        return torch.load(plain(path), map_location=self.images.device, weights_only=True)

    def state(self) -> dict[str, Any]:
        """Everything that resuming needs, as plain data and tensors."""
        modules = self.model.modules() | self.teacher.modules()
        return {
            "cell": self.cell.id,
            "modules": {name: module.state_dict() for name, module in modules.items()},
            "optimizer": self.optimizer.state_dict(),
            "generator": self.model.generator.get_state(),
            "best": self.best,
            **{name: getattr(self, name) for name in self._PLAIN},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state` of the same cell. Raises ValueError for another cell's."""
        if state["cell"] != self.cell.id:
            raise ValueError(f"checkpoint of cell {state['cell']}")
        for name, module in (self.model.modules() | self.teacher.modules()).items():
            module.load_state_dict(state["modules"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.model.generator.set_state(state["generator"].cpu())
        for name in self._PLAIN:
            setattr(self, name, state[name])
        self.best = state.get("best")  # Checkpoints of before there was a choice of epochs have none.

    _PLAIN = ("epoch", "step", "rows", "history", "views", "seconds")

    def _step(self, image_BCHW: Tensor, positions: np.ndarray) -> Row:
        """One step on the images at these positions. Raises NotFiniteError, of a loss before it is taken."""
        index_B = torch.from_numpy(positions).to(image_BCHW.device)
        seed = self.cell.seed_of("augment")
        view_VBCHW = draw_views(image_BCHW, self.recipes, seed, self.epoch, self.step)
        batch = self._embed(view_VBCHW, index_B)
        losses = scalars(self.model.method, self.model.method.loss(batch))
        row: Row = {f"loss_{name}": value.item() for name, value in losses.items()}
        self._same_names(row)
        if self.anywhere(not all(math.isfinite(value) for value in row.values())):
            raise NotFiniteError("loss")
        self.optimizer.zero_grad(set_to_none=True)
        self._backward(batch, view_VBCHW, losses["total"])
        position = self.epoch * self.steps_per_epoch + self.step
        row["learning_rate"] = learning_rate(position, self.steps_per_epoch, self.cell.training)
        set_learning_rate(self.optimizer, row["learning_rate"])
        self.optimizer.step()
        self.teacher.update(self.model)
        self.views += len(self.recipes) * len(positions)
        if self.step == self.steps_per_epoch - 1:
            prototype_KD = getattr(self.model.method, "prototype_KD", None)
            z_VBD = normalised(batch.z_VBD.detach())
            if self.anywhere(not bool(z_VBD.isfinite().all())):
                raise NotFiniteError("embeddings")
            row |= geometry.of_batch(z_VBD, batch.y_B, prototype_KD)
        return row

    def _same_names(self, row: Row) -> None:
        """Raise LossError where this step's losses are not those of the steps before: they make one history."""
        before = next(iter(self.rows or self.history), row)
        names = [name for name in before if name.startswith("loss_")]
        if names != list(row):
            was, now = (", ".join(name.removeprefix("loss_") for name in some) for some in (names, row))
            method = self.model.method.name
            raise LossError(
                f"method {method}: loss() must return the same names at each step; {was} became {now}"
            )

    def _embed(self, view_VBCHW: Tensor, index_B: Tensor) -> Embedded:
        y_B, chunk = self.labels[index_B], self.cell.training.micro_batch
        if chunk is None:
            batch = self.model.embed(view_VBCHW, y_B, index_B)
        else:
            batch = embed_in_chunks(self.model, view_VBCHW, y_B, index_B, chunk)
        batch.teacher = self.teacher.embed(view_VBCHW, batch)
        return batch

    def _backward(self, batch: Embedded, view_VBCHW: Tensor, total: Tensor) -> None:
        """Gradients of all parameters."""
        chunk = self.cell.training.micro_batch
        if chunk is None:
            total.backward()
        else:
            backward_in_chunks(self.model, batch, view_VBCHW, total, chunk)

    def _summary(self) -> Row:
        """The epoch's row: means of the losses, the rest as of the last step."""
        losses = [name for name in self.rows[0] if name.startswith("loss")]
        means = {name: sum(row[name] for row in self.rows) / len(self.rows) for name in losses}
        return {"epoch": self.epoch + 1} | self.rows[-1] | means


def draw_views(
    image_BCHW: Tensor, recipes: list[Recipe], seed: int, epoch: int, step: int, stream: Stream = "augment"
) -> Tensor:
    """One augmented copy of the batch per recipe, float32 [V, B, C, H, W].

    The generator belongs to (seed, epoch, step), so the views of a step do not depend on what ran before.
    """
    generator = torch.Generator(image_BCHW.device)
    generator.manual_seed(seeds.integer(seed, stream, epoch, step))
    return views(image_BCHW, recipes, generator)
