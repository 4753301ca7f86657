"""What the embeddings look like: spectrum, effective rank, alignment, uniformity, cosines to prototypes.

All functions take L2-normalised embeddings and compute in float64.
Shapes: N embeddings, D embedding dimensions, K classes.
"""

import torch
from torch import Tensor


def singular_values(z_ND: Tensor) -> Tensor:
    """Singular values of the embedding matrix / √N, descending [min(N, D)], not centred.

    Not centred, so that embeddings which are all equal have a single non-zero value (paper, Figure 1).
    Their squares sum to 1.
    """
    return torch.linalg.svdvals(z_ND.double() / len(z_ND) ** 0.5)


def effective_rank(singular: Tensor) -> float:
    """RankMe: the exponential of the entropy of the normalised singular values (Garrido et al. 2023).

    Between 1 (all embeddings on one line) and the number of dimensions (equal spread).
    """
    share = singular / singular.sum()
    return torch.exp(-torch.xlogy(share, share).sum()).item()


def mean_norm(z_ND: Tensor) -> float:
    """Norm of the mean embedding: 1 where all are equal, near 0 where they spread over the sphere."""
    return z_ND.double().mean(0).norm().item()


def alignment(first_ND: Tensor, second_ND: Tensor) -> float:
    """Mean squared distance between the two views of an image (Wang & Isola 2020), lower is closer."""
    return (first_ND.double() - second_ND.double()).square().sum(1).mean().item()


def uniformity(z_ND: Tensor) -> float:
    """Log of the mean Gaussian potential at t = 2 over all pairs (Wang & Isola 2020), lower is more even."""
    squared = torch.pdist(z_ND.double()).square()
    return squared.mul(-2).exp().mean().log().item()


def prototype_cosines(z_ND: Tensor, y_N: Tensor, prototype_KD: Tensor) -> tuple[float, float]:
    """Mean cosine to the prototype of the own class, and to the nearest other prototype."""
    cosine_NK = z_ND.double() @ prototype_KD.double().T
    own_N = cosine_NK.gather(1, y_N[:, None]).squeeze(1)
    other_N = cosine_NK.scatter(1, y_N[:, None], -torch.inf).amax(1)
    return own_N.mean().item(), other_N.mean().item()
