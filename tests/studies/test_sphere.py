"""The simulation of the theory, against a plain formula under autograd, hand calculations and known limits."""

import math

import numpy as np
import pytest
import torch
from checkout import some

from clopbench.cell import Cell, MethodConfig
from clopbench.errors import UserError
from clopbench.studies import sphere, sphere_measures
from clopbench.studies.sphere_objective import Objective, step
from clopbench.studies.study_kind import Outcome
from clopbench.studies.studying import study_of
from clopbench.study import SphereStudy

RATES = [0.25, 0.5, 1.0, 1.5, 2.0]


def study(**changes) -> SphereStudy:
    settings = {
        "points": 24,
        "dim": 6,
        "start_mean": 0.2,
        "rates": RATES,
        "long_rates": [0.25, 2.0],
        "steps": 3,
    }
    return SphereStudy(kind="sphere", **(settings | changes))


def made(cell: Cell, plugins) -> Outcome:
    def prepare(cell: Cell):
        raise AssertionError("a simulation trains nothing")

    return some(study_of(cell, plugins)).measure(prepare)


def simulated(cell: Cell, plugins) -> dict[str, float]:
    metrics = made(cell, plugins).metrics
    return {name: value for name, value in metrics.items() if value is not None}


def sphere_cell(cell, method="simclr", of=None, **parameters) -> Cell:
    config = MethodConfig(name=method, version=1, parameters={"temperature": 0.2} | parameters)
    return cell.model_copy(update={"method": config, "study": of or study()})


def clop_cell(cell, of, **parameters) -> Cell:
    given = {"base": "simclr", "prototypes": "orthonormal", "similarity": "cosine", "weight": 1.5}
    return sphere_cell(cell, "clop", of, **(given | parameters))


def plain_gradient(objective: Objective, z_PD: torch.Tensor) -> torch.Tensor:
    """Written term by term from the paper's definition; the part within the sphere by projection."""
    z_PD = z_PD.clone().requires_grad_()
    of, tau = objective.study, objective.temperature
    total, count = torch.zeros(()).double(), len(z_PD)
    for i in range(count):
        positive = (i + of.points) % count
        others = [a for a in range(count) if a != i]
        if of.positives == "merged":  # A constant on the sphere, and taken for one in the ambient space.
            total = total + torch.stack([z_PD[i] @ z_PD[a] / tau for a in others]).exp().sum().log()
            continue
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
    if of.gradient == "ambient":
        return gradient_PD
    return gradient_PD - (gradient_PD * z_PD).sum(1, keepdim=True) * z_PD


