"""What the signs of failure are measured by, on embeddings and prototypes made by hand."""

import numpy as np
import pytest
import torch

from clopbench import geometry

ANGLE = torch.tensor(0.3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("singular", "share"),
    [
        ([1.0, 0.0, 0.0], 1.0),
        ([0.5, 0.5, 0.5, 0.5], 0.25),
        ([0.8, 0.6], 0.64),
        ([3.0, 4.0**0.5, 3.0**0.5], 9 / 16),  # Squares 9, 4, 3.
    ],
)
def test_share_of_the_first_singular_value(singular, share):
    assert geometry.dominant_share(torch.tensor(singular, dtype=torch.float64)) == pytest.approx(share)


def test_embeddings_on_one_line_have_it_all_and_classes_at_orthonormal_prototypes_one_part_of_k():
    line = torch.nn.functional.normalize(torch.randn(1, 8), dim=-1) * torch.tensor([[1.0], [-1.0], [1.0]])
    assert geometry.dominant_share(geometry.singular_values(line)) == pytest.approx(1.0)
    at_prototypes = torch.eye(8)[:5].repeat(3, 1)
    assert geometry.dominant_share(geometry.singular_values(at_prototypes)) == pytest.approx(0.2)


def test_nearest_prototype_against_a_loop():
    rng = np.random.default_rng(5)
    z_ND, prototype_KD = rng.normal(size=(40, 6)), rng.normal(size=(4, 6))
    z_ND /= np.linalg.norm(z_ND, axis=1, keepdims=True)
    prototype_KD /= np.linalg.norm(prototype_KD, axis=1, keepdims=True)
    y_N = rng.integers(0, 4, 40)
    right = 0
    for z_D, y in zip(z_ND, y_N, strict=True):
        # The cosine of two unit vectors is largest where their distance is smallest.
        distances = [np.linalg.norm(z_D - prototype_D) for prototype_D in prototype_KD]
        right += distances.index(min(distances)) == y
    assert 0 < right < 40
    found = geometry.nearest_prototype_accuracy(*map(torch.from_numpy, (z_ND, y_N, prototype_KD)))
    assert found == pytest.approx(right / 40)


def test_equal_prototypes_tell_nothing():
    """All embeddings count as class 0, whatever they are."""
    prototype_KD = torch.eye(3)[[0, 0, 0]]
    assert geometry.nearest_prototype_accuracy(torch.eye(3), torch.tensor([0, 1, 2]), prototype_KD) == (
        pytest.approx(1 / 3)
    )


@pytest.mark.parametrize(
    ("prototypes", "overlap"),
    [
        (torch.eye(4)[:3], 0.0),
        (torch.eye(4)[[0, 0, 1]], 1.0),
        (torch.stack([torch.tensor([1.0, 0.0]), torch.stack([ANGLE.cos(), ANGLE.sin()])]), float(ANGLE.cos())),
        (torch.eye(3) * -0.5, 0.75),  # Norms off by a half: 1 - 0.25.
    ],
)
def test_overlap_of_prototypes(prototypes, overlap):
    assert geometry.prototype_overlap(prototypes) == pytest.approx(overlap, abs=1e-7)
