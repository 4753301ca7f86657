"""VICReg: invariance, variance and covariance regularised, each by a term of its own (Bardes et al. 2022)."""

import torch
from torch import Tensor

from clopbench.contrastive import at_least_float32
from clopbench.method import Embedded, Method, NonNegative

EPSILON = 1e-4
"""Added to a variance before its root is taken (Bardes et al. 2022, section 4.1)."""


class VICReg(Method):
    """invariance · mean squared distance of the views + variance · hinge + covariance · squared covariances.

    The hinge keeps each dimension's standard deviation over the batch at 1 or more, which forbids collapse; the
    covariances of different dimensions go to zero, which forbids dimensional collapse. Embeddings are not
    normalised, labels are not used. Bardes et al. 2022, equations 1 to 6. As in their code, which the weights
    25, 25 and 1 belong to, distances are means over dimensions too, and the hinge is the mean of the two views
    (equations 5 and 6 have sums).
    """

    name, version = "vicreg", 1

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        invariance: NonNegative = 25.0,
        variance: NonNegative = 25.0,
        covariance: NonNegative = 1.0,
        generator: torch.Generator,
    ):
        super().__init__()
        self.weights = invariance, variance, covariance

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        first_BD, second_BD = at_least_float32(batch.z_VBD)
        invariance = (first_BD - second_BD).square().mean()
        variance = (hinge(first_BD) + hinge(second_BD)) / 2
        covariance = decorrelation(first_BD) + decorrelation(second_BD)
        terms = invariance, variance, covariance
        total = torch.stack([weight * term for weight, term in zip(self.weights, terms, strict=True)]).sum()
        return {"total": total, "invariance": invariance, "variance": variance, "covariance": covariance}


def hinge(z_BD: Tensor) -> Tensor:
    """How far the dimensions' standard deviations fall short of 1, on average."""
    return (1 - (z_BD.var(0) + EPSILON).sqrt()).relu().mean()


def decorrelation(z_BD: Tensor) -> Tensor:
    """Squared covariances of different dimensions, summed and divided by D."""
    centred_BD = z_BD - z_BD.mean(0)
    covariance_DD = centred_BD.T @ centred_BD / (len(z_BD) - 1)
    return (covariance_DD.square().sum() - covariance_DD.diagonal().square().sum()) / z_BD.shape[1]
