"""Where the checkout is, cells that take under a second, run in this process, and data sets as pixels."""

import shutil
from pathlib import Path
from typing import TypeVar, cast

from clopbench.cell import Cell
from clopbench.data import sources
from clopbench.data.store import DataSet, Split
from clopbench.results.records import Record
from clopbench.suite.declarations import LaunchConfig
from clopbench.suite.plugins import Plugins
from clopbench.suite.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "report" / "golden"
QUICK = ["training.epochs=1", "training.warmup_epochs=0", "encoder.width=4", "evaluation.collapse_rank=0"]

T = TypeVar("T")


def suite_of(folder: Path, *names: str) -> Suite:
    """A suite in `folder` with some benchmarks and tables of this checkout, and all its methods and scales."""
    for part in ("benchmarks/scale", "methods"):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "tables").mkdir()
    for name in names:
        for part in ("benchmarks", "tables"):
            shutil.copy(ROOT / part / f"{name}.yaml", folder / part)
    return Suite(folder)


class Packed(DataSet):
    """A data set whose pixels are at hand."""

    train: Split
    test: Split


def pixels_of(name: str) -> Packed:
    """Load a data set that is embedded or packed."""
    return cast(Packed, sources.load(name))


def some(value: T | None) -> T:
    """The value, which must be there."""
    assert value is not None
    return value


def run_here(cell: Cell, plugins: Plugins, folder: Path) -> Record:
    """Train and measure a cell in this process; its checkpoint goes into `folder`."""
    import torch

    from clopbench.launch.run_cell import run_cell
    from clopbench.training.assembly import Hooks
    from clopbench.training.stop import StopRequest

    hooks = Hooks(lambda row, trainer: None, folder / "checkpoint.pt", LaunchConfig(), StopRequest())
    return run_cell(cell, plugins, torch.device("cpu"), hooks)
