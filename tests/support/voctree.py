"""A tree of VOC 2007's layout, drawn by the tests: coloured rectangles on noise, with their annotations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Object = tuple[str, tuple[int, int, int, int], bool]
"""Class, box in VOC's own numbers (xmin, ymin, xmax, ymax: from 1, the last pixel included), difficult."""

COLOURS = {"cat": (230, 40, 40), "dog": (40, 60, 230), "sheep": (40, 220, 60)}


def write(root: Path, image_set: str, name: str, objects: Sequence[Object], pixels: np.ndarray) -> None:
    """Add one image to an image set."""
    folder = root / "VOCdevkit" / "VOC2007"
    for part in ("ImageSets/Main", "JPEGImages", "Annotations"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with (folder / "ImageSets" / "Main" / f"{image_set}.txt").open("a") as listing:
        listing.write(f"{name}\n")
    Image.fromarray(pixels).save(folder / "JPEGImages" / f"{name}.jpg", "PNG")  # Without loss.
    lines = [
        f"<object><name>{kind}</name><difficult>{int(difficult)}</difficult><bndbox><xmin>{box[0]}</xmin>"
        f"<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
        for kind, box, difficult in objects
    ]
    annotation = folder / "Annotations" / f"{name}.xml"
    annotation.write_text(f"<annotation>{''.join(lines)}</annotation>")


def draw(root: Path, train: int, test: int, side: int = 64) -> Path:
    """Images with one or two large rectangles, each class in its colour."""
    rng = np.random.default_rng(0)
    for image_set, count in (("trainval", train), ("test", test)):
        for number in range(count):
            pixels = rng.integers(90, 130, (side, side, 3), dtype=np.uint8)
            objects: list[Object] = []
            for half in range(1 + number % 2):
                kind = list(COLOURS)[int(rng.integers(len(COLOURS)))]
                left, top = (int(value) for value in rng.integers(0, side // 8, 2))
                top += half * side // 2
                right, bottom = left + side // 2, top + side // 3
                pixels[top:bottom, left:right] = COLOURS[kind]
                objects.append((kind, (left + 1, top + 1, right, bottom), False))
            write(root, image_set, f"{image_set}{number:03d}", objects, pixels)
    return root
