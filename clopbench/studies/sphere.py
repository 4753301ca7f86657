"""The theory by simulation: points on the unit sphere under exact gradient steps, without a network.

sphere_objective.py has the loss, sphere_measures.py what is measured. Always on the CPU, in float64.

Shapes: N points, P = N or 2N embeddings (one or two views of each point, view-major), D dimensions, K classes.
"""

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from clopbench import seeds
from clopbench.cell import Cell
from clopbench.contrastive import normalised
from clopbench.errors import UserError
from clopbench.studies import sphere_measures
from clopbench.studies.sphere_objective import Objective
from clopbench.studies.study_kind import Outcome, Preparing, StudyKind
from clopbench.study import SphereStudy
from clopbench.suite.plugins import Plugins

PLACED = 1e-13
"""How near the mean of the points must come to where it is wanted."""
MOST_MOVES = 10_000


class Sphere(StudyKind):
    """All measures of `sphere_measures`. The history has a row per step."""

    study: SphereStudy
    trains: ClassVar[bool] = False

    def check(self, images: Callable[[], int]) -> None:
        objective(self.cell, self.study, self.plugins)
        start(self.study, self.cell.seed)

    def measure(self, prepare: Preparing) -> Outcome:
        loss = objective(self.cell, self.study, self.plugins)
        z_PD = start(self.study, self.cell.seed)
        metrics = sphere_measures.one_step(loss, z_PD)
        metrics |= sphere_measures.safe_range(loss, z_PD)
        metrics |= sphere_measures.lemma(loss, z_PD)
        ends, history = sphere_measures.long_run(loss, z_PD)
        return Outcome(metrics | ends, list(history))


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
