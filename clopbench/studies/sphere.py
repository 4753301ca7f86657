"""The theory by simulation: points on the unit sphere under exact gradient steps, without a network.

The loss is *summed* over its anchors, as the paper writes InfoNCE: with a mean over anchors (as networks are
trained here) the same step has a learning rate that is larger by their number. CLOP's term is summed in the
same proportion, so that λ weighs what it weighs in training. All in float64.

Shapes: N points, P = N or 2N embeddings (one or two views of each point, view-major), D dimensions, R rates.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clopbench import seeds
from clopbench.cell import Cell
from clopbench.contrastive import contrast_of_normalised, info_nce, normalised
from clopbench.errors import UserError
from clopbench.study import SphereStudy
from clopbench.suite.plugins import Plugins

PLACED = 1e-13
"""How near the mean of the points must come to where it is wanted."""
MOST_MOVES = 10_000


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


def objective(cell: Cell, study: SphereStudy, plugins: Plugins) -> Objective:
    """The loss of the cell's method: `simclr`, or `clop` on top of it.

    Raises UserError for another method, and where the method refuses its parameters.
    """
    name, given = cell.method.name, cell.method.parameters
    if name not in ("simclr", "clop") or given.get("base", "simclr") != "simclr":
        raise UserError(
            f"study sphere: method simclr, or clop with base simclr, not {name} {given.get('base', '')}"
        )
    if given.get("similarity", "cosine") != "cosine":
        raise UserError("study sphere: method.similarity must be cosine")
    generator = torch.Generator()
    generator.manual_seed(seeds.integer(cell.seed, "prototypes"))
    method = plugins.get(name).load()(study.dim, study.classes, generator=generator, **given)  # pyright: ignore[reportCallIssue]
    if name == "simclr":
        return Objective(study, given["temperature"])
    prototype_KD = method.prototype_KD
    assert isinstance(prototype_KD, Tensor)
    shown_N = torch.from_numpy(shown_labels(study, cell.seed))
    return Objective(study, given["temperature"], given["weight"], prototype_KD, shown_N)


def shown_labels(study: SphereStudy, seed: int) -> np.ndarray:
    """Classes in turn, int64 [N]; −1 for the points that are drawn not to show theirs."""
    label_N = np.arange(study.points) % study.classes
    shown = max(1, round(study.label_fraction * study.points))
    hidden = seeds.numpy_generator(seed, "subset").permutation(study.points)[shown:]
    label_N[hidden] = -1
    return label_N


def start(study: SphereStudy, seed: int) -> Tensor:
    """Embeddings before the first step [P, D]: Gaussian directions whose mean has the norm `start_mean`.

    They are shifted along a random axis until that is so to 1e-13. Views of a point part symmetrically, in a
    random direction, which turns the mean's norm into start_mean · cos(apart / 2).
    """
    generator = seeds.numpy_generator(seed, "init")
    x_ND = normalised(torch.from_numpy(generator.standard_normal((study.points, study.dim))))
    wanted_D = study.start_mean * normalised(torch.from_numpy(generator.standard_normal(study.dim)))
    z_ND, shift_D = x_ND, torch.zeros_like(wanted_D)
    for _ in range(MOST_MOVES):
        missing_D = wanted_D - z_ND.mean(0)
        if missing_D.norm() < PLACED:
            break
        shift_D = shift_D + missing_D
        z_ND = normalised(x_ND + shift_D)
    else:
        raise UserError(f"study.start_mean: {study.start_mean} cannot be reached with {study.points} points")
    if study.positives == "merged":
        return z_ND
    t_ND = torch.from_numpy(generator.standard_normal((study.points, study.dim)))
    t_ND = normalised(t_ND - (t_ND * z_ND).sum(1, keepdim=True) * z_ND)
    half = math.radians(study.apart) / 2
    return torch.cat([math.cos(half) * z_ND + sign * math.sin(half) * t_ND for sign in (1, -1)])


def step(z_PD: Tensor, gradient_PD: Tensor, rate: float) -> Tensor:
    """One gradient step and back onto the sphere; `rate` is η."""
    return normalised(z_PD - rate * gradient_PD)
