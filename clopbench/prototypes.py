"""Fixed class prototypes on the unit sphere.

Shapes: K classes, D embedding dimensions, V views, B images.
"""

from typing import Literal

import torch
from scipy.optimize import linear_sum_assignment
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


def assigned(prototype_KD: Tensor, z_VBD: Tensor, y_B: Tensor) -> Tensor:
    """The same prototypes in another order: each class gets one that its labelled embeddings are near, [K, D].

    Of all orders the one with the largest sum, over classes, of the inner product of the class's mean embedding
    and its prototype (Hungarian algorithm). z_VBD: unit vectors; y_B: -1 where unlabelled. The mean of all
    class means is taken off, so that classes of which nothing is seen, which have none, take what is left.
    """
    z_VBD = z_VBD.detach().double()
    mean_KD = torch.zeros(prototype_KD.shape, dtype=torch.float64, device=z_VBD.device)
    seen = y_B[y_B >= 0].unique()
    for number in seen:
        mean_KD[number] = z_VBD[:, y_B == number].mean((0, 1))
    mean_KD[seen] -= mean_KD[seen].mean(0)
    similarity_KK = mean_KD @ prototype_KD.double().T
    _, order_K = linear_sum_assignment(similarity_KK.cpu().numpy(), maximize=True)
    return prototype_KD[torch.from_numpy(order_K).to(prototype_KD.device)]


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