@pytest.mark.parametrize(
    "kind",
    [{"gradient": "ambient"}, {}, {"positives": "views"}, {"positives": "views", "apart": 40.0}],
    ids=["ambient", "tangent", "views", "apart"],
)
@pytest.mark.parametrize("method", ["simclr", "clop"])
def test_gradient_is_that_of_the_plain_formula(cell, plugins, method, kind):
    of = study(classes=4, label_fraction=0.5, **kind)
    chosen = sphere_cell(cell, of=of) if method == "simclr" else clop_cell(cell, of)
    objective = sphere.objective(chosen, of, plugins)
    z_PD = sphere.start(of, 3)
    torch.testing.assert_close(
        objective.gradient(z_PD), plain_gradient(objective, z_PD), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("mean", [0.1, 0.7])
def test_two_points_by_hand(mean):
    """The loss of two points with cosine c is 2c/τ. Their mean's norm is √((1 + c)/2).

    The gradient of one within the sphere is (2/τ)(z₂ − c z₁), so the mean of both is (2/τ)(1 − c) m, and 1 − c
    is 2(1 − |m|²). In the ambient space it is (2/τ) z₂, and the formula (1 − 2η/τ)² is exact.
    """
    of = study(points=2, dim=5, start_mean=mean, rates=[0.5, 2.0])
    z_PD = torch.zeros(2, 5).double()
    z_PD[:, 0], z_PD[0, 1], z_PD[1, 1] = mean, math.sqrt(1 - mean**2), -math.sqrt(1 - mean**2)
    ambient = of.model_copy(update={"gradient": "ambient"})
    assert sphere_measures.one_step(Objective(ambient, 0.3), z_PD)["factor_error"] == pytest.approx(0, abs=1e-9)
    metrics = sphere_measures.one_step(Objective(of, 0.3), z_PD)
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
    of = study(points=512, dim=128, start_mean=0.1, gradient="ambient")
    objective = sphere.objective(sphere_cell(cell, of=of), of, plugins)
    metrics = sphere_measures.one_step(objective, sphere.start(of, 0))
    expected = {0.25: 0.25, 0.5: 0.0, 1.0: 1.0, 1.5: 4.0, 2.0: 9.0}
    for rate, factor in expected.items():
        assert metrics[f"ratio_{rate:g}"] == pytest.approx(factor, rel=0.1, abs=0.01)


def test_start_has_the_mean_that_was_asked_for():
    for changes in ({}, {"start_mean": 0.9, "dim": 64}, {"start_mean": 0.001}, {"dim": 2}):
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
    alone = simulated(sphere_cell(cell, of=of), plugins)
    assert max(alone["gradient_equal"], alone["gradient_colinear"]) < 1e-12
    of = study(positives=positives, classes=4)
    pulled = simulated(clop_cell(cell, of), plugins)
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
    end, best = some(found["shrinks_below"]), some(found["best_rate"])
    gradient = objective.gradient(z_PD)

    def norm(rate: float) -> float:
        after = z_PD - rate * 0.2 * gradient
        return (after / after.norm(dim=1, keepdim=True)).mean(0).norm().item()

    assert norm(end) == pytest.approx(0.2, rel=1e-6)
    assert all(norm(end * share) < 0.2 for share in (0.01, 0.3, 0.6, 0.99))
    grid = [norm(end * k / 400) for k in range(401)]
    assert best == pytest.approx(end * grid.index(min(grid)) / 400, abs=0.005)


def test_history_and_ends_agree(cell, plugins):
    of = study()
    found = made(sphere_cell(cell, of=of), plugins)
    metrics, history = found.metrics, found.history
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert all(history[-1][f"mean_norm_{rate}"] == metrics[f"mean_norm_{rate}"] for rate in ("0.25", "2"))
    assert history[0]["mean_norm_0.25"] ** 2 == pytest.approx(0.2**2 * some(metrics["ratio_on_sphere_0.25"]))


def test_collapse_beyond_the_threshold_and_what_prevents_it(cell, plugins):
    """At η = 2τ all directions but one vanish; not so through the normalisation, and not so with CLOP's term.

    By hand: near a collapse the gradient of a point is 2/τ times the mean of the N − 1 others. A step
    multiplies all points by 1 − 2η/τ, and what lies across them by 1 + 2η/(τ(N − 1)), so that on the sphere
    they draw together by the ratio of the two: to about a third at η = 2τ, while they part to the double at η =
    3τ/4.
    """
    of = study(points=128, dim=32, classes=8, gradient="ambient", steps=10)
    within = of.model_copy(update={"gradient": "tangent"})
    alone = simulated(sphere_cell(cell, of=of), plugins)
    assert alone["rank_2"] < 1.05 < 30 < alone["rank_0.25"]
    assert 0.8 < alone["concentrates_from"] < 1.1
    normalised = simulated(sphere_cell(cell, of=within), plugins)
    assert normalised["rank_2"] > 20
    pulled = simulated(clop_cell(cell, of), plugins)
    assert pulled["rank_2"] > 2

    objective = Objective(of, 0.2)
    noise = np.random.default_rng(0).standard_normal((128, 32))
    axis = torch.zeros(32).double()
    axis[0] = 1
    z_PD = torch.nn.functional.normalize(axis + 1e-6 * torch.from_numpy(noise), dim=1)
    for rate, factor in ((2.0, (1 + 4 / 127) / 3), (0.75, (1 + 1.5 / 127) * 2)):
        after_PD = step(z_PD, objective.gradient(z_PD), rate * 0.2)
        spread = [(points - points.mean(0)).norm().item() for points in (z_PD, after_PD)]
        assert spread[1] / spread[0] == pytest.approx(factor, rel=1e-3)


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
