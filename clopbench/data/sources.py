"""The data sets, by name: digits, which scikit-learn embeds, and those that are prepared once on disk.

Nothing here imports torch, torchvision or Pillow before a data set is prepared. Shapes: N images, C channels,
H × W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from clopbench.data import store
from clopbench.data.store import DataSet, Split
from clopbench.errors import UserError, unknown

__all__ = ["SOURCES", "DataSet", "Source", "Split", "load", "missing", "source"]


@dataclass(frozen=True)
class Source:
    """What can be said of a data set without loading it. `version` changes when its pixels do.

    download: the class in torchvision.datasets that fetches it. layout: training images, test images and their
    size in pixels, where known. image_size: what images of mixed sizes are brought to by default. Of a
    data set with a download, images are sorted by content within each class, so that a download and an image
    folder of the same images, in whatever order, are the same data set with the same hash.
    """

    version: int
    num_classes: int
    summary: str
    load: Callable[[], DataSet]
    download: str | None = None
    layout: tuple[int, int, int] | None = None
    image_size: int | None = None


def load(name: str) -> DataSet:
    """Load a data set. Raises UserError for an unknown name and for one that must be prepared first."""
    return source(name).load()


def source(name: str) -> Source:
    """The description of a data set; a prepared one is described by its meta.json.

    Raises UserError for an unknown name.
    """
    if name == "digits":
        return SOURCES[name]
    meta = store.read_meta(name)
    if meta is not None:
        counts = " + ".join(str(sum(meta.counts[split])) for split in ("train", "test"))
        summary = (
            f"{counts} images in {meta.num_classes} classes, {'×'.join(map(str, meta.shape))}: {meta.source}"
        )
        open_prepared = store.open_packed if meta.folder is None else store.open_folder
        return Source(meta.version, meta.num_classes, summary, partial(open_prepared, name, meta))
    if name in SOURCES:
        return SOURCES[name]
    error = unknown("data set", name, {*SOURCES, *store.prepared_names()})
    raise UserError(f"{error}; an image folder becomes one by `bench data prepare {name} --from DIR`")


def command(name: str) -> str:
    """The command that prepares a known data set."""
    return f"bench data prepare {name}" + ("" if SOURCES[name].download else " --from DIR")


def missing(name: str) -> UserError:
    """The error for a known data set that is not prepared: it says which command does it."""
    offline = f", without a network `{command(name)} --from DIR`" if SOURCES[name].download else ""
    return UserError(
        f"data set {name} is not prepared (no {store.root() / name}): run `{command(name)}`{offline}, "
        "DIR being an image folder (train/<class>/*, test/<class>/*)"
    )


DIGITS_TRAIN = 1437


def _digits() -> DataSet:
    """UCI's optical digits, 8×8, 16 grey levels, as scikit-learn ships them: 1437 for training, 360 for test.

    The split is by position, and the file is ordered by writer: most test digits come from writers that
    are not in the training set, so a perfect score is out of reach and methods can differ.
    """
    # The file that sklearn.datasets.load_digits reads, without importing scikit-learn, which takes a second.
    package = find_spec("sklearn")
    assert package is not None and package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    table = np.loadtxt(path, delimiter=",")
    images = np.rint(table[:, :-1].reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = table[:, -1].astype(np.int64)
    cut = DIGITS_TRAIN
    return DataSet("digits", 1, 10, Split(images[:cut], labels[:cut]), Split(images[cut:], labels[cut:]))


def _absent(name: str) -> DataSet:
    raise missing(name)


def _prepared(name: str, num_classes: int, summary: str, **more) -> Source:
    return Source(1, num_classes, summary, partial(_absent, name), **more)


SOURCES: dict[str, Source] = {
    "digits": Source(1, 10, "1797 handwritten digits, 8×8, embedded in scikit-learn", _digits),
    "cifar10": _prepared(
        "cifar10", 10, "60,000 colour images, 32×32 (Krizhevsky 2009)",
        download="CIFAR10", layout=(50_000, 10_000, 32),
    ),
    "cifar100": _prepared(
        "cifar100", 100, "60,000 colour images, 32×32 (Krizhevsky 2009), fine labels",
        download="CIFAR100", layout=(50_000, 10_000, 32),
    ),
    "tiny_imagenet": _prepared(
        "tiny_imagenet", 200, "110,000 colour images, 64×64 (Stanford CS231n), from an image folder",
        layout=(100_000, 10_000, 64),
    ),
    "imagenet200": _prepared(
        "imagenet200", 200, "200 classes of ImageNet (ILSVRC 2012), from an image folder", image_size=224
    ),
    "imagenet": _prepared(
        "imagenet", 1000, "ImageNet (ILSVRC 2012), from an image folder", image_size=224
    ),
}  # fmt: skip
