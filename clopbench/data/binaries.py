"""Data sets that their authors distribute as arrays of pixels, read and downloaded by torchvision.

Shapes: N images, C channels, H × W pixels. torchvision is imported when one is read.
"""

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clopbench.data import store
from clopbench.data.dataset import UNLABELLED
from clopbench.data.decoding import fitted
from clopbench.data.writing import Content
from clopbench.errors import UserError

FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python", "stl10": "stl10_binary"}
"""Where torchvision has the files of each, below the folder that it is given."""


def lies_in(name: str, folder: Path) -> bool:
    """Whether a folder holds a data set as its authors distribute it."""
    return name in FOLDERS and (folder / FOLDERS[name]).is_dir()


def read(name: str, folder: Path, download: bool, image_size: int | None, source: str) -> Content:
    """The images, resized where an image_size is given. Raises UserError where they are missing or damaged."""
    try:
        with redirect_stdout(StringIO()):
            class_names, images, labels = READERS[name](folder, download)
    except (OSError, RuntimeError, AttributeError) as error:  # torchvision checks MD5 sums.
        problem = f"is not in {folder} as its authors distribute it ({error})"
        if download:
            problem = (
                f"cannot be downloaded ({error}); without a network, `bench data prepare {name} --from DIR` "
                f"takes an image folder or {FOLDERS[name]}/, or copy {store.root() / name} from a machine that "
                "has it"
            )
        raise UserError(f"data set {name}: {problem}") from error
    channels, height, width = images["train"].shape[1:]
    return Content(
        class_names,
        labels,
        (channels, image_size or height, image_size or width),
        lambda split: (_resized(image, image_size) for image in images[split]),
        source,
        len(images.get("unlabelled", ())),
    )


def sorted_by_content(content: Content) -> Content:
    """The same images ordered by class, then by their bytes: independent of where they came from."""
    arrays: dict[str, np.ndarray] = {}
    orders: dict[str, list[int]] = {}
    unlabelled = np.full(content.unlabelled, UNLABELLED)
    for split, label_N in (content.labels | {"unlabelled": unlabelled}).items():
        arrays[split] = image_NCHW = np.empty((len(label_N), *content.shape), np.uint8)
        for place, image in zip(image_NCHW, content.images(split) if len(label_N) else (), strict=True):
            place[:] = image
        keys = [(label, image.tobytes()) for label, image in zip(label_N.tolist(), image_NCHW, strict=True)]
        orders[split] = sorted(range(len(keys)), key=keys.__getitem__)
    return replace(
        content,
        labels={split: label_N[orders[split]] for split, label_N in content.labels.items()},
        images=lambda split: (arrays[split][position] for position in orders[split]),
    )


def _resized(image_CHW: np.ndarray, image_size: int | None) -> np.ndarray:
    if image_size is None:
        return image_CHW
    return fitted(Image.fromarray(np.ascontiguousarray(image_CHW.transpose(1, 2, 0))), image_size)


Parts = tuple[Sequence[str], dict[str, np.ndarray], dict[str, np.ndarray]]
"""Names of classes; images of the splits, uint8 [N, C, H, W]; labels of those that have some, int64 [N]."""


def _cifar(kind: str, folder: Path, download: bool) -> Parts:
    import torchvision

    make: Callable = getattr(torchvision.datasets, kind)
    parts = {"train": make(folder, train=True, download=download), "test": make(folder, train=False)}
    images = {split: np.asarray(part.data).transpose(0, 3, 1, 2) for split, part in parts.items()}
    return parts["train"].classes, images, {s: np.asarray(part.targets, np.int64) for s, part in parts.items()}


def _stl10(folder: Path, download: bool) -> Parts:
    """The 5,000 training images without their folds, and the 100,000 that have no label."""
    import torchvision

    names = {"train": "train", "test": "test", "unlabelled": "unlabeled"}
    parts: dict[str, Any] = {
        split: torchvision.datasets.STL10(folder, theirs, download=download) for split, theirs in names.items()
    }
    labels = {split: np.asarray(parts[split].labels, np.int64) for split in ("train", "test")}
    return parts["train"].classes, {split: part.data for split, part in parts.items()}, labels


READERS: dict[str, Callable[[Path, bool], Parts]] = {
    "cifar10": partial(_cifar, "CIFAR10"),
    "cifar100": partial(_cifar, "CIFAR100"),
    "stl10": _stl10,
}
