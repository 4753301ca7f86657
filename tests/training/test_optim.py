"""Optimisers and schedules against float64 numpy, torch's own and hand calculations."""

import copy
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from clopbench.cell import TrainingConfig
from clopbench.errors import UserError
from clopbench.training.lars import LARS
from clopbench.training.lean import lean
from clopbench.training.optim import build_optimizer, learning_rate, peak_learning_rate, set_learning_rate

CONFIG = TrainingConfig(
    epochs=10, batch_size=1024, learning_rate=0.3, momentum=0.9, weight_decay=0.01, warmup_epochs=0
)
SHAPES = {
    "conv": (4, 3, 3, 3),
    "linear": (5, 4),
    "bias": (5,),
    "scale": (3,),
    "temperature": (),
    "zero": (2, 3),
}
ZEROS = {"zero", "bias"}
"""Tensors that begin at zero, as a batch norm's shift does."""


def changed(**settings):
    return CONFIG.model_copy(update=settings)


def starting_values():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape) * (name not in ZEROS) for name, shape in SHAPES.items()}


def gradients(steps, without=()):
    """Per step and tensor; None where a tensor has no gradient in that step."""
    rng = np.random.default_rng(1)
    drawn = [{name: rng.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(steps)]
    for step, name in without:
        drawn[step][name] = None
    return drawn


def simclr_lars(value, gradient_steps, rates, *, momentum, decay, trust, adapted, at_zero):
    """One tensor through google-research/simclr's classic momentum, in float64, written from its formulas."""
    w, v, path = np.array(value, np.float64), np.zeros_like(value), []
    for g, rate in zip(gradient_steps, rates, strict=True):
        if g is not None:
            d = g + decay * w if adapted else g
            norms = math.sqrt((w * w).sum()), math.sqrt((d * d).sum())
            local = (trust * norms[0] / norms[1] if min(norms) > 0 else at_zero) if adapted else 1.0
            v = momentum * v + rate * local * d
            w = w - v
        path.append(w)
    return path


def parameters(values, dtype=torch.float64):
    return {name: nn.Parameter(torch.tensor(value, dtype=dtype)) for name, value in values.items()}


def run(optimizer, weights, gradient_steps, rates):
    """Take the steps; a copy of every tensor after each."""
    path = []
    for drawn, rate in zip(gradient_steps, rates, strict=True):
        for name, weight in weights.items():
            weight.grad = None if drawn[name] is None else torch.tensor(drawn[name], dtype=weight.dtype)
        set_learning_rate(optimizer, rate)
        optimizer.step()
        path.append({name: weight.detach().clone() for name, weight in weights.items()})
    return path


RATES = [0.5, 1.0, 2.0, 1.5, 1.0, 0.25, 0.0]


@pytest.mark.parametrize("adapt_all", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_lars_step_by_step(adapt_all, weight_decay, dtype, rtol):
    """Seven steps under a changing rate; one tensor lacks a gradient in step 3, one has zeros in step 2."""
    values, drawn = starting_values(), gradients(len(RATES), without=[(2, "linear")])
    drawn[1]["conv"] = np.zeros(SHAPES["conv"])
    weights = parameters(values, dtype)
    config = changed(
        optimizer="lars", lars_adapt_all=adapt_all, lars_trust=0.01, weight_decay=weight_decay, momentum=0.8
    )
    path = run(build_optimizer(weights.values(), config), weights, drawn, RATES)
    for name in SHAPES:
        expected = simclr_lars(
            values[name],
            [step[name] for step in drawn],
            RATES,
            momentum=0.8,
            decay=weight_decay,
            trust=0.01,
            adapted=adapt_all or len(SHAPES[name]) > 1,
            at_zero=0.0 if adapt_all else 1.0,
        )
        for ours, theirs in zip(path, expected, strict=True):
            np.testing.assert_allclose(ours[name].numpy(), theirs, rtol=rtol, atol=rtol)


def test_lars_by_hand():
    """‖w‖ = 5, d = g + 0.1 w = (0, 4 + 0.4) for w = (3, 4), g = (−0.3, 4): λ = 0.01 · 5 / 4.4."""
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    weight.grad = torch.tensor([[-0.3, 4.0]])
    LARS([weight], 2.0, weight_decay=0.1, trust=0.01).step()
    torch.testing.assert_close(weight.detach(), torch.tensor([[3.0, 4.0 - 2 * 0.01 * 5]]))
    torch.testing.assert_close(weight.grad, torch.tensor([[-0.3, 4.0]]))  # Left as it was.


def test_lars_does_not_see_a_gradients_scale_except_for_biases():
    for scale in (1.0, 1e3):
        weights = parameters({"linear": np.ones((2, 2)), "bias": np.ones(2)})
        drawn = [{"linear": scale * np.eye(2), "bias": np.ones(2)}]
        run(LARS(weights.values(), 1.0, trust=0.5), weights, drawn, [1.0])
        # Step of length 0.5 · 2 along eye / √2.
        expected = torch.ones(2, 2) - torch.eye(2) / math.sqrt(2)
        torch.testing.assert_close(weights["linear"].detach(), expected.double())
        torch.testing.assert_close(weights["bias"].detach(), torch.zeros(2).double())


@pytest.mark.parametrize(("adapt_all", "moves"), [(False, True), (True, False)])
def test_a_shift_that_begins_at_zero_moves_unless_the_authors_are_followed(adapt_all, moves):
    norm = nn.BatchNorm1d(3)
    optimizer = build_optimizer(norm.parameters(), changed(optimizer="lars", lars_adapt_all=adapt_all))
    for _ in range(3):
        optimizer.zero_grad()
        (norm(torch.rand(8, 3)) - 1).square().sum().backward()
        optimizer.step()
    assert (norm.bias != 0).all() == moves
    assert (norm.bias == 0).all() != moves
    assert norm.weight.isfinite().all()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lars"])
def test_a_resumed_optimiser_takes_the_same_steps(optimizer, tmp_path):
    """Three steps, a state through a file, four steps: bit for bit the seven steps in one go."""
    drawn, values = gradients(7), starting_values()
    config = changed(optimizer=optimizer, lars_trust=0.02)
    whole = parameters(values, torch.float32)
    straight = run(build_optimizer(whole.values(), config), whole, drawn, RATES)
    weights = parameters(values, torch.float32)
    first = build_optimizer(weights.values(), config)
    run(first, weights, drawn[:3], RATES[:3])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    resumed = {name: nn.Parameter(weight.detach().clone()) for name, weight in weights.items()}
    second = build_optimizer(resumed.values(), config)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(second, resumed, drawn[3:], RATES[3:])
    for name, weight in resumed.items():
        assert weight.equal(straight[-1][name]), name
        assert not weight.equal(torch.tensor(values[name], dtype=torch.float32)), name


def test_lars_learns_in_channels_last():
    """The memory layout of the weights changes nothing, and buffers follow it."""
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)
    ).double()
    turned = copy.deepcopy(plain).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizers = [LARS(network.parameters(), 1.0, trust=0.05) for network in (plain, turned)]
    x = torch.rand(16, 3, 8, 8, dtype=torch.float64)
    y = torch.arange(16) % 4
    losses = []
    for _ in range(20):
        for network, optimizer in zip((plain, turned), optimizers, strict=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    for ours, theirs in zip(turned.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    buffer = optimizers[1].state[next(turned.parameters())]["momentum_buffer"]
    assert buffer.is_contiguous(memory_format=torch.channels_last)


def test_sgd_keeps_its_bits():
    """The optimiser of the published records, spelled out."""
    drawn, values = gradients(7), starting_values()
    ours, theirs = (parameters(values, torch.float32) for _ in range(2))
    path = run(build_optimizer(ours.values(), CONFIG), ours, drawn, RATES)
    peer = torch.optim.SGD(theirs.values(), lr=0.3, momentum=0.9, weight_decay=0.01)
    for step, expected in zip(path, run(peer, theirs, drawn, RATES), strict=True):
        assert all(step[name].equal(expected[name]) for name in SHAPES)


def test_adamw_is_torchs_with_momentum_as_its_first_beta():
    drawn, values = gradients(7), starting_values()
    ours, theirs = (parameters(values) for _ in range(2))
    path = run(build_optimizer(ours.values(), changed(optimizer="adamw", momentum=0.7)), ours, drawn, RATES)
    peer = torch.optim.AdamW(theirs.values(), lr=0.3, betas=(0.7, 0.999), weight_decay=0.01)
    expected = run(peer, theirs, drawn, RATES)
    for name in SHAPES:
        torch.testing.assert_close(path[-1][name], expected[-1][name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "rate", "batch", "expected"),
    [
        ("constant", 0.1, 4096, 0.1),
        ("linear", 0.3, 4096, 4.8),
        ("sqrt", 0.075, 4096, 4.8),
        ("sqrt", 0.075, 1024, 2.4),
    ],
)
def test_rules_give_simclrs_rates(rule, rate, batch, expected):
    """Both of SimCLR's rules give 4.8 at a batch of 4096 (Chen et al. 2020, appendix B.1)."""
    config = changed(learning_rate_rule=rule, learning_rate=rate, batch_size=batch)
    assert peak_learning_rate(config) == pytest.approx(expected)
    assert learning_rate(0, 5, config) == pytest.approx(expected)
    assert build_optimizer([nn.Parameter(torch.ones(1))], config).param_groups[0]["lr"] == pytest.approx(
        expected
    )


def scheduled(epochs, length):
    """torch's cosine of `length` units, stepped `epochs` times."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=length)
    rates = []
    for _ in range(epochs):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def test_the_authors_schedule_is_torchs_cosine_stepped_once_an_epoch():
    config = changed(schedule="authors", epochs=20)
    expected = np.repeat(scheduled(20, 20 * 7), 7)
    ours = [learning_rate(step, 7, config) for step in range(140)]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert ours[-1] > 0.95 * 0.3  # Hardly decays.


def test_the_authors_schedule_warms_up_by_epochs():
    config = changed(schedule="authors", warmup_epochs=4)
    ours = [learning_rate(step, 3, config) for step in range(30)]
    expected = [0.3 * part / 4 for part in (1, 2, 3, 4)] + scheduled(6, 30 - 4)
    np.testing.assert_allclose(ours, np.repeat(expected, 3), rtol=1e-12)


def test_the_cosine_schedule_is_torchs_stepped_every_step():
    ours = [learning_rate(step, 5, CONFIG) for step in range(50)]
    np.testing.assert_allclose(ours, scheduled(50, 50), rtol=1e-9)


def build(config):
    build_optimizer([nn.Parameter(torch.ones(1))], config)


def rate(config):
    learning_rate(0, 1, config)


@pytest.mark.parametrize(
    ("settings", "call", "message"),
    [
        ({"optimizer": "lasr"}, build, "unknown training.optimizer 'lasr': did you mean 'lars'?"),
        ({"learning_rate_rule": "root"}, build, "unknown training.learning_rate_rule 'root':"),
        ({"schedule": "cosin"}, rate, "unknown training.schedule 'cosin': did you mean 'cosine'?"),
        (
            {"optimizer": "lars", "lars_trust": 0.0},
            build,
            "training.lars_trust: must be above 0, 0 was given",
        ),
        (
            {"optimizer": "lars", "momentum": -1.0},
            build,
            "training.momentum: must be at least 0, -1 was given",
        ),
    ],
)
def test_bad_settings_are_refused_in_one_line(settings, call, message):
    """model_copy does not validate, so these reach the functions as another caller's might."""
    config = changed(**settings)
    with pytest.raises(UserError) as refused:
        call(config)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


LEAN = """
import sys, torch
from clopbench.training.lean import keep_compiler_out, lean
keep_compiler_out()
for kind in (torch.optim.SGD, torch.optim.AdamW):
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = lean(kind)([weight], lr=0.1)
    weight.square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
    assert weight.ne(1).all()
print("torch._dynamo" in sys.modules)
"""


def test_an_optimiser_does_not_import_the_compiler(environment):
    done = subprocess.run(
        [sys.executable, "-c", LEAN], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}), (torch.optim.AdamW, {"weight_decay": 0.1})],
    ids=["sgd", "adamw"],
)
def test_a_lean_optimiser_takes_torchs_steps_bit_by_bit(kind, settings):
    weights = [[torch.nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4))] for _ in range(2)]
    optimizers = [
        made(weight, lr=0.3, **settings) for made, weight in zip((kind, lean(kind)), weights, strict=True)
    ]
    for _ in range(4):
        for optimizer, (weight,) in zip(optimizers, weights, strict=True):
            optimizer.zero_grad()
            (weight - 0.2).pow(4).sum().backward()
            optimizer.step()
    assert weights[0][0].equal(weights[1][0])
