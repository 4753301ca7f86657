"""The loss of points on the unit sphere, its gradient, and a step along it.

The loss is *summed* over its anchors, as the paper writes InfoNCE: with a mean over anchors (as networks are
trained here) the same step has a learning rate that is larger by their number. CLOP's term is summed in the
same proportion, so that λ weighs what it weighs in training. All in float64.

Shapes: N points, P = N or 2N embeddings (one or two views of each point, view-major), D dimensions, K classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from clopbench.contrastive import contrast_of_normalised, info_nce, normalised
from clopbench.study import SphereStudy


@dataclass(frozen=True)
class Objective:
    """The summed loss as a function of the embeddings z [P, D]."""

    study: SphereStudy
    temperature: float
    weight: float = 0.0
    """λ; 0 without CLOP's term."""
    prototype_KD: Tensor | None = None
    shown_N: Tensor | None = None
    """Class of each point, −1 where its label is not shown."""

    @property
    def views(self) -> int:
        return 2 if self.study.positives == "views" else 1

    @property
    def negatives(self) -> int:
        """|N|: negatives of one anchor."""
        return self.views * (self.study.points - 1)

    def loss(self, z_PD: Tensor) -> Tensor:
        """InfoNCE summed over the P anchors, plus P · λ · the mean pull of those whose class is shown."""
        if self.study.gradient == "tangent":
            z_PD = normalised(z_PD)
        contrast = self._with_positive(z_PD) if self.views == 2 else self._positive_merged(z_PD)
        if self.prototype_KD is None or self.shown_N is None:
            return contrast
        shown_P = self.shown_N.repeat(self.views)
        own_PD = self.prototype_KD.to(z_PD.dtype)[shown_P[shown_P >= 0]]
        pull = 1 - (z_PD[shown_P >= 0] * own_PD).sum(1).mean()
        return contrast + self.weight * len(z_PD) * pull

    def gradient(self, z_PD: Tensor) -> Tensor:
        """Of the summed loss, as the study has it: within the sphere, or with the part along each embedding."""
        leaf_PD = z_PD.detach().clone().requires_grad_()
        (gradient_PD,) = torch.autograd.grad(self.loss(leaf_PD), leaf_PD)
        return gradient_PD

    def _with_positive(self, z_PD: Tensor) -> Tensor:
        """InfoNCE as it is trained: the denominator holds the positive and the negatives."""
        return len(z_PD) * info_nce(z_PD.unflatten(0, (2, -1)), self.temperature)

    def _positive_merged(self, z_ND: Tensor) -> Tensor:
        """Σ log Σ over the negatives: the positive is the anchor itself and adds −1/τ, which is left out.

        The contrast of a single group is this minus the mean similarity to all others, which is added again.
        """
        count = len(z_ND)
        total_D = z_ND.sum(0)
        others = (total_D.square().sum() - z_ND.square().sum()) / (count - 1)
        one_group_N = torch.zeros(count, dtype=torch.int64)
        return count * contrast_of_normalised(z_ND, one_group_N, self.temperature) + others / self.temperature


def step(z_PD: Tensor, gradient_PD: Tensor, rate: float) -> Tensor:
    """One gradient step and back onto the sphere; `rate` is η."""
    return normalised(z_PD - rate * gradient_PD)
