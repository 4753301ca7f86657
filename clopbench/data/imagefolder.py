"""Image-folder trees: `train/<class>/*` and `test/<class>/*` (or `val/<class>/*`), to pack or to decode.

Class numbers are the sorted order of the folders' names, and the images of a class come in the sorted order of
their paths, as in torchvision's ImageFolder. Images become RGB. Shapes: C = 3 channels, H × W pixels.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from clopbench.errors import UserError

SPLITS = {"train": ("train",), "test": ("test", "val")}
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".gif"}
BATCH = 512  # Images decoded ahead of the one that is written.


@dataclass(frozen=True)
class Tree:
    """The files of an image-folder tree: per split, paths in label order and int64 labels [N]."""

    root: Path
    class_names: tuple[str, ...]
    paths: dict[str, list[Path]]
    labels: dict[str, np.ndarray]

    def fingerprint(self) -> str:
        """SHA-256 over the names and sizes of all files: cheap, for trees too large to read twice."""
        state = hashlib.sha256()
        for path in self.paths["train"] + self.paths["test"]:
            state.update(f"{path.relative_to(self.root).as_posix()}\0{path.stat().st_size}\n".encode())
        return state.hexdigest()


class ImageFolderSplit:
    """One split of a tree that is too large to pack, decoded image by image when it is asked for.

    Used instead of a packed split where N·C·H·W bytes exceed the limit (16 GiB unless told otherwise), as
    for ImageNet at 224 pixels. A map-style data set for torch's DataLoader: it can be pickled, holds no open
    files, and its items are (uint8 [3, S, S], class number). labels: int64 [N].
    """

    def __init__(self, paths: Sequence[Path], labels: np.ndarray, image_size: int):
        self.paths, self.labels, self.image_size = list(paths), labels, image_size

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return 3, self.image_size, self.image_size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return decode(self.paths[index], self.image_size), int(self.labels[index])


def scan(root: Path) -> Tree:
    """List a tree. Raises UserError naming the split, class or file that is missing or wrong."""
    names = _class_folders(_split_folder(root, "train"))
    paths: dict[str, list[Path]] = {}
    labels: dict[str, np.ndarray] = {}
    for split in SPLITS:
        folder = _split_folder(root, split)
        _check_classes(folder, _class_folders(folder), names)
        members = [_files(folder / name) for name in names]
        paths[split] = [path for files in members for path in files]
        labels[split] = np.repeat(np.arange(len(names), dtype=np.int64), [len(files) for files in members])
    return Tree(root, tuple(names), paths, labels)


def decode(path: Path, image_size: int | None = None) -> np.ndarray:
    """One image as uint8 [3, H, W].

    With image_size S it is resized to cover S × S (bicubic, antialiased, by Pillow) and the middle is kept, as
    torchvision's Resize(S) and CenterCrop(S) do. EXIF orientation is not applied, and alpha is dropped.
    Raises UserError where the file is no 8-bit image.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise UserError(f"{path}: has pixels of mode {image.mode}, only 8-bit images can be used")
            rgb = image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: is no image that can be decoded ({error})") from None
    if image_size is not None:
        rgb = ImageOps.fit(rgb, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))


def decode_all(
    paths: Iterable[Path], image_size: int | None, expected: tuple[int, int, int]
) -> Iterator[np.ndarray]:
    """Decode in order, a few threads ahead. Raises UserError for the first image of another shape."""
    rest = iter(paths)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        while batch := list(islice(rest, BATCH)):
            for path, image in zip(batch, pool.map(lambda p: decode(p, image_size), batch), strict=True):
                if image.shape != expected:
                    raise UserError(
                        f"{path}: is {image.shape[2]}×{image.shape[1]} pixels, others are "
                        f"{expected[2]}×{expected[1]}; --image-size N makes all of them N×N"
                    )
                yield image


def _split_folder(root: Path, split: str) -> Path:
    for name in SPLITS[split]:
        if (root / name).is_dir():
            return root / name
    wanted = " or ".join(f"{name}/<class>/*" for name in SPLITS[split])
    raise UserError(f"--from: {root} has no {wanted}" + ("" if root.is_dir() else " (there is no such folder)"))


def _class_folders(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise UserError(f"--from: {folder} has no class folders")
    return names


def _check_classes(folder: Path, found: Sequence[str], expected: Sequence[str]) -> None:
    if missing := sorted(set(expected) - set(found)):
        raise UserError(f"--from: {folder} has no folder for class {_some(missing)}")
    if extra := sorted(set(found) - set(expected)):
        raise UserError(f"--from: {folder} has class {_some(extra)}, which the training split has not")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _files(folder: Path) -> list[Path]:
    """Images below a class folder, sorted; hidden files are passed over. Raises UserError for other files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in files:
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(f"{path}: is no image (images end in {', '.join(sorted(SUFFIXES))})")
    if not files:
        raise UserError(f"--from: {folder} holds no image")
    return files
