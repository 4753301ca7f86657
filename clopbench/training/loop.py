"""The training loop: batches, views, loss, step.

Shapes: V views, B images, C channels, H × W pixels, F features, D embedding dimensions.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

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


def train(
    cell: Cell, model: Model, images: Tensor, labels: Tensor, on_epoch: Callable[[Row], None]
) -> Outcome:
    """Train `model` in place on uint8 images [N, C, H, W] and labels [N] (-1: unlabelled).

    Calls `on_epoch` with each finished epoch's row: mean losses, learning rate, effective rank of the last
    batch's embeddings. A loss that is not finite ends the run at once, before that step is taken.
    """
    config = cell.training
    steps_per_epoch = len(images) // config.batch_size
    names = model.method.views or (cell.augmentation.name,) * 2
    recipes = [recipe(name) for name in names]
    optimizer = build_optimizer(model.parameters(), config)
    teacher = _Teacher(model)
    outcome = Outcome()
    for module in (model.encoder, model.head, model.method):
        module.train()

    for epoch in range(config.epochs):
        order = seeds.numpy_generator(cell.seed, "order", epoch).permutation(len(images))
        sums: dict[str, float] = {}
        for step in range(steps_per_epoch):
            chosen = order[step * config.batch_size : (step + 1) * config.batch_size]
            index_B = torch.from_numpy(chosen).to(images.device)
            view_VBCHW = draw_views(images[index_B], recipes, cell.seed, epoch, step)
            batch = model.embed(view_VBCHW, labels[index_B], index_B)
            batch.teacher = teacher.embed(view_VBCHW, batch)
            losses = model.method.loss(batch)
            values = {name: value.item() for name, value in losses.items()}
            rate = learning_rate(epoch * steps_per_epoch + step, steps_per_epoch, config)
            if not all(map(_finite, values.values())):
                outcome.diverged = f"loss not finite at epoch {epoch + 1}, step {step + 1}"
                return outcome
            optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()
            set_learning_rate(optimizer, rate)
            optimizer.step()
            teacher.update(model)
            outcome.views += len(recipes) * config.batch_size
            sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
        row: Row = {"epoch": epoch + 1, "learning_rate": rate}
        row |= {f"loss_{name}": value / steps_per_epoch for name, value in sums.items()}
        singular = geometry.singular_values(normalised(batch.z_VBD[0].detach()))
        row["effective_rank"] = geometry.effective_rank(singular)
        outcome.history.append(row)
        on_epoch(row)
    return outcome


def draw_views(image_BCHW: Tensor, recipes: list[Recipe], seed: int, epoch: int, step: int) -> Tensor:
    """One augmented copy of the batch per recipe, float32 [V, B, C, H, W].

    The generator belongs to (seed, epoch, step), so the views of a step do not depend on what ran before.
    """
    generator = torch.Generator(image_BCHW.device)
    generator.manual_seed(seeds.integer(seed, "augment", epoch, step))
    return torch.stack([augment(image_BCHW, generator) for augment in recipes])


def _finite(value: float) -> bool:
    return value - value == 0


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
