"""The optimiser and its learning-rate schedule."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from clopbench.cell import TrainingConfig


def build_optimizer(parameters: Iterable[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    """SGD with momentum; weight decay applies to all parameters."""
    return torch.optim.SGD(
        parameters, lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
    )


def learning_rate(step: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """The rate of a step (counted from 0 over the whole run).

    Linear warm-up that reaches the full rate after `warmup_epochs`, then half a cosine to zero.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.epochs * steps_per_epoch - warmup)
    return config.learning_rate * (1 + math.cos(math.pi * progress)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
