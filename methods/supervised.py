"""Supervised cross-entropy on the labelled images: the baseline without any contrast."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clopbench.contrastive import at_least_float32
from clopbench.method import Embedded, Method


class Supervised(Method):
    """A linear classifier on the encoder's features, over all views; unlabelled images are not used.

    The projection head gets no gradient, so what is said of the embeddings' geometry is about an untrained head
    on trained features.
    """

    name, version = "supervised", 1

    def __init__(self, dim: int, num_classes: int, features: int, *, generator: torch.Generator):
        super().__init__()
        bound = features**-0.5  # torch's own start for linear layers, from our generator.
        weight_KF = torch.empty(num_classes, features).uniform_(-bound, bound, generator=generator)
        self.weight_KF = nn.Parameter(weight_KF)
        self.bias_K = nn.Parameter(torch.zeros(num_classes))

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        labelled_B = batch.y_B >= 0
        h_NF = at_least_float32(batch.h_VBF[:, labelled_B].flatten(0, 1))
        y_N = batch.y_B[labelled_B].repeat(len(batch.h_VBF))
        # A sum, so that a batch without labels costs nothing instead of NaN.
        total = F.cross_entropy(F.linear(h_NF, self.weight_KF, self.bias_K), y_N, reduction="sum")
        return {"total": total / max(1, len(y_N))}
