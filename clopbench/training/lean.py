"""torch's optimisers without its compiler, which they import only to tell it to keep out of their way.

That import is 900 modules and two seconds at the start of every process (torch 2.15). The mathematics is all
torch's: only the wrappers around it are taken off. Where torch has changed them, they stay, and cost that time.
"""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.optim import Optimizer


@cache
def lean(optimizer: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    """A subclass of one of torch's optimisers whose steps do not import the compiler."""
    kind: Any = optimizer
    return type(kind.__name__, (kind,), {"step": torch.no_grad()(inspect.unwrap(kind.step))})


def keep_compiler_out() -> None:
    """Let the methods that all optimisers have call themselves, instead of a version that is never compiled."""
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        plain = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if plain is not None:
            plain.__dynamo_disable = plain
