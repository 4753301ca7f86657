"""PASCAL VOC 2007 as it lies on disk: which classes an image shows, and where its objects are.

    <root>/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt, test.txt    names of images, one a line
                             JPEGImages/<name>.jpg
                             Annotations/<name>.xml                   objects with class, box and 'difficult'

Shapes: N images, G objects of an image, K = 20 classes. Only numpy is imported here.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from clopbench.data.dataset import ABSENT, HARD, PRESENT
from clopbench.errors import UserError

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train"),
    "tvmonitor",
)
IMAGE_SETS = {"train": "trainval", "test": "test"}
"""Our split → the image set that is it (Everingham et al. 2010)."""


@dataclass(frozen=True)
class Annotated:
    """One image and its objects.

    box_G4: float32 (left, top, right, bottom) in coordinates where pixel i covers [i, i + 1]: VOC counts pixels
    from 1 and includes the last one, so 1 is taken from left and top. label_G: int64 class numbers.
    """

    path: Path
    box_G4: np.ndarray
    label_G: np.ndarray
    difficult_G: np.ndarray


def read(root: Path, split: str) -> list[Annotated]:
    """The images of a split ("train" or "test") in the order of its list.

    Raises UserError where files are missing or annotations cannot be read.
    """
    folder = root / "VOCdevkit" / "VOC2007"
    listing = folder / "ImageSets" / "Main" / f"{IMAGE_SETS[split]}.txt"
    if not listing.is_file():
        raise UserError(f"--from: {root} has no {listing.relative_to(root)}")
    names = os.fsdecode(listing.read_bytes()).split()
    if not names:
        raise UserError(f"{listing}: names no image")
    return [
        _annotated(folder / "JPEGImages" / f"{name}.jpg", folder / "Annotations" / f"{name}.xml")
        for name in names
    ]


def presence(images: Sequence[Annotated]) -> np.ndarray:
    """Which classes the images show, int64 [N, K] of PRESENT, ABSENT and HARD: as in VOC's own image sets."""
    label_NK = np.full((len(images), len(CLASSES)), ABSENT, np.int64)
    for row, image in zip(label_NK, images, strict=True):
        row[image.label_G[image.difficult_G]] = HARD
        row[image.label_G[~image.difficult_G]] = PRESENT
    return label_NK


def fingerprint(root: Path) -> str:
    """SHA-256 over names and sizes of the images and the bytes of their annotations, of both splits in turn."""
    state = hashlib.sha256()
    for split in IMAGE_SETS:
        for image in read(root, split):
            annotation = image.path.parents[1] / "Annotations" / f"{image.path.stem}.xml"
            name = os.fsencode(f"{split}/{image.path.name}")
            state.update(name + f"\0{image.path.stat().st_size}\n".encode())
            state.update(annotation.read_bytes())
    return state.hexdigest()


def counts(images: Sequence[Annotated]) -> list[int]:
    """Objects of each class."""
    labels = [image.label_G for image in images]
    return np.bincount(np.concatenate(labels), minlength=len(CLASSES)).tolist()


def _annotated(image: Path, annotation: Path) -> Annotated:
    for path in (image, annotation):
        if not path.is_file():
            raise UserError(f"{path}: is missing")
    try:
        objects = ElementTree.parse(annotation).getroot().findall("object")
        label_G = [CLASSES.index(found.findtext("name", "").strip()) for found in objects]
        box_G4 = [_box(found) for found in objects]
        difficult_G = [found.findtext("difficult", "0").strip() == "1" for found in objects]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{annotation}: is no annotation of VOC 2007 ({error})") from None
    return Annotated(
        image,
        np.array(box_G4, np.float32).reshape(-1, 4),
        np.array(label_G, np.int64),
        np.array(difficult_G, bool),
    )


def _box(found: ElementTree.Element) -> list[float]:
    left, top, right, bottom = (
        float(found.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    if not (left <= right and top <= bottom):
        raise ValueError(f"box {left:g} {top:g} {right:g} {bottom:g} has no area")
    return [left - 1, top - 1, right, bottom]
