"""Fixed class prototypes on the unit sphere.

Shapes: K classes, D embedding dimensions.
"""

from typing import Literal

import torch
from torch import Tensor

from clopbench.errors import UserError

Kind = Literal[
    "orthonormal",
    "random_25",
    "random_50",
    "random_75",
    "random",
    "equal_25",
    "equal_50",
    "equal_75",
    "equal",
    "simplex",
    "simplex_authors",
]
"""random_25 is a quarter of the way from orthonormal to random, equal_25 from random to all equal."""

TOLERANCE = 1e-5


def make(kind: Kind, classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """Prototypes of a kind, float32 [K, D], drawn from `generator` (CPU).

    Raises UserError where more than `dim` orthonormal prototypes (or a simplex of them) are asked for.
    """
    match kind:
        case "orthonormal":
            return orthonormal(classes, dim, generator)
        case "random":
            return random(classes, dim, generator)
        case "simplex":
            return simplex(classes, dim, generator)
        case "simplex_authors":
            return simplex_authors(classes, dim)
        case "equal":
            return random(1, dim, generator).expand(classes, dim).contiguous()
        case _:
            end, _, percent = kind.partition("_")
            return degraded(end, float(percent) / 100, classes, dim, generator)


def degraded(end: str, share: float, classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """Unit vectors on the way to worse prototypes: normalised (1 − share) · better + share · worse, [K, D].

    end "random" leads from orthonormal to random ones, "equal" from random ones to one direction for all
    classes. Both ends start at the same state of the generator, as if each were drawn alone.
    """
    better, worse = ("orthonormal", "random") if end == "random" else ("random", "equal")
    state = generator.get_state()
    better_KD = make(better, classes, dim, generator)
    generator.set_state(state)
    worse_KD = make(worse, classes, dim, generator)
    mixed_KD = (1 - share) * better_KD.double() + share * worse_KD.double()
    return torch.nn.functional.normalize(mixed_KD, dim=-1).float()


def simplex(classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """A simplex equiangular tight frame: K unit vectors with cosine −1/(K − 1) between any two, [K, D].

    √(K/(K−1)) (I − 11ᵀ/K) in the basis of `orthonormal` (Papyan et al. 2020). Raises UserError where K > D.
    """
    basis_KD = orthonormal(classes, dim, generator).double()
    centred_KD = basis_KD - basis_KD.mean(0)
    return (centred_KD * (classes / max(1, classes - 1)) ** 0.5).float()


def simplex_authors(classes: int, dim: int) -> Tensor:
    """The first K rows of I − 11ᵀ/D, not rescaled, [K, D]: norm √(1 − 1/D), and no simplex of K classes.

    Authors' code, commit 115deee. Nothing is drawn. Raises UserError where K > D.
    """
    _check_dim(classes, dim)
    return (torch.eye(dim, dtype=torch.float64) - 1 / dim)[:classes].float()


def orthonormal(classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """K mutually orthonormal vectors: an orthonormal basis, by SVD, of the span of K random ones.

    Paper, section 1 of the method: sample K random vectors of the embedding space, SVD, keep the basis.
    Raises UserError where K > D.
    """
    _check_dim(classes, dim)
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


def _check_dim(classes: int, dim: int) -> None:
    if classes > dim:
        raise UserError(
            f"projection.dim: {classes} classes cannot have orthonormal prototypes in {dim} dimensions "
            f"(need at least {classes})"
        )
