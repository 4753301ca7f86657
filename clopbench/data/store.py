"""Packed data sets on disk: written once, then opened memory-mapped, read-only and offline.

    <root>/<name>/train_images.npy, test_images.npy    uint8 [N, C, H, W]
    <root>/<name>/train_labels.npy, test_labels.npy    int64 [N]
    <root>/<name>/unlabelled_images.npy                uint8 [N, C, H, W], where there are images without labels
    <root>/<name>/meta.json                            what `Meta` holds
    <root>/<name>/verified.json                        size and time of each array when their hash was right

Where images may show several classes, labels are int64 [N, K] of PRESENT, ABSENT and HARD.
Shapes: N images, C channels, H × W pixels, K classes. Pillow is imported only where images are decoded.
"""

import json
import os
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from clopbench.data import voc
from clopbench.data.dataset import FORMAT, UNLABELLED, DataSet, Meta, Split, sha256
from clopbench.data.walking import shown
from clopbench.errors import UserError

ARRAYS = ("train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy")
UNLABELLED_IMAGES = "unlabelled_images.npy"


def root() -> Path:
    """The folder of prepared data sets: $BENCH_DATA, else the user's cache folder."""
    if given := os.environ.get("BENCH_DATA"):
        return Path(given).expanduser()
    return user_cache_path("clop-bench")


def prepared_names() -> list[str]:
    """Names of the data sets under root(), sorted."""
    folders = [path for path in root().glob("*") if is_name(path.name)]
    return sorted(path.name for path in folders if os.path.lexists(path / "meta.json"))


def is_name(name: str) -> bool:
    """Whether a data set may have this name, which is also its folder's."""
    return re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) is not None


def read_meta(name: str) -> Meta | None:
    """The description of a prepared data set, None where there is none. Raises UserError if it is damaged."""
    if not is_name(name):
        return None
    path = root() / name / "meta.json"
    try:
        meta = Meta(**json.loads(_read(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = shown(str(error))
        raise UserError(f"{path}: cannot be read ({reason}); delete the folder and prepare it again") from None
    if meta.format != FORMAT:
        raise UserError(f"{path}: has format {meta.format}, this version reads {FORMAT}; prepare it again")
    return meta


def _read(path: Path) -> str:
    """A file's text. Raises OSError for what would block whoever reads it, such as a FIFO."""
    if path.exists() and not path.is_file():
        raise OSError("is no file")
    return path.read_text(encoding="utf-8")


def open_packed(name: str, meta: Meta) -> DataSet:
    """Open a packed data set read-only. Its hash is checked unless it was, and the files are the same since.

    Raises UserError where files are missing or do not hold what was packed.
    """
    folder = root() / name
    arrays = open_arrays(folder, meta.unlabelled)
    if not _is_verified(folder, meta):
        _check(folder, meta, arrays)
    train, test = Split(arrays[0], arrays[1]), Split(arrays[2], arrays[3])
    unlabelled = Split(arrays[4], _no_labels(meta)) if meta.unlabelled else None
    return _with_hash(DataSet(name, meta.version, meta.num_classes, train, test, unlabelled), meta)


def open_folder(name: str, meta: Meta) -> DataSet:
    """Open a data set whose images are decoded at run time.

    Raises UserError where its tree is gone or has other files than when it was prepared (by their number;
    `verify` compares names and sizes).
    """
    from clopbench.data.imagefolder import ImageFolderSplit, scan

    tree = scan(Path(str(meta.folder)))
    for split, counts in meta.counts.items():
        if np.bincount(tree.labels[split]).tolist() != counts:
            raise _changed(meta, split)
    if len(tree.unlabelled) != meta.unlabelled:
        raise _changed(meta, "unlabelled")
    size = meta.shape[1]
    train, test = (ImageFolderSplit(tree.paths[s], tree.labels[s], size) for s in ("train", "test"))
    unlabelled = ImageFolderSplit(tree.unlabelled, _no_labels(meta), size) if meta.unlabelled else None
    return _with_hash(DataSet(name, meta.version, meta.num_classes, train, test, unlabelled), meta)


def _changed(meta: Meta, split: str) -> UserError:
    folder = shown(str(meta.folder))
    return UserError(f"{folder}: has other {split} images than when {meta.name} was prepared from it")


def _no_labels(meta: Meta) -> np.ndarray:
    return np.full(meta.unlabelled, UNLABELLED, np.int64)


def _with_hash(data: DataSet, meta: Meta) -> DataSet:
    """Spares every cell the computation of a hash that was checked before."""
    vars(data)["sha256"] = meta.sha256
    return data


def verify(name: str) -> str:
    """Compute the hash of a prepared data set afresh and return it in words.

    Raises UserError where it is not that of meta.json, or nothing is prepared.
    """
    meta = read_meta(name)
    if meta is None:
        raise UserError(f"data set {name} is not prepared (no {root() / name})")
    if meta.folder is None:
        _check(root() / name, meta, open_arrays(root() / name, meta.unlabelled))
        return f"SHA-256 {meta.sha256}"
    if _fingerprint(Path(meta.folder), meta) != meta.sha256:
        raise UserError(
            f"{shown(meta.folder)}: files or their sizes are not those that were prepared; prepare it again"
        )
    return f"SHA-256 of names and sizes {meta.sha256}"


def _fingerprint(folder: Path, meta: Meta) -> str:
    if meta.labels == "boxes":
        return voc.fingerprint(folder)
    from clopbench.data.imagefolder import scan

    return scan(folder).fingerprint()


def files_of(unlabelled: int) -> tuple[str, ...]:
    """The names of a packed data set's arrays."""
    return (*ARRAYS, UNLABELLED_IMAGES) if unlabelled else ARRAYS


def open_arrays(folder: Path, unlabelled: int) -> list[np.ndarray]:
    """The memory-mapped arrays, as `files_of` names them. Raises UserError where one is missing or cut off."""
    paths = [folder / name for name in files_of(unlabelled)]
    try:
        for path in paths:
            if path.exists() and not path.is_file():
                raise OSError(f"{path.name} is no file")
        return [np.load(path, mmap_mode="r") for path in paths]
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{folder}: is damaged ({error}); delete it and prepare it again") from None


def _check(folder: Path, meta: Meta, arrays: Iterable[np.ndarray]) -> None:
    found = sha256(arrays)
    if found != meta.sha256:
        raise UserError(
            f"{folder}: pixels or labels are not those that were packed "
            f"(SHA-256 {found[:12]}…, meta.json says {meta.sha256[:12]}…); delete it and prepare it again"
        )
    mark_verified(folder, meta)


def _state(folder: Path, meta: Meta) -> dict[str, object]:
    """What verified.json must hold for the hash to be trusted."""
    stats = {name: (folder / name).stat() for name in files_of(meta.unlabelled)}
    return {"sha256": meta.sha256, "files": {name: [s.st_size, s.st_mtime_ns] for name, s in stats.items()}}


def mark_verified(folder: Path, meta: Meta) -> None:
    """Remember that the hash is right; where the folder cannot be written, the next run computes it again."""
    partial = folder / f".verified-{socket.gethostname()}-{os.getpid()}"
    try:
        partial.write_text(json.dumps(_state(folder, meta)), encoding="utf-8")
        partial.replace(folder / "verified.json")
    except OSError:
        with suppress(OSError):
            partial.unlink()


def _is_verified(folder: Path, meta: Meta) -> bool:
    try:
        return json.loads(_read(folder / "verified.json")) == _state(folder, meta)
    except (OSError, ValueError):
        return False
