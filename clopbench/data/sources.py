"""The data sets, by name: digits, which scikit-learn embeds.

Shapes: N images, C channels, H × W pixels.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clopbench.errors import unknown


@dataclass(frozen=True)
class Split:
    """images: uint8 [N, C, H, W]; labels: int64 [N]."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class DataSet:
    """A training and a test split of labelled images."""

    name: str
    version: int
    num_classes: int
    train: Split
    test: Split

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the pixels and labels of both splits."""
        state = hashlib.sha256()
        for array in (self.train.images, self.train.labels, self.test.images, self.test.labels):
            state.update(f"{array.dtype} {array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()


@dataclass(frozen=True)
class Source:
    """What can be said of a data set without loading it. `version` changes when its pixels do."""

    version: int
    num_classes: int
    summary: str
    load: Callable[[], DataSet]


def load(name: str) -> DataSet:
    """Load a data set. Raises UserError for an unknown name."""
    return source(name).load()


def source(name: str) -> Source:
    """The description of a data set. Raises UserError for an unknown name."""
    if name not in SOURCES:
        raise unknown("data set", name, SOURCES)
    return SOURCES[name]


DIGITS_TRAIN = 1437


def _digits() -> DataSet:
    """UCI's optical digits, 8×8, 16 grey levels, as scikit-learn ships them: 1437 for training, 360 for test.

    The split is by position, and the file is ordered by writer: most test digits come from writers that
    are not in the training set, so a perfect score is out of reach and methods can differ.
    """
    from sklearn.datasets import load_digits

    flat, target = load_digits(return_X_y=True)
    images = np.rint(np.asarray(flat).reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = np.asarray(target).astype(np.int64)
    cut = DIGITS_TRAIN
    return DataSet("digits", 1, 10, Split(images[:cut], labels[:cut]), Split(images[cut:], labels[cut:]))


SOURCES: dict[str, Source] = {
    "digits": Source(1, 10, "1797 handwritten digits, 8×8, embedded in scikit-learn", _digits),
}
