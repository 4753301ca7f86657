"""The simulation of the theory, against a plain formula under autograd, hand calculations and known limits."""

import math

import pytest
import torch

from clopbench.cell import Cell, MethodConfig
from clopbench.errors import UserError
from clopbench.studies import SphereStudy
from clopbench.training import sphere, sphere_measures
from clopbench.training.sphere import Objective
from clopbench.training.studying import simulate

RATES = [0.25, 0.5, 1.0, 1.5, 2.0]


def study(**changes) -> SphereStudy:
    settings = {"points": 24, "dim": 6, "start_mean": 0.2, "rates": RATES, "steps": 3}
    return SphereStudy(kind="sphere", **(settings | changes))


def sphere_cell(cell, method="simclr", of=None, **parameters) -> Cell:
    config = MethodConfig(name=method, version=1, parameters={"temperature": 0.2} | parameters)
    return cell.model_copy(update={"method": config, "study": of or study()})


def clop_cell(cell, of, **parameters) -> Cell:
    given = {"base": "simclr", "prototypes": "orthonormal", "similarity": "cosine", "weight": 1.5}
    return sphere_cell(cell, "clop", of, **(given | parameters))


def plain_gradient(objective: Objective, z_PD: torch.Tensor) -> torch.Tensor:
    """Written term by term from the paper's definition; the sphere's tangent part by projection."""
    z_PD = z_PD.clone().requires_grad_()
    of, tau = objective.study, objective.temperature
    total, count = torch.zeros(()).double(), len(z_PD)
    for i in range(count):
        positive = i if of.positives == "merged" else (i + of.points) % count
        others = [a for a in range(count) if a != i]
        numerator = (z_PD[i] @ z_PD[positive] / tau).exp()
        total = total - (numerator / sum((z_PD[i] @ z_PD[a] / tau).exp() for a in others)).log()
    if objective.prototype_KD is not None and objective.shown_N is not None:
        pulls = [
            1 - z_PD[i] @ objective.prototype_KD.double()[label]
            for i in range(count)
            if (label := int(objective.shown_N[i % of.points])) >= 0
        ]
        total = total + objective.weight * count * sum(pulls) / len(pulls)
    (gradient_PD,) = torch.autograd.grad(total, z_PD)
    z_PD = z_PD.detach()
    return gradient_PD - (gradient_PD * z_PD).sum(1, keepdim=True) * z_PD


