"""Barlow Twins: the cross-correlation of two views made the identity (Zbontar et al. 2021)."""

import torch
from torch import Tensor

from clopbench.contrastive import at_least_float32
from clopbench.method import Embedded, Method, NonNegative, Positive

EPSILON = 1e-5
"""Added to a variance: torch's in batch norm, which the authors' code standardises with."""


class BarlowTwins(Method):
    """Σ_d (1 - C_dd)² + weight · Σ_{d≠e} C_de², C the correlation over the batch of view 1 with view 2 [D, D].

    Each dimension is to be the same in both views, and to say something that the others do not; labels are not
    used. Zbontar et al. 2021, equations 1 and 2 and algorithm 1. weight: their λ, 0.0051 in their code.
    scale: of the whole, a sum over dimensions; 0.024 is the first version's of their code. It decides how far
    plain SGD steps, while LARS, which they use, does not mind.
    """

    name, version = "barlow_twins", 1

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        weight: NonNegative = 0.0051,
        scale: Positive = 0.024,
        generator: torch.Generator,
    ):
        super().__init__()
        self.scale = scale
        self.weight = weight

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        first_BD, second_BD = (standardised(z_BD) for z_BD in at_least_float32(batch.z_VBD))
        correlation_DD = first_BD.T @ second_BD / len(first_BD)
        invariance = (1 - correlation_DD.diagonal()).square().sum()
        redundancy = correlation_DD.square().sum() - correlation_DD.diagonal().square().sum()
        return {
            "total": self.scale * (invariance + self.weight * redundancy),
            "invariance": invariance,
            "redundancy": redundancy,
        }


def standardised(z_BD: Tensor) -> Tensor:
    """Each dimension with mean 0 and variance 1 over the batch."""
    centred_BD = z_BD - z_BD.mean(0)
    return centred_BD / (centred_BD.square().mean(0) + EPSILON).sqrt()
