"""What the theory says of points on the sphere, each formula beside what a simulation gives (paper, section 2).

Rates are multiples of τ throughout: rate = η/τ. m is the mean of the embeddings, g the mean of their gradients.

Shapes: P embeddings, D dimensions.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from clopbench import geometry
from clopbench.studies.sphere_objective import Objective, step

Metrics = dict[str, float | None]
Row = dict[str, float]

GRID = [2 ** (k / 4) for k in range(-12, 29)]
"""Rates at which the end of a range is sought: 0.125 to 128 in quarter octaves."""
HALVINGS = 30
BETWEEN, NARROWINGS = (0.25, 2.25), 6
"""Where the rate is sought from which embeddings draw together, to 0.016 of τ."""


def one_step(objective: Objective, z_PD: Tensor) -> Metrics:
    """Squared norm of the mean after one step, relative to before, against (1 − 2·rate)², at each of `rates`.

    ratio_…: before the embeddings return to the sphere; ratio_on_sphere_…: after. factor_error: the largest
    deviation over the rates, absolute where the formula says that the norm shrinks and relative where it says
    that it grows. pull_back: τ ⟨m, g⟩ / |m|², which the formula takes to be 2; sideways: the part of τ g that
    is orthogonal to m, over |m|, which it takes to be 0.
    """
    gradient_PD = objective.gradient(z_PD)
    mean_D, slope_D = z_PD.mean(0), objective.temperature * gradient_PD.mean(0)
    before = mean_D.square().sum()
    along = (mean_D @ slope_D / before).item()
    metrics: Metrics = {
        "pull_back": along,
        "sideways": ((slope_D - along * mean_D).norm() / before.sqrt()).item(),
    }
    errors: dict[str, list[float]] = {"factor_error": [], "factor_error_on_sphere": []}
    for rate in objective.study.rates:
        predicted = predicted_factor(rate)
        free = ((mean_D - rate * slope_D).square().sum() / before).item()
        on_sphere = _ratio(objective, z_PD, gradient_PD, rate)
        metrics |= {f"ratio_{rate:g}": free, f"ratio_on_sphere_{rate:g}": on_sphere}
        for name, ratio in zip(errors, (free, on_sphere), strict=True):
            errors[name].append(abs(ratio - predicted) / max(1.0, predicted))
    return metrics | {name: max(values) for name, values in errors.items()}


def predicted_factor(rate: float) -> float:
    """(1 − 2η/τ)², the paper's factor; of the squared norm of the mean, as the simulation shows."""
    return (1 - 2 * rate) ** 2


def safe_range(objective: Objective, z_PD: Tensor) -> Metrics:
    """The rates at which one step, with the return to the sphere, shrinks the mean's norm, and the paper's.

    The measured range begins at 0, as a gradient step cannot but shrink the norm at first where the gradient
    has a part along the mean, and ends at `shrinks_below`: the first rate from which the norm is not below the
    initial one. It is smallest at `best_rate`. The paper's range is 1/2 · (1 ∓ σ²(1 + |N|) / (2|N|)). What its
    σ is, is not known: read here as the standard deviation of the embeddings, σ² = E|z − m|² = 1 − |m|².
    worst_in_safe_range: the larger of the ratios of squared norms at the two ends; below 1, the whole range
    lies within the measured one.
    """
    gradient_PD = objective.gradient(z_PD)

    def ratio(rate: float) -> float:
        return _ratio(objective, z_PD, gradient_PD, rate)

    low, high = predicted_range(1 - geometry.mean_norm(z_PD) ** 2, objective.negatives)
    end = _first(lambda rate: ratio(rate) >= 1)
    best = _minimum(ratio, 0.0, end) if end is not None else None
    return {
        "shrinks_below": end,
        "best_rate": best,
        "safe_low": low,
        "safe_high": high,
        "worst_in_safe_range": max(ratio(low), ratio(high)),
    }