@pytest.mark.parametrize("positives", ["merged", "views"])
@pytest.mark.parametrize("method", ["simclr", "clop"])
def test_gradient_is_that_of_the_plain_formula(cell, plugins, method, positives):
    of = study(positives=positives, apart=40.0 if positives == "views" else 0.0, classes=4, label_fraction=0.5)
    chosen = sphere_cell(cell, of=of) if method == "simclr" else clop_cell(cell, of)
    objective = sphere.objective(chosen, of, plugins)
    z_PD = sphere.start(of, 3)
    torch.testing.assert_close(objective.gradient(z_PD), plain_gradient(objective, z_PD), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mean", [0.1, 0.7])
def test_two_points_by_hand(mean):
    """The loss of two points with cosine c is 2c/τ. Their mean's norm is √((1 + c)/2).

    The gradient of one is (2/τ)(z₂ − c z₁), so the mean of both is (2/τ)(1 − c) m, and 1 − c = 2(1 − |m|²).
    """
    of = study(points=2, dim=5, start_mean=mean, rates=[0.5, 2.0])
    objective, z_PD = Objective(of, 0.3), sphere.start(of, 0)
    metrics = sphere_measures.one_step(objective, z_PD, of.rates)
    pull_back = 4 * (1 - mean**2)
    assert metrics["pull_back"] == pytest.approx(pull_back, rel=1e-9)
    assert metrics["sideways"] == pytest.approx(0, abs=1e-9)
    for rate in of.rates:
        assert metrics[f"ratio_{rate:g}"] == pytest.approx((1 - rate * pull_back) ** 2, rel=1e-8)
    # On the sphere: the two stay mirror images, at an angle to the mean whose tangent a step multiplies.
    angle = math.acos(mean)
    along, across = mean * (1 - 0.5 * pull_back), math.sin(angle) * (1 + 0.5 * 4 * mean**2)
    turned = (along / math.hypot(along, across) / mean) ** 2
    assert metrics["ratio_on_sphere_0.5"] == pytest.approx(turned, rel=1e-8)


def test_factor_of_the_paper_within_its_assumptions(cell, plugins):
    """Many points in many dimensions, positives merged: the squared norm goes with (1 − 2η/τ)².

    To a few per cent; one step at η = τ/2 takes the mean away.
    """
    of = study(points=1024, dim=128, start_mean=0.1)
    metrics, _ = simulate(sphere_cell(cell, of=of), of, plugins)
    expected = {0.25: 0.25, 0.5: 0.0, 1.0: 1.0, 1.5: 4.0, 2.0: 9.0}
    for rate, factor in expected.items():
        assert metrics[f"ratio_{rate:g}"] == pytest.approx(factor, rel=0.1, abs=0.01)


def test_start_has_the_mean_that_was_asked_for():
    for changes in ({}, {"start_mean": 0.9, "dim": 64}, {"start_mean": 0.001}, {"points": 3, "dim": 2}):
        of = study(**changes)
        z_PD = sphere.start(of, 1)
        assert z_PD.dtype == torch.float64
        torch.testing.assert_close(z_PD.norm(dim=1), torch.ones(of.points).double(), rtol=0, atol=1e-12)
        assert z_PD.mean(0).norm().item() == pytest.approx(of.start_mean, abs=1e-12)
    assert not sphere.start(study(), 0).equal(sphere.start(study(), 1))


def test_views_part_by_the_angle_and_share_the_mean():
    z_PD = sphere.start(study(positives="views", apart=60.0), 0)
    first, second = z_PD.chunk(2)
    torch.testing.assert_close((first * second).sum(1), torch.full((24,), 0.5).double(), rtol=0, atol=1e-12)
    assert z_PD.mean(0).norm().item() == pytest.approx(0.2 * math.cos(math.radians(30)), abs=1e-12)


@pytest.mark.parametrize("positives", ["merged", "views"])
def test_lemma_1_and_what_the_term_does_to_it(cell, plugins, positives):
    """Equal or co-linear embeddings are stationary under InfoNCE; with the pull to prototypes they are not."""
    of = study(positives=positives)
    alone, _ = simulate(sphere_cell(cell, of=of), of, plugins)
    assert max(alone["gradient_equal"], alone["gradient_colinear"]) < 1e-12
    of = study(positives=positives, classes=4)
    pulled, _ = simulate(clop_cell(cell, of), of, plugins)
    assert min(pulled["gradient_equal"], pulled["gradient_colinear"]) > 0.01


def test_safe_range_of_the_paper_by_hand():
    """σ² = 0.75 and |N| = 3: 0.75 · 4 / 6 = 1/2, so 1/2 · (1 ∓ 1/2)."""
    assert sphere_measures.predicted_range(0.75, 3) == (0.25, 0.75)
    of = study(points=13, positives="views")
    assert Objective(of, 0.2).negatives == 24
    assert Objective(study(points=13), 0.2).negatives == 12


def test_measured_range_ends_where_the_norm_is_as_before(cell, plugins):
    of = study(points=200, dim=32)
    objective = sphere.objective(sphere_cell(cell, of=of), of, plugins)
    z_PD = sphere.start(of, 0)
    found = sphere_measures.safe_range(objective, z_PD)
    gradient = objective.gradient(z_PD)

    def norm(rate: float) -> float:
        after = z_PD - rate * 0.2 * gradient
        return (after / after.norm(dim=1, keepdim=True)).mean(0).norm().item()

    assert norm(found["shrinks_below"]) == pytest.approx(0.2, rel=1e-6)
    assert all(norm(found["shrinks_below"] * share) < 0.2 for share in (0.01, 0.3, 0.6, 0.99))
    grid = [norm(found["shrinks_below"] * k / 400) for k in range(401)]
    assert found["best_rate"] == pytest.approx(found["shrinks_below"] * grid.index(min(grid)) / 400, abs=0.005)


def test_history_and_ends_agree(cell, plugins):
    of = study()
    metrics, history = simulate(sphere_cell(cell, of=of), of, plugins)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert all(history[-1][f"mean_norm_{rate:g}"] == metrics[f"mean_norm_{rate:g}"] for rate in RATES)
    assert history[0]["mean_norm_0.25"] ** 2 == pytest.approx(0.2**2 * metrics["ratio_on_sphere_0.25"])


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [
        ("supcon", {"variant": "out"}, "method simclr, or clop with base simclr, not supcon"),
        ("clop", {"base": "supcon"}, "method simclr, or clop with base simclr, not clop supcon"),
    ],
)
def test_other_methods_are_refused(cell, plugins, method, parameters, message):
    with pytest.raises(UserError, match=message):
        sphere.objective(sphere_cell(cell, method, **parameters), study(), plugins)
