"""BYOL: one view predicts what a moving average of the network says of the other (Grill et al. 2020)."""

import torch
from torch import Tensor, nn

from clopbench.contrastive import at_least_float32, normalised
from clopbench.method import Count, Embedded, Method, Momentum


class BYOL(Method):
    """2 - 2 · cosine(predictor(z of one view), teacher's z of the other), summed over views, mean over images.

    No image is pushed away; neither are labels used. Grill et al. 2020, equation 2 and its mirror. The
    predictor is theirs: linear, batch norm, ReLU, linear; hidden: its width (theirs: 4096, sixteen times D).
    momentum: of the average, constant here; theirs rises to 1 from 0.996, or from less in shorter runs.
    """

    name, version = "byol", 1

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        hidden: Count = 512,
        momentum: Momentum = 0.99,
        generator: torch.Generator,
    ):
        super().__init__()
        self.teacher_momentum = momentum
        # The norm sees training's batches only, so it needs no running statistics.
        norm = nn.BatchNorm1d(hidden, track_running_stats=False)
        first, last = linear(dim, hidden, generator), linear(hidden, dim, generator)
        self.predictor = nn.Sequential(first, norm, nn.ReLU(), last)

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        assert batch.teacher is not None
        # Batch norm sees both views together, as it does in encoder and head.
        predicted_ND = self.predictor(at_least_float32(batch.z_VBD).flatten(0, 1))
        predicted_VBD = normalised(predicted_ND).view_as(batch.z_VBD)
        other_VBD = normalised(batch.teacher.z_VBD).flip(0)
        cosine_VB = (predicted_VBD * other_VBD).sum(-1)
        return {"total": (2 - 2 * cosine_VB).sum(0).mean()}


def linear(size: int, out: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer that begins as torch's do, drawn from our generator."""
    layer = nn.Linear(size, out, device="meta").to_empty(device="cpu")
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -(size**-0.5), size**-0.5, generator=generator)
    return layer
