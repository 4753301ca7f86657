"""Batch norm whose mean and variance are those of the batch of all ranks.

torch's own is for GPUs only. This one is the same on both: what is tested on a CPU is what runs on GPUs.
Shapes: N inputs of this rank, C channels, R ranks; inputs are [N, C] or [N, C, H, W].
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from clopbench.training.collectives import gathered


def synchronised(module: nn.Module) -> nn.Module:
    """The module with its batch norms replaced by synchronised ones, which take over weights and buffers."""
    if isinstance(module, _BatchNorm):
        return SynchronisedNorm.in_place_of(module)
    for name, child in module.named_children():
        setattr(module, name, synchronised(child))
    return module


class SynchronisedNorm(_BatchNorm):
    """Batch norm over the inputs of all ranks, of which each has the same number."""

    @classmethod
    def in_place_of(cls, norm: _BatchNorm) -> "SynchronisedNorm":
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        new.weight, new.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers(recurse=False):
            setattr(new, name, buffer)
        return new.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm of {input.ndim} dimensions")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        output, mean_C, variance_C = _Normalised.apply(input, self.weight, self.bias, self.eps)
        self._count(mean_C, variance_C, dist.get_world_size() * input.numel() // input.shape[1])
        return output

    @torch.no_grad()
    def _count(self, mean_C: Tensor, variance_C: Tensor, inputs: int) -> None:
        """Move the running statistics as torch's batch norm does: the variance is the unbiased one."""
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        unbiased_C = variance_C * (inputs / max(1, inputs - 1))
        self.running_mean.lerp_(mean_C.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased_C.to(self.running_var.dtype), share)


class _Normalised(torch.autograd.Function):
    """y = (x − μ) / √(σ² + ε) · w + b, with μ and σ² over all ranks; also returns μ and σ².

    The gradient is that of Ioffe & Szegedy 2015 (section 3), its two means being over all ranks too. Those of
    w and b are of this rank's inputs alone: they are summed over the ranks like those of other weights.
    """

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = _precise(input)
        variance_C, mean_C = torch.var_mean(x, _others(x), correction=0)
        both_R2C = torch.stack(gathered(torch.stack([mean_C, variance_C])))
        mean_C = both_R2C[:, 0].mean(0)
        variance_C = both_R2C[:, 1].mean(0) + (both_R2C[:, 0] - mean_C).square().mean(0)
        scale_C = (variance_C + epsilon).rsqrt()
        ctx.save_for_backward(input, weight, mean_C, scale_C)
        output = (x - _along(mean_C, x)) * _along(scale_C if weight is None else scale_C * weight, x)
        if bias is not None:
            output += _along(bias, x)
        ctx.mark_non_differentiable(mean_C, variance_C)
        return output.to(input.dtype), mean_C, variance_C

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad_output: Tensor, *_: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        input, weight, mean_C, scale_C = ctx.saved_tensors
        x, slope = _precise(input), _precise(grad_output)
        unit = (x - _along(mean_C, x)) * _along(scale_C, x)
        own_2C = torch.stack([slope.sum(_others(x)), (slope * unit).sum(_others(x))])
        all_2C = torch.stack(gathered(own_2C)).sum(0)
        mean_2C = all_2C / (dist.get_world_size() * x.numel() // x.shape[1])
        factor_C = scale_C if weight is None else scale_C * weight
        grad = (slope - _along(mean_2C[0], x) - unit * _along(mean_2C[1], x)) * _along(factor_C, x)
        if weight is None:
            return grad.to(input.dtype), None, None, None
        return grad.to(input.dtype), own_2C[1].to(weight.dtype), own_2C[0].to(weight.dtype), None


def _precise(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


def _others(x: Tensor) -> list[int]:
    """All dimensions but the channels'."""
    return [0, *range(2, x.ndim)]


def _along(value_C: Tensor, x: Tensor) -> Tensor:
    """[C] as the channels of x."""
    return value_C.view(1, -1, *[1] * (x.ndim - 2))
