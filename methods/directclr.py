"""DirectCLR: InfoNCE on a part of the encoder's features, without a projection head (Jing et al. 2022)."""

import torch
from torch import Tensor

from clopbench.contrastive import info_nce
from clopbench.method import Embedded, Fraction, Method, Positive


class DirectCLR(Method):
    """InfoNCE of the first d₀ features; the others learn through the layers that all of them share.

    Jing et al. 2022, section 6: a projector prevents that the features collapse in dimension, and so does a
    loss on a part of them. Labels are not used. The projection head gets no gradient: what is said of the
    embeddings' geometry is about an untrained head on trained features.
    share: d₀/F; theirs is 360 of 2048 features. At least two are used: a single one has no direction.
    temperature: 0.1 in their code.
    """

    name, version = "directclr", 1

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        share: Fraction = 0.176,
        temperature: Positive = 0.1,
        generator: torch.Generator,
    ):
        super().__init__()
        self.share = share
        self.temperature = temperature

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        used = max(2, round(self.share * batch.h_VBF.shape[-1]))
        return {"total": info_nce(batch.h_VBF[..., :used], self.temperature)}
