"""Prototypes: orthonormality, distribution, refusals."""

from itertools import permutations
from typing import get_args

import numpy as np
import pytest
import torch

from clopbench import prototypes
from clopbench.errors import UserError


def draw(kind, classes, dim, seed=0):
    return prototypes.make(kind, classes, dim, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("classes", "dim"), [(1, 1), (2, 2), (10, 64), (64, 64), (100, 128), (200, 256)])
@pytest.mark.parametrize("seed", [0, 1, 17])
def test_orthonormal_prototypes_have_the_identity_as_gram_matrix(classes, dim, seed):
    c = draw("orthonormal", classes, dim, seed).double()
    assert c.shape == (classes, dim)
    torch.testing.assert_close(c @ c.T, torch.eye(classes, dtype=torch.float64), atol=1e-5, rtol=0)


def test_more_classes_than_dimensions_are_refused():
    with pytest.raises(UserError, match=r"10 classes cannot have orthonormal prototypes in 9 dimensions"):
        draw("orthonormal", 10, 9)
    assert draw("random", 10, 9).shape == (10, 9)


@pytest.mark.parametrize("error", [2e-5, float("nan")])
def test_verification_notices_a_spoiled_prototype(error):
    c = draw("orthonormal", 5, 8)
    prototypes.verify_orthonormal(c)
    c[2, 3] += error
    c[2] += error
    with pytest.raises(ValueError, match="not orthonormal"):
        prototypes.verify_orthonormal(c)


def test_random_prototypes_are_unit_vectors_but_not_orthogonal():
    c = draw("random", 10, 64).double()
    torch.testing.assert_close(c.norm(dim=1), torch.ones(10, dtype=torch.float64))
    off = (c @ c.T)[~torch.eye(10, dtype=torch.bool)]
    # Cosines of random directions in 64 dimensions have a standard deviation of 1/8.
    assert 0.08 < off.std().item() < 0.17


def test_the_generator_decides():
    for kind in ("orthonormal", "random"):
        assert draw(kind, 10, 64, 1).equal(draw(kind, 10, 64, 1))
        assert not draw(kind, 10, 64, 1).equal(draw(kind, 10, 64, 2))


def test_directions_are_uniform_on_the_sphere():
    """Mean projection 0 and mean squared projection 1/D, over many draws, for both kinds."""
    for kind in ("orthonormal", "random"):
        c = torch.stack([draw(kind, 4, 8, seed) for seed in range(400)]).flatten(0, 1)
        assert c.mean(0).abs().max().item() < 5 / (1600 * 8) ** 0.5
        torch.testing.assert_close(c.square().mean(0), torch.full((8,), 1 / 8), atol=0.02, rtol=0)


def cosines(c):
    c = torch.nn.functional.normalize(c.double(), dim=1)
    return (c @ c.T)[~torch.eye(len(c), dtype=torch.bool)]


@pytest.mark.parametrize(("classes", "dim"), [(2, 2), (10, 64), (100, 128)])
def test_a_simplex_has_unit_vectors_with_cosine_of_minus_one_over_k_minus_one(classes, dim):
    c = draw("simplex", classes, dim).double()
    torch.testing.assert_close(c.norm(dim=1), torch.ones(classes, dtype=torch.float64), atol=1e-6, rtol=0)
    expected = torch.full((classes * (classes - 1),), -1 / (classes - 1), dtype=torch.float64)
    torch.testing.assert_close(cosines(c), expected, atol=1e-6, rtol=0)


def test_the_authors_simplex_is_shorter_and_nearly_orthogonal():
    """By hand: rows of I - 11ᵀ/64 have norm √(1 - 1/64) and inner product -1/64."""
    c = draw("simplex_authors", 10, 64).double()
    gram = c @ c.T
    torch.testing.assert_close(gram.diagonal(), torch.full((10,), 63 / 64, dtype=torch.float64))
    off = gram[~torch.eye(10, dtype=torch.bool)]
    torch.testing.assert_close(off, torch.full((90,), -1 / 64, dtype=torch.float64))


def test_degraded_prototypes_lead_from_orthonormal_to_random_to_equal():
    """Each step is a unit vector further from its better end and nearer to its worse end."""
    chain = [*(f"random_{p}" for p in (25, 50, 75)), "random", *(f"equal_{p}" for p in (25, 50, 75)), "equal"]
    stages = [draw(kind, 10, 64) for kind in ("orthonormal", *chain)]
    for stage in stages:
        torch.testing.assert_close(stage.norm(dim=1), torch.ones(10), atol=1e-6, rtol=0)
    start, random, equal = stages[0], stages[4], stages[8]
    to_random = [(stage * random).sum(1).mean().item() for stage in stages[:5]]
    from_start = [(stage * start).sum(1).mean().item() for stage in stages[:5]]
    to_equal = [(stage * equal).sum(1).mean().item() for stage in stages[4:]]
    assert to_random == sorted(to_random)
    assert from_start == sorted(from_start, reverse=True)
    assert to_equal == sorted(to_equal)
    assert cosines(equal).min() > 1 - 1e-6
    spread = [cosines(stage).abs().mean().item() for stage in stages[4:]]
    assert spread == sorted(spread)


@pytest.mark.parametrize("kind", ["simplex", "simplex_authors", "random_25"])
def test_kinds_made_of_orthonormal_vectors_refuse_too_many_classes(kind):
    with pytest.raises(UserError, match="need at least 10"):
        draw(kind, 10, 9)


def test_the_method_offers_every_kind(plugins):
    """Its signature must be readable without torch, so it spells the kinds out again."""
    kind, _ = plugins.get("clop").signature.parameters["prototypes"]
    assert get_args(kind) == get_args(prototypes.Kind)


def test_assignment_is_the_best_of_all_orders():
    """Tried one by one: in the one chosen the inner products of class means and prototypes sum to the most."""
    generator = torch.Generator().manual_seed(3)
    z_VBD = torch.nn.functional.normalize(
        torch.randn(2, 24, 6, generator=generator, dtype=torch.float64), dim=-1
    )
    y_B = torch.arange(24) % 5 - 1  # Some unlabelled, and classes 0 to 3.
    c = draw("orthonormal", 4, 6)
    means = np.stack([z_VBD[:, y_B == k].reshape(-1, 6).numpy().mean(0) for k in range(4)])
    sums = {
        order: sum(means[k] @ c[order[k]].double().numpy() for k in range(4))
        for order in permutations(range(4))
    }
    best = max(sums, key=lambda order: sums[order])
    assert best != (0, 1, 2, 3)
    torch.testing.assert_close(prototypes.assigned(c, z_VBD, y_B), c[list(best)])


def test_a_class_of_which_nothing_is_seen_takes_what_is_left():
    """Classes 2 and 0 stand at prototypes 0 and 1; class 1 shows no label."""
    c = draw("orthonormal", 3, 8)
    z_VBD = torch.stack([c[0], c[1]])[None]
    torch.testing.assert_close(prototypes.assigned(c, z_VBD, torch.tensor([2, 0])), c[[1, 2, 0]])
