"""Writing a packed data set: in a hidden folder first, renamed to its place when it is complete.

Shapes: N images, C channels, H × W pixels.
"""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from clopbench.data.dataset import CHUNK, FORMAT, PRESENT, Meta, sha256
from clopbench.data.store import UNLABELLED_IMAGES, mark_verified, open_arrays, root
from clopbench.errors import UserError


@dataclass(frozen=True)
class Content:
    """What is to be packed. images(split) yields uint8 [C, H, W], in the order of labels[split].

    labels: of "train" and "test", int64 [N], or [N, K] where images show several classes. unlabelled: how many
    images the split "unlabelled" has.
    """

    class_names: Sequence[str]
    labels: dict[str, np.ndarray]
    shape: tuple[int, int, int]
    images: Callable[[str], Iterable[np.ndarray]]
    source: str
    unlabelled: int = 0

    @property
    def images_in_all(self) -> int:
        return sum(map(len, self.labels.values())) + self.unlabelled


@contextmanager
def workspace(name: str) -> Iterator[Path]:
    """A hidden folder beside the data set to prepare it in; removed at the end, however that comes.

    A preparation that was killed leaves its own behind: the next one on that machine removes it.
    Raises UserError where the disk is full or cannot be written.
    """
    base, prefix = root(), f".{name}.partial-{socket.gethostname()}-"
    work = base / f"{prefix}{os.getpid()}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        for stale in base.glob(f"{prefix}*"):
            if not _alive(stale.name.removeprefix(prefix)):
                shutil.rmtree(stale)
        work.mkdir()
        yield work
    except OSError as error:
        raise UserError(f"cannot prepare {name} in {base}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def pack(folder: Path, name: str, content: Content, version: Callable[[str, Content], int]) -> Meta:
    """Write a data set into the new `folder`, unpublished. version(sha256, content) says its version."""
    folder.mkdir()
    for split, labels in content.labels.items():
        _write_images(folder / f"{split}_images.npy", content.images(split), (len(labels), *content.shape))
        with (folder / f"{split}_labels.npy").open("wb") as file:
            np.save(file, labels.astype(np.int64))
            _to_disk(file)
    if content.unlabelled:
        shape = (content.unlabelled, *content.shape)
        _write_images(folder / UNLABELLED_IMAGES, content.images("unlabelled"), shape)
    arrays = open_arrays(folder, content.unlabelled)
    digest, (mean, std) = sha256(arrays), channel_statistics(arrays[0])
    meta = Meta(
        FORMAT, name, version(digest, content), digest, list(content.shape), list(content.class_names),
        class_counts(content), mean, std, content.source,
        labels="class" if content.labels["train"].ndim == 1 else "several", unlabelled=content.unlabelled,
    )  # fmt: skip
    write_meta(folder, meta)
    mark_verified(folder, meta)
    return meta


def class_counts(content: Content) -> dict[str, list[int]]:
    """Images per class, in label order, of each split."""
    size = len(content.class_names)
    return {
        split: np.bincount(labels, minlength=size).tolist()
        if labels.ndim == 1
        else (labels == PRESENT).sum(0).tolist()
        for split, labels in content.labels.items()
    }


def write_meta(folder: Path, meta: Meta) -> None:
    """Write meta.json."""
    with (folder / "meta.json").open("w", encoding="utf-8") as file:
        json.dump(asdict(meta), file, indent=1)
        _to_disk(file)


def publish(folder: Path, name: str) -> None:
    """Rename a finished folder to its place; a data set that is there already is put aside, then deleted."""
    target, aside = root() / name, folder.with_name("replaced")
    with suppress(FileNotFoundError):
        target.rename(aside)
    folder.rename(target)


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and (population) standard deviation of each channel in [0, 1], exact from counts of the 256 values.

    images: uint8 [N, C, H, W].
    """
    channels = images.shape[1]
    count = np.zeros((channels, 256), np.int64)
    for start in range(0, len(images), CHUNK):
        for channel in range(channels):
            count[channel] += np.bincount(images[start : start + CHUNK, channel].ravel(), minlength=256)
    value, total = np.arange(256) / 255, count.sum(1)
    mean = (count @ value) / total
    variance = (count * (value - mean[:, None]) ** 2).sum(1) / total
    return mean.tolist(), np.sqrt(variance).tolist()


def _write_images(path: Path, images: Iterable[np.ndarray], shape: tuple[int, ...]) -> None:
    """Stream images into a .npy file: written in order, so a full disk is an error and not a crash."""
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        written = 0
        for image in images:
            assert image.shape == shape[1:] and image.dtype == np.uint8
            file.write(image.tobytes())
            written += 1
        assert written == shape[0]
        _to_disk(file)


def _to_disk(file) -> None:
    """Make sure that content is on the disk before the folder is renamed."""
    file.flush()
    os.fsync(file.fileno())


def _alive(process: str) -> bool:
    if process == str(os.getpid()):
        return False  # Left by an earlier process of this number.
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True
