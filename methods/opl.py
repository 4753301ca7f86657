"""OPL, orthogonal projection loss: classes made orthogonal on average (Ranasinghe et al. 2021)."""

import torch
from torch import Tensor

from clopbench.contrastive import normalised
from clopbench.method import Embedded, Method, NonNegative


class OPL(Method):
    """(1 - mean cosine within classes) + weight · |mean cosine between classes|, over labelled embeddings.

    Orthogonality without prototypes: what CLOP asks of each class, asked of the average. Pairs are of all
    views. Ranasinghe et al. 2021, equations 3 to 5; they add it to a cross-entropy and take encoder features,
    here it stands alone and takes embeddings, as all losses here do. weight: their γ, 0.5 in their code.
    A batch without labels costs nothing; unlabelled images are not used.
    """

    name, version = "opl", 1

    def __init__(self, dim: int, num_classes: int, *, weight: NonNegative = 0.5, generator: torch.Generator):
        super().__init__()
        self.weight = weight

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        labelled_B = batch.y_B >= 0
        z_ND = normalised(batch.z_VBD[:, labelled_B].flatten(0, 1))
        y_N = batch.y_B[labelled_B].repeat(len(batch.z_VBD))
        cosine_NN = z_ND @ z_ND.T
        same_NN = y_N[:, None] == y_N
        within_NN = same_NN.clone().fill_diagonal_(False)
        within = mean_over(1 - cosine_NN, within_NN)
        between = mean_over(cosine_NN, ~same_NN).abs()
        return {"total": within + self.weight * between, "within": within, "between": between}


def mean_over(cosine_NN: Tensor, chosen_NN: Tensor) -> Tensor:
    """The mean of the chosen entries; zero where there are none."""
    return (cosine_NN * chosen_NN).sum() / chosen_NN.sum().clamp_min(1)
