"""The right order, rates and labels of a step reach the place where they are used: through the Trainer."""

import math

import numpy as np
import pytest
import torch
from checkout import pixels_of

from clopbench.cell import Cell, TrainingConfig
from clopbench.contrastive import label_groups, supcon
from clopbench.method import Method
from clopbench.training.feed import Resident
from clopbench.training.loop import Trainer
from clopbench.training.model import Model

SCHEDULE = TrainingConfig(
    epochs=4, batch_size=4, learning_rate=0.8, momentum=0.9, weight_decay=0.0, warmup_epochs=2
)


class Recorder(Method):
    """Remembers which images and labels it was given, and returns the losses that it is told to."""

    name, version = "recorder", 1

    def __init__(self, **losses: float):
        super().__init__()
        self.losses = losses
        self.index: list[int] = []
        self.labels: list[int] = []

    def loss(self, batch):
        self.index += batch.index_B.tolist()
        self.labels += batch.y_B.tolist()
        zero = 0 * batch.z_VBD.sum()
        return {"total": 1e-3 * batch.z_VBD.square().mean(), **{k: zero + v for k, v in self.losses.items()}}


def trainer_of(cell: Cell, method: Recorder, count: int = 12) -> Trainer:
    """A trainer of a linear network on `count` digits, whose labels are their positions plus 100."""
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8))
    model = Model(encoder, torch.nn.Linear(8, 4), method, torch.Generator())
    short = cell.model_copy(update={"training": SCHEDULE})
    images = torch.from_numpy(pixels_of("digits").train.images[:count])
    return Trainer(short, model, Resident(images), torch.arange(count) + 100)


def test_every_epoch_sees_every_image_once_in_an_order_of_its_own(cell):
    method = Recorder()
    trainer_of(cell, method).run(lambda _: None, lambda _: None)
    orders = np.reshape(method.index, (4, 12))
    assert (np.sort(orders) == np.arange(12)).all()
    assert len({tuple(order) for order in orders}) == 4
    assert method.labels == [index + 100 for index in method.index]


def test_the_optimiser_steps_at_the_rate_of_its_step(cell):
    """Warm-up over 2 · 3 steps to 0.8, then half a cosine over the other 6, written out by hand."""
    trainer = trainer_of(cell, Recorder())
    seen: list[float] = []
    real = trainer.optimizer.step

    def step():
        seen.append(trainer.optimizer.param_groups[0]["lr"])
        real()

    trainer.optimizer.step = step  # pyright: ignore[reportAttributeAccessIssue]
    trainer.run(lambda _: None, lambda _: None)
    warm = [0.8 * (step + 1) / 6 for step in range(6)]
    cosine = [0.4 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert seen == pytest.approx(warm + cosine)
    assert [row["learning_rate"] for row in trainer.history] == pytest.approx(seen[2::3])


@pytest.mark.parametrize("losses", [{"total": math.nan, "pull": 1.0}, {"pull": math.inf}, {"pull": -math.inf}])
def test_any_part_of_the_loss_that_is_not_finite_is_divergence(cell, losses):
    trainer = trainer_of(cell, Recorder(**losses))
    before = [p.detach().clone() for p in trainer.model.parameters()]
    trainer.run(lambda _: None, lambda _: None)
    assert trainer.diverged is not None and "epoch 1, step 1" in trainer.diverged
    assert all(a.equal(b) for a, b in zip(before, trainer.model.parameters(), strict=True))


LABELS = [[-1, 0, 1, 1], [-1, -1, 2, 2], [-1, 3, -1, 3], [0, -1, 1, -1], [-1, -1, -1, -1]]


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_an_unlabelled_image_is_alone_with_its_views_wherever_it_stands(labels):
    groups = label_groups(torch.tensor(labels)).tolist()
    for i, first in enumerate(labels):
        for j, second in enumerate(labels):
            assert (groups[i] == groups[j]) == (i == j or (first == second and first >= 0))


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_supcon_pulls_an_unlabelled_image_to_its_own_view_only(labels):
    """Khosla et al. 2020, equation 2 (L_out), as loops; an unlabelled image's positive is its other view."""
    generator = torch.Generator().manual_seed(0)
    z_VBD = torch.nn.functional.normalize(
        torch.randn(2, 4, 5, dtype=torch.float64, generator=generator), dim=-1
    )
    z, owner, total = z_VBD.reshape(8, 5), [0, 1, 2, 3] * 2, 0.0
    for i in range(8):
        scores = {a: math.exp((z[i] @ z[a]).item() / 0.5) for a in range(8) if a != i}
        positives = [a for a in scores if owner[a] == owner[i] or labels[owner[a]] == labels[owner[i]] >= 0]
        total -= sum(math.log(scores[a] / sum(scores.values())) for a in positives) / len(positives)
    assert supcon(z_VBD, torch.tensor(labels), 0.5).item() == pytest.approx(total / 8)