def predicted_range(variance: float, negatives: int) -> tuple[float, float]:
    """The paper's safe range in multiples of τ: 1/2 · (1 ∓ σ²(1 + |N|) / (2|N|))."""
    width = variance * (1 + negatives) / (2 * negatives)
    return (1 - width) / 2, (1 + width) / 2


def lemma(objective: Objective, z_PD: Tensor) -> Metrics:
    """Lemma 1: the gradient's norm where all embeddings are equal, or on one line, relative to that at `z_PD`.

    Within the sphere, whatever the study: a gradient along the embeddings would move none of them on it.
    """
    objective = replace(objective, study=objective.study.model_copy(update={"gradient": "tangent"}))
    axis_D = z_PD[0]
    sign_N1 = torch.ones(objective.study.points, 1, dtype=z_PD.dtype)
    sign_N1[::2] = -1
    line_PD = (sign_N1 * axis_D).repeat(objective.views, 1)
    generic = objective.gradient(z_PD).norm()
    return {
        "gradient_equal": (objective.gradient(axis_D.expand_as(z_PD)).norm() / generic).item(),
        "gradient_colinear": (objective.gradient(line_PD).norm() / generic).item(),
    }


def long_run(objective: Objective, z_PD: Tensor) -> tuple[Metrics, list[Row]]:
    """Many steps at each of the long rates: the mean's norm after each, and at the end the norm and the rank.

    rank_…: effective rank, 1 where the embeddings have collapsed. concentrates_from: the rate at which the
    mean's norm at the end is what it was at the start, sought by halving between the limits of BETWEEN:
    embeddings spread below it and draw together above it. None where it is not between these.
    """
    count = objective.study.steps
    history: list[Row] = [{"epoch": number} for number in range(1, count + 1)]
    metrics: Metrics = {}
    for rate in objective.study.long_rates:
        last_PD = z_PD
        for row, last_PD in zip(history, _run(objective, z_PD, rate), strict=True):
            row[f"mean_norm_{rate:g}"] = geometry.mean_norm(last_PD)
        metrics[f"mean_norm_{rate:g}"] = geometry.mean_norm(last_PD)
        metrics[f"rank_{rate:g}"] = geometry.effective_rank(geometry.singular_values(last_PD))
    return metrics | {"concentrates_from": _threshold(objective, z_PD)}, history


def _threshold(objective: Objective, z_PD: Tensor) -> float | None:
    before = geometry.mean_norm(z_PD)

    def concentrated(rate: float) -> bool:
        *_, last_PD = _run(objective, z_PD, rate)
        return geometry.mean_norm(last_PD) > before

    low, high = BETWEEN
    if concentrated(low) or not concentrated(high):
        return None
    for _ in range(NARROWINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if concentrated(middle) else (middle, high)
    return (low + high) / 2


def _run(objective: Objective, z_PD: Tensor, rate: float) -> Iterator[Tensor]:
    """The embeddings after each of the study's steps."""
    for _ in range(objective.study.steps):
        z_PD = step(z_PD, objective.gradient(z_PD), rate * objective.temperature)
        yield z_PD


def _ratio(objective: Objective, z_PD: Tensor, gradient_PD: Tensor, rate: float) -> float:
    """Squared norm of the mean after a step onto the sphere, relative to before."""
    after_PD = step(z_PD, gradient_PD, rate * objective.temperature)
    return (geometry.mean_norm(after_PD) / geometry.mean_norm(z_PD)) ** 2


def _first(holds: Callable[[float], bool]) -> float | None:
    """The lowest rate of the grid at which `holds`, narrowed down to its neighbour; None: at none of them."""
    low = 0.0
    for rate in GRID:
        if holds(rate):
            high = rate
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                low, high = (low, middle) if holds(middle) else (middle, high)
            return high
        low = rate
    return None


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one minimum between `low` and `high` has it (golden section)."""
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(HALVINGS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if function(left) < function(right) else (left, high)
    return (low + high) / 2
