"""Small trees of images in the layouts in which data sets are distributed, drawn by the tests."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("n01443537", "n01629819", "n01641577")
"""Three of ImageNet's synsets."""
SIDE = 8
TRAIN, TEST, FLAT, BARE = range(4), range(10, 12), range(20, 25), range(30, 37)
"""Numbers of the images of each class for training and testing, of those without a class for testing, and of
those without a label for training."""


def pixels(kind: int, number: int, side: int = SIDE) -> np.ndarray:
    """Noise of its own for every image, uint8 [side, side, 3]."""
    return np.random.default_rng([kind, number]).integers(0, 256, (side, side, 3), dtype=np.uint8)


def draw(path: Path, kind: int, number: int, side: int = SIDE) -> None:
    """Save `pixels` without loss, whatever the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(kind, number, side)).save(path, "PNG")


def plain(root: Path, test: str = "test") -> Path:
    """`train/<class>/*` and `test/<class>/*`."""
    for kind, name in enumerate(CLASSES):
        for number in TRAIN:
            draw(root / "train" / name / f"{name}_{number}.JPEG", kind, number)
        for number in TEST:
            draw(root / test / name / f"val_{number}.JPEG", kind, number)
    return root


def imagenet(root: Path) -> Path:
    """ILSVRC 2012: validation images sorted into folders, as everybody does; test images without labels."""
    plain(root, "val")
    for number in FLAT:
        draw(root / "test" / f"ILSVRC2012_test_{number:08d}.JPEG", 9, number)
    return root


def tiny_imagenet(root: Path) -> Path:
    """tiny-imagenet-200.zip: boxes beside the training images, a list of the validation images."""
    lines = []
    for kind, name in enumerate(CLASSES):
        for number in TRAIN:
            draw(root / "train" / name / "images" / f"{name}_{number}.JPEG", kind, number)
        boxes = "".join(f"{name}_{number}.JPEG\t0\t0\t7\t7\n" for number in TRAIN)
        (root / "train" / name / f"{name}_boxes.txt").write_text(boxes)
    for number in TEST:  # As there, neighbours in the list are of different classes.
        for kind, name in enumerate(CLASSES):
            draw(root / "val" / "images" / f"val_{number}{kind}.JPEG", kind, number)
            lines.append(f"val_{number}{kind}.JPEG\t{name}\t0\t0\t7\t7\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    for number in FLAT:
        draw(root / "test" / "images" / f"test_{number}.JPEG", 9, number)
    (root / "wnids.txt").write_text("\n".join(CLASSES))
    (root / "words.txt").write_text("n00001740\tentity\n")
    return root


def with_unlabelled(root: Path, name: str = "unlabelled") -> Path:
    """A plain tree beside whose splits there are images without a label."""
    plain(root)
    for number in BARE:
        draw(root / name / f"{number}.png", 8, number)
    return root


STL_CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
STL_SIDE = 96


def stl10_binary(root: Path, train: int = 12, test: int = 11, unlabelled: int = 7) -> Path:
    """STL-10's own files: images as [3, column, row], labels from 1, in an order that mixes the classes."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for split, first, count in (("train", 0, train), ("test", 100, test), ("unlabeled", 200, unlabelled)):
        kinds = [(7 * number) % 10 for number in range(count)]
        images = [pixels(kind, first + number, STL_SIDE) for number, kind in enumerate(kinds)]
        (folder / f"{split}_X.bin").write_bytes(np.stack(images).transpose(0, 3, 2, 1).tobytes())
        if split != "unlabeled":
            (folder / f"{split}_y.bin").write_bytes(bytes(kind + 1 for kind in kinds))
    (folder / "class_names.txt").write_text("\n".join(STL_CLASSES) + "\n")
    return root


def stl10_folders(root: Path, train: int = 12, test: int = 11, unlabelled: int = 7) -> Path:
    """The images of `stl10_binary` as people keep them in folders, under names of another order."""
    for split, first, count in (("train", 0, train), ("test", 100, test), ("unlabelled", 200, unlabelled)):
        for number in range(count):
            kind = (7 * number) % 10
            place = "" if split == "unlabelled" else STL_CLASSES[kind]
            draw(root / split / place / f"{999 - number}.png", kind, first + number, STL_SIDE)
    return root


def png(rows: bytes, width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG written by hand, by its specification: `rows` without filter bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = len(rows) // height
    filtered = b"".join(b"\0" + rows[start : start + size] for start in range(0, len(rows), size))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(filtered)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(samples: bytes, width: int, height: int, bits: int, channels: int) -> bytes:
    """An uncompressed little-endian TIFF of one strip, written by hand, by its specification."""
    photometric = 2 if channels == 3 else 1
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, bits), (259, 3, 1, 1),
        (262, 3, 1, photometric), (273, 4, 1, 0), (277, 3, 1, channels), (278, 3, 1, height),
        (279, 4, 1, len(samples)),
    ]  # fmt: skip
    after = 8 + 2 + 12 * len(tags) + 4
    directory = struct.pack("<H", len(tags))
    for tag, kind, count, value in tags:
        if tag == 258 and channels > 1:
            value = after  # The bits of each channel lie after the directory.
        if tag == 273:
            value = after + 2 * channels
        directory += struct.pack("<HHII", tag, kind, count, value)
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + directory
        + bytes(4)
        + struct.pack(f"<{channels}H", *[bits] * channels)
        + samples
    )


def link(path: Path, target: Path | str) -> None:
    """A link, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
