"""Fixed class prototypes on the unit sphere.

Shapes: K classes, D embedding dimensions.
"""

from typing import Literal

import torch
from torch import Tensor

from clopbench.errors import UserError

Kind = Literal["orthonormal", "random"]
TOLERANCE = 1e-5


def make(kind: Kind, classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """Prototypes of a kind, float32 [K, D], drawn from `generator` (CPU).

    Raises UserError where more than `dim` orthonormal prototypes are asked for.
    """
    return orthonormal(classes, dim, generator) if kind == "orthonormal" else random(classes, dim, generator)


def orthonormal(classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """K mutually orthonormal vectors: an orthonormal basis, by SVD, of the span of K random ones.

    Paper, section 1 of the method: sample K random vectors of the embedding space, SVD, keep the basis.
    Raises UserError where K > D.
    """
    if classes > dim:
        raise UserError(
            f"projection.dim: {classes} classes cannot have orthonormal prototypes in {dim} dimensions "
            f"(need at least {classes})"
        )
    sample_DK = torch.randn(dim, classes, generator=generator, dtype=torch.float64)
    basis_DK, _, _ = torch.linalg.svd(sample_DK, full_matrices=False)
    prototype_KD = basis_DK.T.contiguous().float()
    verify_orthonormal(prototype_KD)
    return prototype_KD


def random(classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """K directions drawn uniformly on the sphere (normalised Gaussians): unit norm, not orthogonal."""
    sample_KD = torch.randn(classes, dim, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(sample_KD, dim=-1).float()


def verify_orthonormal(prototype_KD: Tensor) -> None:
    """Raise ValueError unless the Gram matrix is the identity to within TOLERANCE, entry by entry."""
    gram_KK = prototype_KD.double() @ prototype_KD.double().T
    worst = (gram_KK - torch.eye(len(gram_KK), dtype=torch.float64)).abs().max().item()
    # Written so that NaN fails too.
    if not worst <= TOLERANCE:
        raise ValueError(f"prototypes are not orthonormal: the Gram matrix is off by {worst:.2e}")
