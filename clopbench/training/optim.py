"""The optimiser and its learning-rate schedule."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from clopbench.cell import TrainingConfig
from clopbench.errors import unknown
from clopbench.training.lars import LARS
from clopbench.training.lean import keep_compiler_out, lean

OPTIMIZERS = ("sgd", "adamw", "lars")
RULES = ("constant", "linear", "sqrt")
SCHEDULES = ("cosine", "authors")


def build_optimizer(parameters: Iterable[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that `config` names, at the full learning rate.

    sgd: with momentum; weight decay applies to all parameters. adamw: torch's, `momentum` is its β₁ and β₂ is
    0.999; weight decay applies to all parameters. lars: clopbench.training.lars; biases and norms are left out
    of decay and adaptation unless `lars_adapt_all`. Raises UserError for another name.
    """
    keep_compiler_out()
    rate, decay = peak_learning_rate(config), config.weight_decay
    match config.optimizer:
        case "sgd":
            return lean(torch.optim.SGD)(parameters, lr=rate, momentum=config.momentum, weight_decay=decay)
        case "adamw":
            betas = (config.momentum, 0.999)
            return lean(torch.optim.AdamW)(parameters, lr=rate, betas=betas, weight_decay=decay)
        case "lars":
            return LARS(
                parameters,
                rate,
                momentum=config.momentum,
                weight_decay=decay,
                trust=config.lars_trust,
                adapt_all=config.lars_adapt_all,
            )
    raise unknown("training.optimizer", config.optimizer, OPTIMIZERS)


def peak_learning_rate(config: TrainingConfig) -> float:
    """The full rate, after warm-up, for a batch of B images (not views).

    constant: learning_rate; linear: learning_rate · B / 256; sqrt: learning_rate · √B. SimCLR's are
    0.3 · B / 256 and 0.075 · √B (Chen et al. 2020, "Default setting" and appendix B.1). Raises UserError for
    another rule.
    """
    match config.learning_rate_rule:
        case "constant":
            return config.learning_rate
        case "linear":
            return config.learning_rate * config.batch_size / 256
        case "sqrt":
            return config.learning_rate * math.sqrt(config.batch_size)
    raise unknown("training.learning_rate_rule", config.learning_rate_rule, RULES)


def learning_rate(step: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """The rate of a step (counted from 0 over the whole run).

    Linear warm-up that reaches the full rate after `warmup_epochs`, then half a cosine to zero.

    Schedule "cosine" counts steps. Schedule "authors" counts epochs, but its cosine is as long as the run has
    steps, as in the authors' code: the rate is constant within an epoch, and after all E epochs of S steps the
    cosine has gone E of its E · S units. Raises UserError for another schedule.
    """
    steps = config.epochs * steps_per_epoch
    match config.schedule:
        case "cosine":
            now, warmup = step, config.warmup_epochs * steps_per_epoch
        case "authors":
            now, warmup = step // steps_per_epoch, config.warmup_epochs
        case _:
            raise unknown("training.schedule", config.schedule, SCHEDULES)
    peak = peak_learning_rate(config)
    if now < warmup:
        return peak * (now + 1) / warmup
    progress = (now - warmup) / max(1, steps - warmup)
    return peak * (1 + math.cos(math.pi * progress)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
