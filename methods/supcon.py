"""SupCon: supervised contrastive learning (Khosla et al. 2020), with partial labels."""

from typing import Literal

import torch
from torch import Tensor

from clopbench.contrastive import Variant, supcon
from clopbench.method import Embedded, Method, Positive


class SupCon(Method):
    """Pulls the labelled images of a class together; an unlabelled image is pulled to its own views only.

    variant: "out" averages logarithms over the positives (L_out, the better one in Khosla et al.); "in"
    takes the logarithm of the average (L_in), which is what the CLOP authors' code does.
    """

    name, version = "supcon", 1

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        temperature: Positive = 0.2,
        variant: Literal["out", "in"] = "out",
        generator: torch.Generator,
    ):
        super().__init__()
        self.temperature = temperature
        self.variant: Variant = variant

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        return {"total": supcon(batch.z_VBD, batch.y_B, self.temperature, self.variant)}
