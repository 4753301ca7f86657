"""The probe that is trained on augmented images, against plain numpy and against its own interruption."""

import os

import numpy as np
import pytest
import torch
from checkout import pixels_of
from torch import nn

from clopbench.cell import Cell
from clopbench.data.augment import to_float
from clopbench.errors import UserError
from clopbench.evaluation.trained_probe import MOMENTUM, ProbeTraining
from clopbench.training.feed import Resident
from clopbench.training.model import Model, build_model

SETTINGS = {
    "probe": "sgd",
    "probe_epochs": 4,
    "probe_batch_size": 64,
    "probe_learning_rate": 0.5,
    "probe_weight_decay": 0.01,
    "probe_augmentation": "none",
}


@pytest.fixture(scope="module")
def digits():
    data = pixels_of("digits")
    train, test = (Resident(torch.from_numpy(part.images[:200])) for part in (data.train, data.test))
    return train, torch.from_numpy(data.train.labels[:200]), test, torch.from_numpy(data.test.labels[:200])


def with_probe(cell: Cell, **changes) -> Cell:
    config = cell.config()
    config["evaluation"] |= SETTINGS | changes
    return Cell.from_config(config)


def probe_of(cell: Cell, plugins, digits, path, seconds=0.0) -> ProbeTraining:
    model = build_model(cell, plugins, 1, 10)
    model.encoder.eval()
    return ProbeTraining(cell, model, digits[0], 10, path / "probe.pt", seconds)


def by_hand(feature_NF, y_N, epochs, rate, decay):
    """Full-batch SGD with momentum from zero, the rate on half a cosine, in float64 numpy."""
    x = np.hstack([feature_NF, np.ones((len(feature_NF), 1))])
    weight, velocity = np.zeros((x.shape[1], 10)), np.zeros((x.shape[1], 10))
    for epoch in range(epochs):
        score = x @ weight
        p = np.exp(score - score.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(x)), y_N] -= 1
        velocity = MOMENTUM * velocity + x.T @ p / len(x) + decay * weight
        weight = weight - rate * (1 + np.cos(np.pi * epoch / epochs)) / 2 * velocity
    return weight


@pytest.mark.parametrize("normalised", [False, True])
def test_sgd_without_augmentation_is_gradient_descent(cell, plugins, digits, tmp_path, normalised):
    wanted = with_probe(cell, probe_batch_size=200, probe_normalised=normalised)
    probe = probe_of(wanted, plugins, digits, tmp_path)
    linear = probe._train("all", digits[1])
    with torch.no_grad():
        feature = probe.model.encoder(to_float(digits[0].image_NCHW)).double().numpy()
    if normalised:
        feature /= np.linalg.norm(feature, axis=1, keepdims=True)
    weight = by_hand(feature, digits[1].numpy(), 4, 0.5, 0.01)
    ours = torch.cat([linear.weight.T, linear.bias[None]]).detach().numpy()
    np.testing.assert_allclose(ours, weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "lars"])
def test_a_trained_probe_learns_from_labelled_images_only(cell, plugins, digits, tmp_path, optimizer):
    _, y_N, test, y_M = digits
    rate = {"sgd": 5.0, "lars": 100.0}[optimizer]
    changes = {"probe": optimizer, "probe_epochs": 30, "probe_weight_decay": 0.0, "probe_learning_rate": rate}
    wanted = with_probe(cell, probe_normalised=True, **changes)
    top1, top5 = probe_of(wanted, plugins, digits, tmp_path).accuracy("all", y_N, test, y_M)
    assert top5 >= top1 > 0.4  # Features of an untrained network; chance is 0.1.
    hidden = torch.where(y_N < 5, y_N, -1)
    few, _ = probe_of(wanted, plugins, digits, tmp_path).accuracy("labelled", hidden, test, y_M)
    assert few <= (y_M < 5).double().mean().item()


def test_a_probe_that_is_interrupted_ends_in_the_same_bits(cell, plugins, digits, tmp_path, monkeypatch):
    wanted = with_probe(cell, probe_augmentation="digits")
    whole = probe_of(wanted, plugins, digits, tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    expected = whole._train("all", digits[1])
    (tmp_path / "cut").mkdir()
    cut = probe_of(wanted, plugins, digits, tmp_path / "cut")
    epochs = []

    def die(chosen, epoch):
        epochs.append(epoch)
        if epoch == 2:
            raise KeyboardInterrupt
        return type(cut)._epoch(cut, chosen, epoch)

    monkeypatch.setattr(cut, "_epoch", die)
    with pytest.raises(KeyboardInterrupt):
        cut._train("all", digits[1])
    again = probe_of(wanted, plugins, digits, tmp_path / "cut")
    monkeypatch.setattr(again, "_epoch", lambda c, e: epochs.append(e) or type(again)._epoch(again, c, e))
    linear = again._train("all", digits[1])
    assert epochs == [0, 1, 2, 2, 3]
    assert linear.weight.equal(expected.weight) and linear.bias.equal(expected.bias)


def test_a_saved_probe_of_other_weights_is_not_used(cell, plugins, digits, tmp_path):
    wanted = with_probe(cell)
    probe = probe_of(wanted, plugins, digits, tmp_path)
    probe._train("all", digits[1])
    assert set(probe._load()) == {"all"}
    next(probe.model.encoder.parameters()).data[0] += 1
    assert probe._load() == {}
    probe.path.write_bytes(b"junk")
    assert probe._load() == {}
    probe.path.unlink()
    os.mkfifo(probe.path)
    assert probe._load() == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probe_learning_rate": None}, "probe sgd needs a probe_learning_rate"),
        ({"probe": "lbfgs", "probe_learning_rate": None}, "goes with probe sgd or lars only"),
        ({"probe": "adam"}, "'lbfgs', 'sgd' or 'lars'"),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(cell, changes, words):
    with pytest.raises(UserError, match=words):
        with_probe(cell, **changes)


def test_a_compiled_model_trains_as_the_plain_one(cell, plugins):
    """One forward and backward pass; weights keep their names, so that checkpoints and teachers fit."""
    image = torch.rand(2, 8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels, gradients = torch.zeros(8).long(), []
    names = []
    for compiled in (False, True):
        model = build_model(cell, plugins, 1, 10)
        if compiled:
            model.compile()
        assert isinstance(model, Model)
        model.method.loss(model.embed(image, labels, labels))["total"].backward()
        names.append([name for module in model.modules().values() for name in module.state_dict()])
        parameters: list[nn.Parameter] = model.parameters()
        gradients.append(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]))
    assert names[0] == names[1]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)
