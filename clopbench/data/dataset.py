"""What a data set is: its splits, its labels, its hash, and the description that lies beside a prepared one.

How one is made and opened is told elsewhere. Shapes: N images, C channels, H × W pixels, K classes.
Only numpy is imported here.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clopbench.data.imagefolder import ImageFolderSplit

FORMAT = 1
CHUNK = 4096  # Images read at once: 12 MB of CIFAR.

UNLABELLED = -1
"""The label of an image of which no class is known, or shown."""

PRESENT, ABSENT, HARD = 1, -1, 0
"""An image shows a class; does not; or shows only objects of it that are marked difficult and do not count."""

COUNTED = {"class": "images", "several": "labels", "boxes": "objects"}
"""What `Meta.counts` counts, by the kind of labels."""


@dataclass(frozen=True)
class Split:
    """images: uint8 [N, C, H, W]; labels: int64 [N] ([N, K] where Meta.labels is "several")."""

    images: np.ndarray
    labels: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width


@dataclass(frozen=True)
class DataSet:
    """A training and a test split of labelled images, and, of some, further images for training without labels.

    The labels of `unlabelled` are all UNLABELLED. It is a split of its own so that nothing that looks at the
    training split, be it a subset or a probe, can take them for a class.
    """

    name: str
    version: int
    num_classes: int
    train: "Split | ImageFolderSplit"
    test: "Split | ImageFolderSplit"
    unlabelled: "Split | ImageFolderSplit | None" = None

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over pixels and labels where the data set is embedded; else what its meta.json says."""
        assert isinstance(self.train, Split) and isinstance(self.test, Split)
        return sha256((self.train.images, self.train.labels, self.test.images, self.test.labels))


@dataclass(frozen=True)
class Meta:
    """What meta.json says. counts: per split, images of each class; mean and std: per channel, in [0, 1].

    folder is None where the images are packed; else they are decoded from that image-folder tree at run time,
    at the size that `shape` says, and sha256 is over names and sizes of its files.

    labels: "class" is one class an image; "several" is any number of them; "boxes" is objects with a box and a
    class, and `counts` counts objects. Only the first kind can be trained on.

    unlabelled: how many images there are beside those that `counts` counts, for training without labels.

    Raises ValueError naming a field that is not what it should be: the file may be anybody's.
    """

    format: int
    name: str
    version: int
    sha256: str
    shape: list[int]
    class_names: list[str]
    counts: dict[str, list[int]]
    mean: list[float] | None
    std: list[float] | None
    source: str
    folder: str | None = None
    labels: str = "class"
    unlabelled: int = 0

    def __post_init__(self) -> None:
        texts = (self.name, self.sha256, self.source, self.labels, *_items(self.class_names))
        right = {
            "format, version or unlabelled": _are_counts([self.format, self.version, self.unlabelled]),
            "name, sha256, source, labels or class_names": all(isinstance(text, str) for text in texts),
            "labels": self.labels in COUNTED,
            "shape": _are_counts(self.shape) and len(self.shape) == (0 if self.labels == "boxes" else 3),
            "counts": isinstance(self.counts, dict)
            and self.counts.keys() == {"train", "test"}
            and all(_are_counts(of) and len(of) == len(self.class_names) > 0 for of in self.counts.values()),
            "mean or std": all(
                values is None or all(isinstance(value, float) for value in _items(values))
                for values in (self.mean, self.std)
            ),
            "folder": self.folder is None or isinstance(self.folder, str),
        }
        if wrong := [field for field, is_right in right.items() if not is_right]:
            raise ValueError(f"wrong {wrong[0]}")

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


def _items(value: object) -> list[object]:
    """The items of a list; of anything else, something that is never right."""
    return value if isinstance(value, list) else [None]


def _are_counts(values: object) -> bool:
    return all(type(value) is int and value >= 0 for value in _items(values))


def sha256(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 over type, shape and bytes of each array in turn, read in pieces (a memory map stays on disk)."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(f"{array.dtype} {array.shape}".encode())
        for start in range(0, len(array), CHUNK):
            state.update(np.ascontiguousarray(array[start : start + CHUNK]).data)
    return state.hexdigest()
