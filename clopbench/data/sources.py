"""The data sets, by name: digits, which scikit-learn embeds, and those that are prepared once on disk.

Nothing here imports torch, torchvision or Pillow before a data set is prepared. Shapes: N images, C channels,
H × W pixels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clopbench.data import store
from clopbench.data.dataset import COUNTED, DataSet, Split
from clopbench.errors import UserError, unknown

__all__ = ["SOURCES", "DataSet", "Source", "Split", "load", "missing", "source"]


@dataclass(frozen=True)
class Source:
    """What can be said of a data set without loading it. `version` changes when its pixels do.

    download: the class in torchvision.datasets that fetches it. layout: training images, test images and their
    size in pixels (0: mixed), where known. image_size: what images of mixed sizes are brought to by default.
    Of a data set with a download, images are sorted by content within each class, so that a download and an
    image folder of the same images, in whatever order, are the same data set with the same hash.

    own_files: `--from DIR` is what the data set's authors distribute, as torchvision lays it out, and images
    keep the order of their lists. labels, unlabelled: see `Meta`. measure: by which it is customary to judge a
    linear evaluation on it (Kornblith, Shlens & Le 2019, table 2): top-1 accuracy, the mean of the classes'
    accuracies, or VOC 2007's mean average precision at 11 points.
    """

    version: int
    num_classes: int
    summary: str
    load: Callable[[], DataSet]
    download: str | None = None
    layout: tuple[int, int, int] | None = None
    image_size: int | None = None
    own_files: bool = False
    labels: str = "class"
    unlabelled: int = 0
    measure: Literal["top1", "mean_per_class", "voc_map"] = "top1"


def load(name: str) -> DataSet:
    """Load a data set with one label an image.

    Raises UserError for an unknown name, for one that must be prepared first, and for other kinds of labels.
    """
    found = source(name)
    if found.labels != "class":
        use = "transfer" if found.labels == "several" else "detection"
        raise UserError(f"data.name: {name} has no single class per image; it goes with evaluation.{use}")
    return found.load()


def source(name: str) -> Source:
    """The description of a data set; a prepared one is described by its meta.json.

    Raises UserError for an unknown name.
    """
    if name in EMBEDDED:
        return SOURCES[name]
    meta = store.read_meta(name)
    if meta is not None:
        train, test = (sum(meta.counts[split]) for split in ("train", "test"))
        size = f", {'×'.join(map(str, meta.shape))}" if meta.shape else ""
        more = f" and {meta.unlabelled} unlabelled" if meta.unlabelled else ""
        summary = (
            f"{train} + {test} {COUNTED[meta.labels]} in {meta.num_classes} classes{more}{size}: {meta.source}"
        )
        open_prepared = store.open_packed if meta.folder is None else store.open_folder
        measure = SOURCES[name].measure if name in SOURCES else "top1"
        return Source(
            meta.version, meta.num_classes, summary, partial(open_prepared, name, meta),
            layout=(train, test, meta.shape[-1] if meta.shape else 0),
            labels=meta.labels, unlabelled=meta.unlabelled, measure=measure,
        )  # fmt: skip
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
    own = "the folder to which torchvision would download it"
    layout = own if SOURCES[name].own_files else "an image folder (train/<class>/*, test/<class>/*)"
    return UserError(
        f"data set {name} is not prepared (no {store.root() / name}): run `{command(name)}`{offline}, "
        f"DIR being {layout}"
    )


def with_versions(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """An evaluation's fields with the versions of the data sets that it names, which are part of a cell.

    Raises UserError for an unknown data set, and for one that is listed twice.
    """
    fields = dict(evaluation)
    if "transfer" in fields:
        names = fields["transfer"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(
                f"evaluation.transfer: must be a list of data sets, such as [dtd, pets] (got {names!r})"
            )
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f"evaluation.transfer: '{twice}' is listed twice")
        fields["transfer"] = {name: source(name).version for name in names}
    if isinstance(name := fields.get("detection"), str):
        fields["detection_version"] = source(name).version
    return fields


EMBEDDED = ("digits", "digits_seen", "digits_unseen")
DIGITS_TRAIN = 1437
SEEN = 5
"""Of the ten digits, how many belong to digits_seen."""


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


def _some_digits(name: str, first: int, end: int) -> DataSet:
    """The digits `first` … `end` − 1, numbered from 0; the split is that of all digits."""
    everything = _digits()

    def chosen(split: Split) -> Split:
        kept = (split.labels >= first) & (split.labels < end)
        return Split(split.images[kept], split.labels[kept] - first)

    assert isinstance(everything.train, Split) and isinstance(everything.test, Split)
    return DataSet(name, 1, end - first, chosen(everything.train), chosen(everything.test))


def _absent(name: str) -> DataSet:
    raise missing(name)


def _prepared(name: str, num_classes: int, summary: str, **more) -> Source:
    return Source(1, num_classes, summary, partial(_absent, name), **more)


def _own(name: str, num_classes: int, summary: str, download: str | None, layout: tuple[int, int, int], **more):
    """A data set whose files torchvision knows; its images are brought to one size when it is packed."""
    return _prepared(
        name,
        num_classes,
        summary,
        download=download,
        layout=layout,
        image_size=layout[2],
        own_files=True,
        **more,
    )


SOURCES: dict[str, Source] = {
    "digits": Source(1, 10, "1797 handwritten digits, 8×8, embedded in scikit-learn", _digits),
    "digits_seen": Source(
        1, SEEN, "those of digits that show 0 to 4", partial(_some_digits, "digits_seen", 0, SEEN)
    ),
    "digits_unseen": Source(
        1, 10 - SEEN, "those of digits that show 5 to 9", partial(_some_digits, "digits_unseen", SEEN, 10)
    ),
    "cifar10": _prepared(
        "cifar10", 10, "60,000 colour images, 32×32 (Krizhevsky 2009)",
        download="CIFAR10", layout=(50_000, 10_000, 32),
    ),
    "cifar100": _prepared(
        "cifar100", 100, "60,000 colour images, 32×32 (Krizhevsky 2009), fine labels",
        download="CIFAR100", layout=(50_000, 10_000, 32),
    ),
    "stl10": _prepared(
        "stl10", 10, "13,000 colour images, 96×96, and 100,000 unlabelled (Coates, Ng & Lee 2011)",
        download="STL10", layout=(5_000, 8_000, 96), unlabelled=100_000,
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
    "food101": _own(
        "food101", 101, "Food-101 (Bossard et al. 2014)", "Food101", (75_750, 25_250, 224)
    ),
    "sun397": _own(
        "sun397", 397, "SUN397 (Xiao et al. 2010), 50 + 50 images a class, not an official partition", "SUN397",
        (19_850, 19_850, 224),
    ),
    "cars": _own("cars", 196, "Stanford Cars (Krause et al. 2013)", None, (8_144, 8_041, 224)),
    "aircraft": _own(
        "aircraft", 100, "FGVC Aircraft, variants (Maji et al. 2013)", "FGVCAircraft", (6_667, 3_333, 224),
        measure="mean_per_class",
    ),
    "voc2007": _own(
        "voc2007", 20, "PASCAL VOC 2007, which classes an image shows (Everingham et al. 2010)", "VOCDetection",
        (5_011, 4_952, 224), labels="several", measure="voc_map",
    ),
    "voc2007_boxes": _prepared(
        "voc2007_boxes", 20, "PASCAL VOC 2007, objects and their boxes, for detection", download="VOCDetection",
        layout=(5_011, 4_952, 0), own_files=True, labels="boxes",
    ),
    "dtd": _own("dtd", 47, "Describable Textures, split 1 (Cimpoi et al. 2014)", "DTD", (3_760, 1_880, 224)),
    "pets": _own(
        "pets", 37, "Oxford-IIIT Pets (Parkhi et al. 2012)", "OxfordIIITPet", (3_680, 3_669, 224),
        measure="mean_per_class",
    ),
    "caltech101": _own(
        "caltech101", 101, "Caltech-101 (Fei-Fei et al. 2004), 30 images a class for training, no background",
        "Caltech101", (3_030, 5_647, 224), measure="mean_per_class",
    ),
    "flowers102": _own(
        "flowers102", 102, "Oxford 102 Flowers (Nilsback & Zisserman 2008)", "Flowers102", (2_040, 6_149, 224),
        measure="mean_per_class",
    ),
}  # fmt: skip
