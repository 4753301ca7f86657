"""Image-folder trees, to pack or to decode, in the layouts in which people have them.

    train/<class>/*, test/<class>/* (or val/<class>/*)   images at any depth below their class
    test/*                                               without class folders beside val/: not used (ImageNet)
    val/images/*, val/val_annotations.txt                images with a list of their classes (Tiny ImageNet)
    unlabelled/* (or unlabeled/*)                        images for training that have no label, at any depth

Class numbers are the sorted order of the folders' names, and the images of a class come in the sorted order of
their paths, as in torchvision's ImageFolder. Which files count is told in `walking`.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clopbench.data.decoding import decode
from clopbench.data.walking import OUTSIDE, Ignored, Walk, class_folders, entries, is_folder, shown
from clopbench.errors import UserError

TEST = ("test", "val")
UNLABELLED = ("unlabelled", "unlabeled")
ANNOTATIONS = "val_annotations.txt"
"""Lines of file name, class and a box, separated by tabs; the images are in images/ beside it."""

BESIDE_SPLITS = "files or folders beside the splits"


@dataclass(frozen=True)
class Tree:
    """The files of an image-folder tree: per split, paths in label order and int64 labels [N].

    unlabelled: paths of the images that train without a label. ignored: what of the tree is not used, in words.
    """

    root: Path
    class_names: tuple[str, ...]
    paths: dict[str, list[Path]]
    labels: dict[str, np.ndarray]
    unlabelled: list[Path]
    ignored: list[str]

    def fingerprint(self) -> str:
        """SHA-256 over the names and sizes of all files: cheap, for trees too large to read twice."""
        state = hashlib.sha256()
        for path in self.paths["train"] + self.paths["test"] + self.unlabelled:
            name = os.fsencode(path.relative_to(self.root))
            state.update(name + f"\0{path.stat().st_size}\n".encode())
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

    def followed_by(self, other: "ImageFolderSplit") -> "ImageFolderSplit":
        """The images of both, in order, at this one's size."""
        labels = np.concatenate([self.labels, other.labels])
        return ImageFolderSplit(self.paths + other.paths, labels, self.image_size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return decode(self.paths[index], self.image_size), int(self.labels[index])


def scan(root: Path) -> Tree:
    """List a tree. Raises UserError naming the split, class or file that is missing or wrong."""
    ignored = Ignored(root)
    train = _split_folder(root, ("train",))[0]
    names = class_folders(train, ignored)
    test = _test_folder(root, names, ignored)
    members = {"train": _by_class(train, names, ignored)}
    if _is_annotated(test, names):
        members["test"] = _by_annotation(test, names, ignored)
    else:
        _check_classes(test, class_folders(test, ignored), names, ignored)
        members["test"] = _by_class(test, names, ignored)
    unlabelled = _unlabelled(root, ignored)
    for name in sorted(os.listdir(root)):
        if not name.startswith(".") and name not in ("train", *TEST, *UNLABELLED):
            ignored.add(BESIDE_SPLITS, root / name)
    return Tree(
        root,
        tuple(names),
        {split: [path for files in found for path in files] for split, found in members.items()},
        {split: _numbered(found) for split, found in members.items()},
        unlabelled,
        ignored.lines(),
    )


def _numbered(members: Sequence[Sequence[Path]]) -> np.ndarray:
    return np.repeat(np.arange(len(members), dtype=np.int64), [len(files) for files in members])


def _by_class(folder: Path, names: Sequence[str], ignored: Ignored) -> list[list[Path]]:
    walk = Walk(ignored)
    return [walk.images_below(folder / name) for name in names]


def _unlabelled(root: Path, ignored: Ignored) -> list[Path]:
    found = [root / name for name in UNLABELLED if is_folder(root / name)]
    if len(found) > 1:
        raise UserError(f"--from: {shown(root)} has both {' and '.join(f'{path.name}/' for path in found)}")
    return Walk(ignored).images_below(found[0]) if found else []


def _split_folder(root: Path, names: Sequence[str]) -> list[Path]:
    """Those of the folders that are there. Raises UserError where there is none."""
    found = [root / name for name in names if is_folder(root / name)]
    if found:
        return found
    wanted = " or ".join(f"{name}/<class>/*" for name in names)
    problem = f"--from: {shown(root)} has no {wanted}"
    if not root.is_dir():
        raise UserError(f"{problem} (there is no such folder)")
    inner = [path for path in sorted(root.iterdir()) if (path / names[0]).is_dir()]
    raise UserError(problem + (f"; {shown(inner[0])} has" if inner else ""))


def _test_folder(root: Path, names: Sequence[str], ignored: Ignored) -> Path:
    """test/ or val/: the first that has folders of the training's classes, or a list of them."""
    found = _split_folder(root, TEST)
    chosen = next((path for path in found if _has_a_class(path, names) or _is_annotated(path, names)), found[0])
    for other in found:
        files = [Path(place, name) for place, _, inside in os.walk(other) for name in inside]
        if other != chosen and files:
            kind = f"files of {other.name}/, as {chosen.name}/ is the test split"
            ignored.add(kind, min(files), len(files))
    return chosen


def _check_classes(folder: Path, found: Sequence[str], expected: Sequence[str], ignored: Ignored) -> None:
    if missing := sorted(set(expected) - set(found)):
        raise UserError(f"--from: {shown(folder)} has no folder for class {_some(missing)}")
    extra = sorted(set(found) - set(expected))
    for name in [name for name in extra if not os.listdir(folder / name)]:
        ignored.add("empty folders", folder / name)
        extra.remove(name)
    if extra:
        raise UserError(f"--from: {shown(folder)} has class {_some(extra)}, which the training split has not")


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _has_a_class(folder: Path, names: Sequence[str]) -> bool:
    return any((folder / name).is_dir() for name in names)


def _is_annotated(folder: Path, names: Sequence[str]) -> bool:
    listed = (folder / ANNOTATIONS).is_file() and (folder / "images").is_dir()
    return listed and not _has_a_class(folder, names)


def _by_annotation(folder: Path, names: Sequence[str], ignored: Ignored) -> list[list[Path]]:
    """The images of each class by the list. Every image must be in the list once, and the other way round."""
    listing = folder / ANNOTATIONS
    for entry in entries(folder, ignored):
        if entry.folder is None and entry.path != listing:
            ignored.add(OUTSIDE, entry.path)
    below = folder / "images"
    images = {path.relative_to(below).as_posix(): path for path in Walk(ignored).images_below(below)}
    members: dict[str, list[Path]] = {name: [] for name in names}
    for number, line in enumerate(os.fsdecode(listing.read_bytes()).splitlines(), 1):
        image, _, rest = line.partition("\t")
        kind, where = rest.partition("\t")[0], f"{shown(listing)}, line {number}"
        if kind not in members:
            raise UserError(f"{where}: class '{shown(kind)}' is none of the training split")
        if image not in images:
            raise UserError(f"{where}: {shown(image)} is not in images/, or listed twice")
        members[kind].append(images.pop(image))
    if images:
        raise UserError(f"{shown(min(images.values()))}: is not in {ANNOTATIONS}")
    if empty := [name for name in names if not members[name]]:
        raise UserError(f"{shown(listing)}: has no image of class {_some(empty)}")
    return [sorted(members[name]) for name in names]
