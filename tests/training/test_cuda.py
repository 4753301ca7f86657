"""What holds on a GPU: the same bits twice, resuming to them, and the numbers of a CPU where that is possible.

Skipped where there is no GPU. `pytest -m cuda` runs these and nothing else.
"""

import copy

import pytest
import torch
from batches import LABELLINGS, PLUGINS, batch_for, build
from checkout import pixels_of

from clopbench.evaluation import probe
from clopbench.launch.process import configure
from clopbench.training.feed import Resident
from clopbench.training.loop import Trainer
from clopbench.training.model import build_model

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def _as_in_a_cell():
    mode = torch.get_deterministic_debug_mode()
    configure(1)
    yield
    torch.set_deterministic_debug_mode(mode)


def trainer_of(cell, plugins, compiled=False, **changes) -> Trainer:
    training = cell.training.model_copy(
        update={"epochs": 3, "batch_size": 32, "warmup_epochs": 1, "precision": "bf16"} | changes
    )
    cell = cell.model_copy(update={"training": training})
    data = pixels_of("digits").train
    model = build_model(cell, plugins, 1, 10)
    for module in model.modules().values():
        module.to("cuda")
    model.encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if compiled:
        model.compile()
    images = Resident(torch.from_numpy(data.images[:128]).cuda())
    return Trainer(cell, model, images, torch.from_numpy(data.labels[:128]).cuda())


def trained(cell, plugins, **given) -> Trainer:
    trainer = trainer_of(cell, plugins, **given)
    trainer.run(lambda _: None, lambda _: None)
    assert trainer.diverged is None
    return trainer


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_cell_has_the_same_bits_twice(cell, plugins, precision):
    one, two = (trained(cell, plugins, precision=precision) for _ in range(2))
    assert weights(one).equal(weights(two))
    assert one.history == two.history


@pytest.mark.parametrize("step", [1, 4, 7])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lars"])
def test_resuming_ends_in_the_same_bits(cell, plugins, optimizer, step):
    states = []
    whole = trainer_of(cell, plugins, optimizer=optimizer)
    whole.run(lambda trainer: states.append(copy.deepcopy(trainer.state())), lambda _: None)
    fresh = trainer_of(cell, plugins, optimizer=optimizer)
    fresh.restore(states[step - 1])
    fresh.run(lambda _: None, lambda _: None)
    assert weights(fresh).equal(weights(whole))
    assert fresh.history == whole.history


def test_a_compiled_network_trains_close_to_the_plain_one(cell, plugins):
    plain, compiled = (trained(cell, plugins, compiled=which, precision="fp32") for which in (False, True))
    for one, other in zip(plain.history, compiled.history, strict=True):
        assert other["loss_total"] == pytest.approx(one["loss_total"], rel=0.02)


@pytest.mark.parametrize("labels", LABELLINGS.values(), ids=LABELLINGS)
@pytest.mark.parametrize("name", PLUGINS.names())
def test_losses_and_gradients_are_those_of_a_cpu(name, labels):
    method = build(name, {})
    data = batch_for(method, labels)
    expected = method.loss(data)["total"]
    gradients = torch.autograd.grad(expected, [data.z_VBD, data.h_VBF], allow_unused=True)
    method.to("cuda")
    for part in filter(None, (data, data.teacher)):
        for field in ("z_VBD", "h_VBF", "y_B", "index_B"):
            value = getattr(part, field).detach().cuda()
            setattr(part, field, value.requires_grad_() if value.is_floating_point() else value)
    found = method.loss(data)["total"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)
    theirs = torch.autograd.grad(found, [data.z_VBD, data.h_VBF], allow_unused=True)
    for one, other in zip(gradients, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(other.cpu(), one, rtol=1e-3, atol=1e-5)


def test_probe_and_neighbours_are_those_of_a_cpu():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(400, 12, generator=generator), torch.randint(5, (400,), generator=generator)
    x[:, :5] += 1.5 * torch.nn.functional.one_hot(y, 5)

    def judged(device):
        a, b, c, d = (part.to(device) for part in (x[:300], y[:300], x[300:], y[300:]))
        return [probe.linear_probe(a, b, c, d, 1.0), *probe.nearest_neighbours(a, b, c, d, [5, 20], 5)]

    for one, other in zip(judged("cuda"), judged("cpu"), strict=True):
        assert one == pytest.approx(other, abs=0.011)
