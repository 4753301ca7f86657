"""LARS: layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017, arXiv 1708.03888).

There are several variants. This is the one of SimCLR's released code (google-research/simclr,
lars_optimizer.py, "classic momentum"), of which the authors' LARs.py is a translation. For each weight tensor
w with gradient g, weight decay β, trust coefficient η, momentum m and learning rate γ:

    d = g + β w                                  the decay is part of the gradient,
    λ = η ‖w‖ / ‖d‖                              and so of the norm that the local rate divides by
    v ← m v + γ λ d                              the rate goes into the momentum buffer: a change of γ
    w ← w − v                                    acts on new gradients only

You et al. divide by ‖g‖ + β ‖w‖ instead, which is at least as large.

Biases and the scales and shifts of norms (tensors of at most one dimension) are neither decayed nor adapted:
λ = 1 and β = 0. With `adapt_all` they are both, as in the authors' code.

Where a norm is zero, λ is 1, as in SimCLR's code. The authors' translation tests for ≥ 0 where SimCLR's tests
for > 0, so that λ = 0 where w = 0: a batch norm's shift, which begins at zero, never moves. `adapt_all`
follows that too, except that 0/0, which is NaN there, is 0 here.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from clopbench.errors import UserError


class LARS(torch.optim.Optimizer):
    """Stochastic gradient descent with momentum and a local rate per tensor, as the module says.

    All parameters are on one device. A step makes no CPU wait for it. Sparse gradients are not supported.
    Raises UserError for values out of range.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
        adapt_all: bool = False,
    ):
        for field, value in (("learning_rate", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if value < 0:
                raise UserError(f"training.{field}: must be at least 0, {value:g} was given")
        if trust <= 0:
            raise UserError(f"training.lars_trust: must be above 0, {trust:g} was given")
        defaults = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust, "adapt_all": adapt_all
        }  # fmt: skip
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step on all parameters that have a gradient; gradients are left as they are.

        Returns what `closure`, called with gradients enabled, returns.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            adapted = [weight for weight in weights if group["adapt_all"] or weight.ndim > 1]
            plain = [weight for weight in weights if not (group["adapt_all"] or weight.ndim > 1)]
            if adapted:
                self._move(adapted, _scaled_directions(adapted, group), group)
            if plain:
                self._move(plain, _gradients(plain), group)
        return loss

    def _move(self, weights: list[Tensor], directions: list[Tensor], group: dict[str, Any]) -> None:
        """Momentum and step, v ← m v + γ d and w ← w − v; the directions d have the local rate in them."""
        buffers = [self._buffer(weight) for weight in weights]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, directions, alpha=group["lr"])
        torch._foreach_sub_(weights, buffers)

    def _buffer(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        return state["momentum_buffer"]


def _scaled_directions(weights: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
    """λ d for each tensor, in new memory."""
    directions = list(torch._foreach_add(_gradients(weights), weights, alpha=group["weight_decay"]))
    weight_norm_P = torch.stack(torch._foreach_norm(weights))
    direction_norm_P = torch.stack(torch._foreach_norm(directions))
    rate_P = group["trust"] * weight_norm_P / direction_norm_P
    zero_P = (weight_norm_P == 0) | (direction_norm_P == 0)
    rate_P = torch.where(zero_P, 0.0 if group["adapt_all"] else 1.0, rate_P)
    torch._foreach_mul_(directions, list(rate_P.unbind()))
    return directions


def _gradients(weights: list[Tensor]) -> list[Tensor]:
    return [weight.grad for weight in weights if weight.grad is not None]
