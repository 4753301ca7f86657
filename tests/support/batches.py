"""Methods as their files define them, and batches of random embeddings for their losses."""

import inspect
from typing import Any

import torch
from checkout import ROOT
from torch import Tensor

from clopbench.method import Embedded, Method
from clopbench.suite.plugins import Plugins

PLUGINS = Plugins([ROOT / "methods"])
DIM, CLASSES, FEATURES = 16, 5, 8
LABELLINGS = {"all": [0, 1, 2, 2, 4, 0], "some": [0, -1, 2, 2, -1, 0], "none": [-1] * 6}


def build(name: str, given: dict[str, Any], seed: int = 0) -> Any:
    """The method with these parameters, the others at their defaults. Tests read attributes of its own."""
    plugin = PLUGINS.get(name)
    generator = torch.Generator().manual_seed(seed)
    loaded = plugin.load()
    wanted = inspect.signature(loaded).parameters
    sizes = [DIM, CLASSES, FEATURES] if "features" in wanted else [DIM, CLASSES]
    return loaded(*sizes, generator=generator, **plugin.resolve(given))  # pyright: ignore[reportCallIssue]


def batch(
    labels: list[int],
    seed: int = 99,
    dtype: torch.dtype = torch.float32,
    views: int = 2,
    teacher: bool = False,
) -> Embedded:
    """Random embeddings and features that want a gradient."""
    # Not the seed of `build`: embeddings must not equal prototypes, where distances have a kink.
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(views, len(labels), DIM, generator=generator, dtype=dtype)
    h = torch.randn(views, len(labels), FEATURES, generator=generator, dtype=dtype)
    y, index = torch.tensor(labels), torch.arange(len(labels))
    # A teacher is near its student, not equal.
    average = Embedded(z + 0.1 * z.roll(1, 1), h + 0.1 * h.roll(1, 1), y, index) if teacher else None
    return Embedded(z.requires_grad_(), h.requires_grad_(), y, index, average)


def batch_for(method: Method, labels: list[int], **given: Any) -> Embedded:
    """A batch with a teacher, but only for a method that asks for one."""
    return batch(labels, teacher=method.teacher_momentum is not None, **given)


def reordered(data: Embedded, order: Tensor) -> Embedded:
    """The same images in another order."""
    teacher = None if data.teacher is None else reordered(data.teacher, order)
    return Embedded(data.z_VBD[:, order], data.h_VBF[:, order], data.y_B[order], data.index_B[order], teacher)
