"""InfoNCE and SupCon as clop-bench and its peers compute them, behind one signature.

A contender takes raw embeddings and labels, normalises, and returns the mean loss over all N anchors.
Shapes: V = 2 views, B images, N = V·B embeddings (view-major), D embedding dimensions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from clopbench.contrastive import info_nce, supcon

TEMPERATURE = 0.2
DIM, CLASSES = 128, 100

Loss = Callable[[Tensor, Tensor], Tensor]
"""(z_VBD, y_B) → scalar; InfoNCE has no use for y_B."""


@dataclass(frozen=True)
class Contender:
    """`module` is imported when it is needed and given to `build`. `most` is the largest N that it can do."""

    work: str
    name: str
    build: Callable[[Any], Loss]
    module: str | None = None
    most: int = 8192
    """By default where a dense N×N computation takes gigabytes and seconds."""

    @property
    def is_ours(self) -> bool:
        return self.name == "clop-bench"

    def __str__(self) -> str:
        return f"{self.work}-{self.name}".replace(" ", "-")


def make_inputs(rows: int) -> tuple[Tensor, Tensor]:
    """Embeddings of two views [2, rows / 2, 128], which want a gradient, and classes [rows / 2]."""
    generator = torch.Generator()
    generator.manual_seed(rows)
    z_VBD = torch.randn(2, rows // 2, DIM, generator=generator)
    # Two views of an image are alike, as they are in training.
    z_VBD[1] = 0.7 * z_VBD[0] + 0.3 * z_VBD[1]
    return z_VBD.requires_grad_(), torch.randint(CLASSES, (rows // 2,), generator=generator)


def forward_backward(loss: Loss, z_VBD: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and its gradient for the raw embeddings."""
    z_VBD.grad = None
    value = loss(z_VBD, y_B)
    value.backward()
    assert z_VBD.grad is not None
    return value.detach(), z_VBD.grad


def image_numbers(z_VBD: Tensor) -> Tensor:
    """The group of each embedding where only the views of an image belong together [N]."""
    return torch.arange(z_VBD.shape[1]).repeat(z_VBD.shape[0])


def dense_formula(z_VBD: Tensor, group_N: Tensor) -> Tensor:
    """L_out as Khosla et al. 2020 write it (equation 2), with dense N×N logits and masks."""
    z_ND = F.normalize(z_VBD.flatten(0, 1), dim=1)
    sim_NN = z_ND @ z_ND.T / TEMPERATURE
    sim_NN = sim_NN - sim_NN.amax(1, keepdim=True).detach()
    other_NN = 1 - torch.eye(len(z_ND), dtype=z_ND.dtype)
    positive_NN = (group_N[:, None] == group_N).to(z_ND.dtype) * other_NN
    log_p_NN = sim_NN - (sim_NN.exp() * other_NN).sum(1, keepdim=True).log()
    return -((positive_NN * log_p_NN).sum(1) / positive_NN.sum(1)).mean()


def _formula_info_nce(_: Any) -> Loss:
    return lambda z_VBD, y_B: dense_formula(z_VBD, image_numbers(z_VBD))


def _formula_supcon(_: Any) -> Loss:
    return lambda z_VBD, y_B: dense_formula(z_VBD, y_B.repeat(2))


def _lightly_info_nce(lightly: Any) -> Loss:
    loss = lightly.NTXentLoss(TEMPERATURE)
    return lambda z_VBD, y_B: loss(z_VBD[0], z_VBD[1])


def _pml_info_nce(pml: Any) -> Loss:
    loss = pml.NTXentLoss(TEMPERATURE)
    return lambda z_VBD, y_B: loss(z_VBD.flatten(0, 1), image_numbers(z_VBD))


def _pml_supcon_by_image(pml: Any) -> Loss:
    loss = pml.SupConLoss(TEMPERATURE)
    return lambda z_VBD, y_B: loss(z_VBD.flatten(0, 1), image_numbers(z_VBD))


def _pml_supcon(pml: Any) -> Loss:
    loss = pml.SupConLoss(TEMPERATURE)
    return lambda z_VBD, y_B: loss(z_VBD.flatten(0, 1), y_B.repeat(2))


LIGHTLY, PML = "lightly.loss", "pytorch_metric_learning.losses"
FORMULA = "SupContrast's formula"

CONTENDERS = (
    Contender("InfoNCE", "clop-bench", lambda _: lambda z, y: info_nce(z, TEMPERATURE), most=16384),
    Contender("InfoNCE", "lightly", _lightly_info_nce, LIGHTLY),
    Contender("InfoNCE", FORMULA, _formula_info_nce),
    # Its NTXentLoss holds one row of N - 2 negatives twice over for each pair of views: N³ numbers, 34 GB at
    # 2048. Its SupConLoss with the image as the class is the same loss and stays at N².
    Contender("InfoNCE", "pytorch-metric-learning (NTXentLoss)", _pml_info_nce, PML, most=512),
    Contender("InfoNCE", "pytorch-metric-learning (SupConLoss)", _pml_supcon_by_image, PML),
    Contender("SupCon", "clop-bench", lambda _: lambda z, y: supcon(z, y, TEMPERATURE), most=16384),
    Contender("SupCon", FORMULA, _formula_supcon),
    Contender("SupCon", "pytorch-metric-learning (SupConLoss)", _pml_supcon, PML),
)
"""lightly has no supervised contrastive loss."""
