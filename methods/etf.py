"""ETF: a classifier that is fixed to a simplex, and the dot-regression loss towards it (Yang et al. 2022)."""

import torch
from torch import Tensor

from clopbench import prototypes
from clopbench.contrastive import info_nce, normalised
from clopbench.method import Embedded, Method, NonNegative, Positive


class ETF(Method):
    """InfoNCE over all images + weight · mean over labelled embeddings of ½ (⟨z, w_y⟩ - 1)².

    w_y: the vertex of class y of a simplex equiangular tight frame, where neural collapse would lead a
    classifier that learns. Yang et al. 2022 (dot regression), with embeddings and vertices of unit length;
    InfoNCE is added here, so that unlabelled images count. It differs from `clop` with a simplex in that the
    pull weakens on the way to the vertex.
    """

    name, version = "etf", 1
    prototype_KD: Tensor

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        weight: NonNegative = 1.0,
        temperature: Positive = 0.2,
        generator: torch.Generator,
    ):
        super().__init__()
        self.weight = weight
        self.temperature = temperature
        self.register_buffer("prototype_KD", prototypes.simplex(num_classes, dim, generator))

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        contrast = info_nce(batch.z_VBD, self.temperature)
        labelled_B = batch.y_B >= 0
        z_VLD = normalised(batch.z_VBD[:, labelled_B])  # L labelled images.
        cosine_VL = (z_VLD * self.prototype_KD.to(z_VLD.dtype)[batch.y_B[labelled_B]]).sum(-1)
        regression = (cosine_VL - 1).square().sum() / 2 / max(1, cosine_VL.numel())
        return {"total": contrast + self.weight * regression, "contrast": contrast, "regression": regression}
