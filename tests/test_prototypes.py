"""Prototypes: orthonormality, distribution, refusals."""

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
