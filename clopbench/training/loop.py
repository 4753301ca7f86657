"""The training loop: batches, views, loss, step.

Shapes: V views, B images, C channels, H × W pixels, F features, D embedding dimensions.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clopbench import seeds
from clopbench.cell import Cell
from clopbench.contrastive import normalised
from clopbench.data.augment import Recipe, recipe
from clopbench.method import Embedded, Method
from clopbench.training import geometry
from clopbench.training.optim import build_optimizer, learning_rate, set_learning_rate

Row = dict[str, Any]


@dataclass
class Model:
    """Everything that is trained."""

    encoder: nn.Module
    head: nn.Module
    method: Method

    def parameters(self) -> list[nn.Parameter]:
        return [*self.encoder.parameters(), *self.head.parameters(), *self.method.parameters()]

    def embed(self, view_VBCHW: Tensor, y_B: Tensor, index_B: Tensor) -> Embedded:
        """All views in one pass, so that batch norm sees them together (as SimCLR does)."""
        views, images = view_VBCHW.shape[:2]
        h_NF = self.encoder(view_VBCHW.flatten(0, 1))
        z_ND = self.head(h_NF)
        return Embedded(z_ND.unflatten(0, (views, images)), h_NF.unflatten(0, (views, images)), y_B, index_B)


@dataclass
class Outcome:
    """Per-epoch rows, and the reason why training stopped early, if it did."""

    history: list[Row] = field(default_factory=list)
    diverged: str | None = None
    views: int = 0
    """Augmented images that went through the encoder."""


def train(cell: Cell, model: Model, images: Tensor, labels: Tensor, on_epoch: Callable[[Row], None]) -> Outcome:
    """Train `model` in place on uint8 images [N, C, H, W] and labels [N] (-1: unlabelled).

    Calls `on_epoch` with each finished epoch's row: mean losses, learning rate, effective rank of the last
    batch's embeddings. A loss that is not finite ends the run at once, before that step is taken. A last
    batch that is not full is left out; the order is new each epoch.
    """
    trainer = Trainer(cell, model, images, labels)
    outcome = Outcome()
    for epoch in range(cell.training.epochs):
        try:
            row = trainer.epoch(epoch)
        except NotFiniteError as error:
            outcome.diverged = str(error)
            break
        outcome.history.append(row)
        on_epoch(row)
    outcome.views = trainer.views
    return outcome


class NotFiniteError(Exception):
    """The loss is NaN or infinite."""


class Trainer:
    """The state of a run between two steps."""

    def __init__(self, cell: Cell, model: Model, images: Tensor, labels: Tensor):
        self.cell, self.model, self.images, self.labels = cell, model, images, labels
        self.steps_per_epoch = len(images) // cell.training.batch_size
        names = model.method.views or (cell.augmentation.name,) * 2
        self.recipes = [recipe(name) for name in names]
        self.optimizer = build_optimizer(model.parameters(), cell.training)
        self.teacher = _Teacher(model)
        self.views = 0
        for module in (model.encoder, model.head, model.method):
            module.train()

    def epoch(self, epoch: int) -> Row:
        """One pass over the data in a new order. Returns the epoch's row. Raises NotFiniteError."""
        order = seeds.numpy_generator(self.cell.seed, "order", epoch).permutation(len(self.images))
        size = self.cell.training.batch_size
        rows = [
            self.step(epoch, step, order[step * size : (step + 1) * size])
            for step in range(self.steps_per_epoch)
        ]
        means = {
            name: sum(row[name] for row in rows) / len(rows) for name in rows[0] if name.startswith("loss")
        }
        return {"epoch": epoch + 1} | rows[-1] | means

    def step(self, epoch: int, step: int, chosen: np.ndarray) -> Row:
        """One step on the chosen images. Raises NotFiniteError before anything is changed."""
        index_B = torch.from_numpy(chosen).to(self.images.device)
        view_VBCHW = draw_views(self.images[index_B], self.recipes, self.cell.seed, epoch, step)
        batch = self.model.embed(view_VBCHW, self.labels[index_B], index_B)
        batch.teacher = self.teacher.embed(view_VBCHW, batch)
        losses = self.model.method.loss(batch)
        row: Row = {f"loss_{name}": value.item() for name, value in losses.items()}
        if not all(math.isfinite(value) for value in row.values()):
            raise NotFiniteError(f"loss not finite at epoch {epoch + 1}, step {step + 1}")
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        position = epoch * self.steps_per_epoch + step
        row["learning_rate"] = learning_rate(position, self.steps_per_epoch, self.cell.training)
        set_learning_rate(self.optimizer, row["learning_rate"])
        self.optimizer.step()
        self.teacher.update(self.model)
        self.views += len(self.recipes) * len(chosen)
        if step == self.steps_per_epoch - 1:
            singular = geometry.singular_values(normalised(batch.z_VBD[0].detach()))
            row["effective_rank"] = geometry.effective_rank(singular)
        return row


def draw_views(image_BCHW: Tensor, recipes: list[Recipe], seed: int, epoch: int, step: int) -> Tensor:
    """One augmented copy of the batch per recipe, float32 [V, B, C, H, W].

    The generator belongs to (seed, epoch, step), so the views of a step do not depend on what ran before.
    """
    generator = torch.Generator(image_BCHW.device)
    generator.manual_seed(seeds.integer(seed, "augment", epoch, step))
    return torch.stack([augment(image_BCHW, generator) for augment in recipes])


class _Teacher:
    """The exponential moving average of encoder and head, for methods that ask for one."""

    def __init__(self, model: Model):
        self.momentum = model.method.teacher_momentum
        self.copy: Model | None = None
        if self.momentum is not None:
            self.copy = Model(copy.deepcopy(model.encoder), copy.deepcopy(model.head), model.method)

    def embed(self, view_VBCHW: Tensor, batch: Embedded) -> Embedded | None:
        if self.copy is None:
            return None
        with torch.no_grad():
            return self.copy.embed(view_VBCHW, batch.y_B, batch.index_B)

    @torch.no_grad()
    def update(self, model: Model) -> None:
        if self.copy is None or self.momentum is None:
            return
        for ours, theirs in ((self.copy.encoder, model.encoder), (self.copy.head, model.head)):
            for average, current in zip(ours.parameters(), theirs.parameters(), strict=True):
                average.lerp_(current, 1 - self.momentum)
