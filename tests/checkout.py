"""Where the checkout is, overrides that make a cell take under a second, and data sets as pixels."""

from pathlib import Path
from typing import TypeVar, cast

from clopbench.data import sources
from clopbench.data.store import DataSet, Split

ROOT = Path(__file__).resolve().parents[1]
QUICK = ["training.epochs=1", "training.warmup_epochs=0", "encoder.width=4", "evaluation.collapse_rank=0"]

T = TypeVar("T")


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
