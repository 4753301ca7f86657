"""What the embeddings look like: spectrum, effective rank, alignment, uniformity, cosines to prototypes.

All functions take L2-normalised embeddings and compute in float64.
Shapes: V views, B images, N embeddings, D embedding dimensions, K classes.
"""

import torch
from torch import Tensor


class NotFiniteError(ArithmeticError):
    """Numbers that decide a run are NaN or infinite; the text says which."""


BATCH_ROWS = 1024  # More of a batch than this would not change an epoch's figures, only their cost.
LARGEST = 8
"""How many singular values each epoch's row keeps; the last embeddings' whole spectrum is in the record."""


def singular_values(z_ND: Tensor) -> Tensor:
    """Singular values of the embedding matrix / √N, descending [min(N, D)], not centred.

    Not centred, so that embeddings which are all equal have a single non-zero value (paper, Figure 1).
    Their squares sum to 1. Raises NotFiniteError.
    """
    if not z_ND.isfinite().all():
        raise NotFiniteError("embeddings")
    return torch.linalg.svdvals(z_ND.double() / len(z_ND) ** 0.5)


def effective_rank(singular: Tensor) -> float:
    """RankMe: the exponential of the entropy of the normalised singular values (Garrido et al. 2023).

    Between 1 (all embeddings on one line) and the number of dimensions (equal spread).
    """
    share = singular / singular.sum()
    return torch.exp(-torch.xlogy(share, share).sum()).item()


def dominant_share(singular: Tensor) -> float:
    """Share of the first singular value in the sum of squares: 1 where all embeddings lie on one line.

    Equal spread over R dimensions gives 1/R. The sign of a complete collapse in the paper's Figure 1.
    """
    return (singular[0].square() / singular.square().sum()).item()


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


def nearest_prototype_accuracy(z_ND: Tensor, y_N: Tensor, prototype_KD: Tensor) -> float:
    """Share of embeddings to which no prototype is nearer, by cosine, than that of the own class.

    Of prototypes that are equally near the first counts, so equal prototypes classify as one class.
    """
    nearest_N = (z_ND.double() @ prototype_KD.double().T).argmax(1)
    return (nearest_N == y_N).double().mean().item()


def prototype_overlap(prototype_KD: Tensor) -> float:
    """Largest entry, in absolute value, of the prototypes' Gram matrix minus the identity: 0 if orthonormal."""
    gram_KK = prototype_KD.double() @ prototype_KD.double().T
    return (gram_KK - torch.eye(len(gram_KK)).to(gram_KK)).abs().max().item()


def of_batch(z_VBD: Tensor, y_B: Tensor, prototype_KD: Tensor | None) -> dict[str, float | None]:
    """The geometry of one training batch, for an epoch's row: at most 1024 images of it.

    Spectrum, rank, uniformity and mean from the first view; alignment of the first two views, None for a
    single view; cosines over the labelled images, None where there are none. Without prototypes no cosines.
    """
    z_VBD, y_B = z_VBD[:, :BATCH_ROWS], y_B[:BATCH_ROWS]
    first_BD = z_VBD[0]
    singular = singular_values(first_BD)
    row: dict[str, float | None] = {
        "effective_rank": effective_rank(singular),
        "mean_norm": mean_norm(first_BD),
        "alignment": alignment(first_BD, z_VBD[1]) if len(z_VBD) > 1 else None,
        "uniformity": uniformity(first_BD),
    }
    if prototype_KD is not None:
        labelled = y_B >= 0
        cosines = (None, None)
        if labelled.any():
            cosines = prototype_cosines(first_BD[labelled], y_B[labelled], prototype_KD)
        row["prototype_cosine_own"], row["prototype_cosine_other"] = cosines
    return row | {f"singular_{k}": value for k, value in enumerate(singular[:LARGEST].tolist(), 1)}
