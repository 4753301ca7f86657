"""How images reach the training device: all at once where they fit, or decoded by a loader while they are used.

Shapes: N images, B images of a batch, C channels, H × W pixels.
"""

import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clopbench.data.dataset import Split
from clopbench.data.imagefolder import ImageFolderSplit
from clopbench.errors import UserError

GRACE_SECONDS = 30


class Images(Protocol):
    """Images by position. `shape` is (C, H, W); batches come on `device`."""

    shape: tuple[int, int, int]
    device: torch.device

    def __len__(self) -> int: ...

    def batches(self, chosen: Sequence[np.ndarray]) -> Iterator[Tensor]:
        """One uint8 tensor [B, C, H, W] for each array of positions, in order."""
        ...


class Resident:
    """Images that are already on the device: uint8 [N, C, H, W]."""

    def __init__(self, image_NCHW: Tensor):
        self.image_NCHW = image_NCHW
        channels, height, width = image_NCHW.shape[1:]
        self.shape = (channels, height, width)
        self.device = image_NCHW.device

    def __len__(self) -> int:
        return len(self.image_NCHW)

    def batches(self, chosen: Sequence[np.ndarray]) -> Iterator[Tensor]:
        for positions in chosen:
            # Indexing with brackets copies byte by byte: 15 times as slow on a CPU.
            yield self.image_NCHW.index_select(0, torch.from_numpy(positions).to(self.device))


class Decoded:
    """Images of a folder that is too large to pack, decoded ahead of use by loader processes.

    kept: positions in the split, int64 [N]. A file that cannot be decoded raises UserError where it is reached.
    """

    def __init__(self, split: ImageFolderSplit, kept: np.ndarray, device: torch.device, workers: int):
        self.split, self.kept, self.device = split, kept, device
        self.shape = split.shape
        self.workers = min(workers, os.cpu_count() or 1)

    def __len__(self) -> int:
        return len(self.kept)

    def batches(self, chosen: Sequence[np.ndarray]) -> Iterator[Tensor]:
        loader = DataLoader(
            _Pixels(self.split),
            batch_sampler=[self.kept[positions].tolist() for positions in chosen],
            num_workers=self.workers,
            collate_fn=_stack,
            worker_init_fn=_leave_signals_to_the_trainer,
            pin_memory=self.device.type == "cuda",
            # Torch's usual way on Linux: 20 ms a loader. A cell's own start method would import torch again.
            multiprocessing_context="fork" if sys.platform == "linux" else None,
        )
        with warnings.catch_warnings():  # Python 3.12 and later warn of every fork beside threads.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            batches = iter(loader)
        try:
            for image_BCHW in batches:
                if isinstance(image_BCHW, str):
                    raise UserError(image_BCHW)
                yield image_BCHW.to(self.device, non_blocking=True)
        finally:
            del (
                batches
            )  # Ends the loaders now: a traceback would keep them, and their end at a later time takes 10 s.


def feed(
    split: Split | ImageFolderSplit,
    device: torch.device,
    workers: int,
    kept: np.ndarray | None = None,
    further: Split | ImageFolderSplit | None = None,
) -> Images:
    """The images of a split, or those at the positions `kept`, then all of `further`, ready for `device`."""
    if isinstance(split, ImageFolderSplit):
        kept = np.arange(len(split)) if kept is None else kept
        if isinstance(further, ImageFolderSplit):
            kept = np.concatenate([kept, len(split) + np.arange(len(further))])
            split = split.followed_by(further)
        return Decoded(split, kept, device, workers)
    # Packed data sets are memory-mapped read-only, which torch does not accept: hence the copy.
    images = split.images.copy() if kept is None else split.images[kept]
    if isinstance(further, Split):
        images = np.concatenate([images, further.images])
    return Resident(torch.from_numpy(images).to(device))


def leading(images: Images, count: int) -> Images:
    """The first `count` of images that `feed` made; no pixel is copied."""
    if count == len(images):
        return images
    if isinstance(images, Decoded):
        return Decoded(images.split, images.kept[:count], images.device, images.workers)
    assert isinstance(images, Resident)
    return Resident(images.image_NCHW[:count])


def in_order(count: int, size: int) -> list[np.ndarray]:
    """Positions 0 … count - 1 in batches of `size`; the last one may be smaller."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


class _Pixels(Dataset[Tensor | str]):
    """A split without its labels, which the trainer has. What is wrong with an image comes in its place.

    An exception would come with the loader's whole traceback, and keep the loaders from ending for 10 s.
    """

    def __init__(self, split: ImageFolderSplit):
        self.split = split

    def __getitem__(self, index: int) -> Tensor | str:
        try:
            return torch.from_numpy(self.split[index][0])
        except UserError as error:
            return str(error)


def _stack(items: list[Tensor | str]) -> Tensor | str:
    """A batch, or the first problem in it."""
    problems = [item for item in items if isinstance(item, str)]
    return problems[0] if problems else torch.stack([item for item in items if isinstance(item, Tensor)])


def _leave_signals_to_the_trainer(_worker: int) -> None:
    """A scheduler signals all processes of a cell: a loader that died of it would take the checkpoint along.

    So SIGTERM ends a loader only after GRACE_SECONDS. It must end then: a trainer that exits waits for it.
    """
    for number in (signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda _number, _frame: signal.alarm(GRACE_SECONDS))
