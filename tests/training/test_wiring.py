"""The right order, rates and labels of a step reach the place where they are used: through the Trainer."""

import copy
import math
import time

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


def test_images_that_fill_no_batch_are_left_out_of_an_epoch(cell):
    method = Recorder()
    trainer = trainer_of(cell, method, count=15)
    trainer.run(lambda _: None, lambda _: None)
    assert [len(set(epoch)) for epoch in np.reshape(method.index, (4, 12))] == [12] * 4
    assert trainer.views == 4 * 12 * 2


def test_what_follows_a_step_is_told_of_each_once_and_where_it_stands(cell):
    trainer, told = trainer_of(cell, Recorder()), []
    begin = time.perf_counter()
    trainer.run(lambda it: told.append((it.epoch, it.step)), lambda row: told.append(row["epoch"]))
    assert 0 < trainer.seconds < time.perf_counter() - begin
    # The third step of an epoch is told as the start of the next, after the epoch's row.
    assert told == [entry for k in range(4) for entry in ((k, 1), (k, 2), k + 1, (k + 1, 0))]


class Counting(Recorder):
    """A loss part that says how many steps there were, and the last batch's embeddings."""

    def loss(self, batch):
        self.z_VBD = torch.nn.functional.normalize(batch.z_VBD.detach().double(), dim=-1)
        steps = len(self.index) / len(batch.index_B)
        return super().loss(batch) | {"steps": 0 * batch.z_VBD.sum() + steps}


def test_an_epochs_row_has_the_mean_losses_and_the_geometry_of_its_last_batch(cell):
    method, last = Counting(), []
    trainer = trainer_of(cell, method)
    trainer.run(lambda _: None, lambda _: last.append(method.z_VBD.numpy()))
    assert [row["epoch"] for row in trainer.history] == [1, 2, 3, 4]
    assert [row["loss_steps"] for row in trainer.history] == [1, 4, 7, 10]  # Of 0 1 2, of 3 4 5, and so on.
    for row, (first_BD, second_BD) in zip(trainer.history, last, strict=True):
        singular = np.linalg.svd(first_BD, compute_uv=False) / 2  # √4 images.
        share = singular / singular.sum()
        assert row["effective_rank"] == pytest.approx(math.exp(-(share * np.log(share)).sum()), rel=1e-4)
        assert row["alignment"] == pytest.approx(((first_BD - second_BD) ** 2).sum(1).mean(), rel=1e-4)


class Blind(Method):
    """Its loss does not see that the embeddings are not finite."""

    name, version = "blind", 1

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def loss(self, batch):
        return {"total": self.weight.square()}


def test_embeddings_that_are_not_finite_end_a_run_with_their_epoch(cell):
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8))
    head = torch.nn.Linear(8, 4)
    torch.nn.init.constant_(head.bias, math.nan)
    short = cell.model_copy(update={"training": SCHEDULE})
    images = torch.from_numpy(pixels_of("digits").train.images[:12])
    model = Model(encoder, head, Blind(), torch.Generator())
    trainer = Trainer(short, model, Resident(images), torch.arange(12))
    trainer.run(lambda _: None, lambda _: None)
    assert trainer.diverged == "embeddings not finite at epoch 1, step 3"
    assert trainer.history == []


def test_a_state_goes_on_in_another_trainer_to_the_same_weights(cell):
    """Of the second epoch's second step, when momentum has built up; the other model begins elsewhere."""
    states = []

    def save(it):
        if (it.epoch, it.step) == (1, 2):
            it.best = {"epoch": 1}
            states.append(copy.deepcopy(it.state()))

    whole, other = trainer_of(cell, Recorder()), trainer_of(cell, Recorder())
    whole.run(save, lambda _: None)
    other.restore(states[0])
    assert (other.epoch, other.step, other.best) == (1, 2, {"epoch": 1})
    other.run(lambda _: None, lambda _: None)
    assert other.history == whole.history
    assert other.views == whole.views
    for name, module in whole.model.modules().items():
        for one, same in zip(module.parameters(), other.model.modules()[name].parameters(), strict=True):
            assert one.equal(same)
    with pytest.raises(ValueError, match="checkpoint of cell"):
        other.restore(states[0] | {"cell": "another"})


def test_a_trainer_trains_also_what_was_just_evaluated(cell):
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.BatchNorm1d(8)).eval()
    model = Model(encoder, torch.nn.Linear(8, 4), Recorder(), torch.Generator())
    Trainer(cell, model, Resident(torch.zeros(4, 1, 8, 8, dtype=torch.uint8)), torch.arange(4))
    assert all(module.training for module in model.encoder.modules())


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
