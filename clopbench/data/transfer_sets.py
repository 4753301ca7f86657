"""Data sets that a trained encoder is tested on, read from the files that their authors distribute.

Each has a reader: its folder → paths and labels of both splits. Where torchvision has a class for it, it
downloads and lists the files. Splits are those of Kornblith, Shlens & Le 2019 (table 2) but for two data sets
without one in torchvision, SUN397 and Caltech-101. torchvision is imported when a data set is prepared.

Shapes: N images, K classes.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np

from clopbench.data import voc
from clopbench.data.walking import Ignored, Walk, class_folders
from clopbench.errors import UserError


@dataclass(frozen=True)
class Listing:
    """Per split ("train", "test") files and labels: int64 [N], or [N, K] as `voc.presence` has them.

    ignored: what of the files is not used, in words, where it is not lists that name the images.
    """

    class_names: Sequence[str]
    paths: dict[str, list[Path]]
    labels: dict[str, np.ndarray]
    ignored: Sequence[str] = ()


def read(name: str, root: Path, download: bool) -> Listing:
    """List a data set of READERS. Raises UserError where its files are not there or cannot be fetched."""
    try:
        with redirect_stdout(StringIO()):
            listing = READERS[name](root, download)
    except (OSError, RuntimeError, ValueError, KeyError, ImportError) as error:  # Caltech-101 needs gdown.
        what = "cannot be downloaded" if download else f"is not in {root} as its authors distribute it"
        raise UserError(f"data set {name}: {what} ({' '.join(str(error).split())})") from error
    for split, paths in listing.paths.items():
        if not paths:
            raise UserError(f"data set {name}: {root} has no {split} images of it")
    return listing


def _by_split(kind: str, training: Sequence[str], root: Path, download: bool) -> Listing:
    """A class of torchvision with splits; those of `training` are joined."""
    import torchvision

    make = partial(getattr(torchvision.datasets, kind), root, download=download, loader=Path)
    parts = {"train": [make(split=split) for split in training], "test": [make(split="test")]}
    # With `loader` an item is (path, class number), and no image is decoded.
    items = {split: [part[i] for part in joined for i in range(len(part))] for split, joined in parts.items()}
    return _listing(parts["test"][0].classes, items)


def _pets(root: Path, download: bool) -> Listing:
    """Torchvision's class of the pets decodes every image that it is asked about, so its list is read here."""
    import torchvision

    known = torchvision.datasets.OxfordIIITPet(root, split="test", download=download)
    folder = Path(root, "oxford-iiit-pet")
    items = {}
    for split, listing in (("train", "trainval"), ("test", "test")):
        lines = os.fsdecode((folder / "annotations" / f"{listing}.txt").read_bytes()).splitlines()
        named = [line.split()[:2] for line in lines]
        items[split] = [(folder / "images" / f"{name}.jpg", int(number) - 1) for name, number in named]
    return _listing(known.classes, items)


def _caltech(root: Path, download: bool) -> Listing:
    """101 categories without the background: 30 images of each for training, the others for testing."""
    if download:
        import torchvision

        torchvision.datasets.Caltech101(root, download=True)
    folder = Path(root, "caltech101", "101_ObjectCategories")
    walk = Walk(Ignored(folder))
    names = [name for name in class_folders(folder, walk.ignored) if name != "BACKGROUND_Google"]
    files = [(path, number) for number, name in enumerate(names) for path in walk.images_below(folder / name)]
    return replace(_listing(names, _drawn(files, folder, 30, None)), ignored=walk.ignored.lines())


def _sun397(root: Path, download: bool) -> Listing:
    """50 images of each class for training and 50 for testing, as in SUN's own partitions, but drawn here."""
    import torchvision

    known = torchvision.datasets.SUN397(root, download=download, loader=Path)
    files = sorted(known[i] for i in range(len(known)))
    return _listing(known.classes, _drawn(files, Path(root, "SUN397"), 50, 50))


def _voc2007(root: Path, download: bool) -> Listing:
    """Every image with all the classes that it shows."""
    if download:
        download_voc(root)
    images = {split: voc.read(root, split) for split in voc.IMAGE_SETS}
    return Listing(
        voc.CLASSES,
        {split: [image.path for image in found] for split, found in images.items()},
        {split: voc.presence(found) for split, found in images.items()},
    )


def download_voc(root: Path) -> None:
    """Fetch VOC 2007 by torchvision, which checks MD5 sums, and delete the archives."""
    import torchvision

    for image_set in voc.IMAGE_SETS.values():
        torchvision.datasets.VOCDetection(root, "2007", image_set, download=True)
    for archive in Path(root).glob("*.tar"):
        archive.unlink()


READERS: dict[str, Callable[[Path, bool], Listing]] = {
    "food101": partial(_by_split, "Food101", ("train",)),
    "sun397": _sun397,
    "cars": partial(_by_split, "StanfordCars", ("train",)),
    "aircraft": partial(_by_split, "FGVCAircraft", ("trainval",)),
    "voc2007": _voc2007,
    "dtd": partial(_by_split, "DTD", ("train", "val")),
    "pets": _pets,
    "caltech101": _caltech,
    "flowers102": partial(_by_split, "Flowers102", ("train", "val")),
}


def _listing(class_names: Sequence[str], items: dict[str, list[tuple[Path, int]]]) -> Listing:
    return Listing(
        class_names,
        {split: [Path(path) for path, _ in found] for split, found in items.items()},
        {split: np.array([label for _, label in found], np.int64) for split, found in items.items()},
    )


def _drawn(
    files: Sequence[tuple[Path, int]], root: Path, train: int, test: int | None
) -> dict[str, list[tuple[Path, int]]]:
    """A split drawn once for all: of each class the first ones in the order of the SHA-256 of their names."""

    def place(item: tuple[Path, int]) -> str:
        return hashlib.sha256(os.fsencode(item[0].relative_to(root).as_posix())).hexdigest()

    drawn: dict[str, list[tuple[Path, int]]] = {"train": [], "test": []}
    for number in sorted({label for _, label in files}):
        members = sorted((item for item in files if item[1] == number), key=place)
        drawn["train"] += members[:train]
        drawn["test"] += members[train : None if test is None else train + test]
    return drawn
