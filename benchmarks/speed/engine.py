"""Trainers as a cell of scale cpu has them, on images that are given: what the epoch and step suites time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from clopbench.cell import Cell
from clopbench.launch.process import configure
from clopbench.suite.overrides import parse
from clopbench.suite.suite import Benchmark, Suite
from clopbench.training.feed import Resident
from clopbench.training.loop import Trainer
from clopbench.training.model import build_model

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 100


def cell(method: str, *overrides: str) -> Cell:
    """The cell at seed 0 of `clop` (orthonormal prototypes) or of another method, at scale cpu."""
    return benchmark(method, "cpu", *overrides).entries[-1].cell(0)


def benchmark(method: str, scale: str, *overrides: str) -> Benchmark:
    """table7's benchmark, whose last entry is that of the method."""
    values, _ = parse(list(overrides))
    extra = () if method == "clop" else (method,)
    return Suite(ROOT).benchmark("table7", scale, values, {"prototypes": ["orthonormal"]}, extra)


def trainer(cell: Cell, images: Tensor) -> Trainer:
    """A Trainer in the state that `bench run` gives it. images: uint8 [N, 3, H, W]; labels are random."""
    model = build_model(cell, Suite(ROOT).plugins, images.shape[1], CLASSES)
    model.encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    generator = torch.Generator()
    generator.manual_seed(0)
    return Trainer(cell, model, Resident(images), torch.randint(CLASSES, (len(images),), generator=generator))


@contextlib.contextmanager
def as_in_a_cell(threads: int) -> Iterator[None]:
    """The process-wide settings of a cell (reproducible algorithms), undone afterwards, as peers do without."""
    filling = torch.utils.deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    mode = torch.get_deterministic_debug_mode()
    configure(threads)
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = filling  # pyright: ignore[reportAttributeAccessIssue]
