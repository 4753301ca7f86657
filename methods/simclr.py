"""SimCLR: InfoNCE over two augmented views (Chen et al. 2020)."""

import torch
from torch import Tensor

from clopbench.contrastive import info_nce
from clopbench.method import Embedded, Method, Positive


class SimCLR(Method):
    """Pulls the views of an image together and pushes all other images away; labels are not used."""

    name, version = "simclr", 1

    def __init__(self, dim: int, num_classes: int, *, temperature: Positive = 0.2, generator: torch.Generator):
        super().__init__()
        self.temperature = temperature

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        return {"total": info_nce(batch.z_VBD, self.temperature)}
