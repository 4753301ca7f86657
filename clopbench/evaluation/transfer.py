"""Linear evaluation of the frozen encoder on further data sets: the metrics `transfer_<data set>`.

As in Kornblith, Shlens & Le 2019: logistic regression by L-BFGS on features of the training images without
augmentation, judged on the test images by the measure that is customary for the data set. Unlike there, the
strength of the penalty is not searched for each data set but is the cell's `evaluation.probe_c`, features are
standardised, and images come at the size that the encoder was trained at.

Shapes: N training images, M test images, C channels, H × W pixels, F features, K classes.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clopbench.cell import Cell
from clopbench.data import sources
from clopbench.data.dataset import HARD, PRESENT, DataSet, Split
from clopbench.data.imagefolder import ImageFolderSplit
from clopbench.errors import UserError
from clopbench.evaluation.average_precision import eleven_points
from clopbench.evaluation.probe import extract, linear_probe, probe_scores
from clopbench.training.feed import Decoded, Images

Metrics = dict[str, float | None]


def check(cell: Cell, shape: tuple[int, int, int]) -> None:
    """Raise UserError where a data set is not at hand or not the cell's, or has not C channels."""
    for name in cell.evaluation.transfer:
        _open(cell, name, shape)


def measure(cell: Cell, encoder: nn.Module, images: Images, workers: int) -> tuple[Metrics, dict[str, str]]:
    """`transfer_<name>` for each data set and their mean, `transfer_mean`; and the SHA-256 of each data set.

    images: those that the encoder was trained on, which say size and device. A measure is None where features
    are not finite. Both results are empty where the cell asks for no transfer.
    """
    network = nn.Sequential(_Resized(images.shape), encoder).eval()
    metrics: Metrics = {}
    hashes: dict[str, str] = {}
    for name in cell.evaluation.transfer:
        data = _open(cell, name, images.shape)
        train_NF, test_MF = (
            extract(network, _images(split, images.device, workers)) for split in (data.train, data.test)
        )
        labels = [torch.from_numpy(split.labels.copy()).to(images.device) for split in (data.train, data.test)]
        finite = bool(train_NF.isfinite().all() and test_MF.isfinite().all())
        judge = MEASURES[sources.source(name).measure]
        metrics[f"transfer_{name}"] = (
            judge(train_NF, labels[0], test_MF, labels[1], cell.evaluation.probe_c) if finite else None
        )
        hashes[name] = data.sha256
    if metrics:
        known = [value for value in metrics.values() if value is not None]
        metrics["transfer_mean"] = math.fsum(known) / len(known) if len(known) == len(metrics) else None
    return metrics, hashes


def top1(train_NF: Tensor, y_N: Tensor, test_MF: Tensor, y_M: Tensor, inverse_l2: float) -> float:
    """The share of test images whose class is scored best."""
    return linear_probe(train_NF, y_N, test_MF, y_M, inverse_l2)[0]


def mean_per_class(train_NF: Tensor, y_N: Tensor, test_MF: Tensor, y_M: Tensor, inverse_l2: float) -> float:
    """The mean over the classes of the test images of top-1 among the images of the class."""
    score_MK, classes = probe_scores(train_NF, y_N, test_MF, inverse_l2)
    hit_M = classes[score_MK.argmax(1)] == y_M
    return torch.stack([hit_M[y_M == one].double().mean() for one in y_M.unique()]).mean().item()


def voc_map(train_NF: Tensor, y_NK: Tensor, test_MF: Tensor, y_MK: Tensor, inverse_l2: float) -> float:
    """VOC 2007's mean average precision: one binary problem a class, average precision at 11 points each.

    Images that show only difficult objects of a class are left out of its problem, in training and in testing.
    Classes without a positive image on either side are left out.
    """
    found = []
    for train_N, test_M in zip(y_NK.T, y_MK.T, strict=True):
        kept_M = test_M != HARD
        if not ((train_N == PRESENT).any() and (test_M == PRESENT).any()):
            continue
        target_N = torch.where(train_N == HARD, -1, (train_N == PRESENT).long())
        # The penalty on two opposite weight vectors is half of that on the one of a binary problem.
        score_M2, _ = probe_scores(train_NF, target_N, test_MF[kept_M], inverse_l2 / 2)
        score_M = score_M2[:, -1] - score_M2[:, 0]
        found.append(eleven_points(score_M.cpu().numpy(), (test_M[kept_M] == PRESENT).cpu().numpy()))
    if not found:
        raise UserError("evaluation.transfer: no class has a positive image in training and test split")
    return math.fsum(found) / len(found)


Measure = Callable[[Tensor, Tensor, Tensor, Tensor, float], float]
MEASURES: dict[str, Measure] = {"top1": top1, "mean_per_class": mean_per_class, "voc_map": voc_map}


class _Resized(nn.Module):
    """Float images brought to (H, W), bilinear and antialiased; untouched where they have that size."""

    def __init__(self, shape: tuple[int, int, int]):
        super().__init__()
        self.size = shape[1:]

    def forward(self, image_BCHW: Tensor) -> Tensor:
        if image_BCHW.shape[2:] == self.size:
            return image_BCHW
        return F.interpolate(image_BCHW, self.size, mode="bilinear", antialias=True)


class _Streamed:
    """Images of a packed split, read batch by batch: at 224 pixels they fill more memory than a GPU has."""

    def __init__(self, split: Split, device: torch.device):
        self.split, self.shape, self.device = split, split.shape, device

    def __len__(self) -> int:
        return len(self.split.labels)

    def batches(self, chosen: Sequence[np.ndarray]) -> Iterator[Tensor]:
        for positions in chosen:
            yield torch.from_numpy(self.split.images[positions]).to(self.device)


def _images(split: Split | ImageFolderSplit, device: torch.device, workers: int) -> Images:
    if isinstance(split, ImageFolderSplit):
        return Decoded(split, np.arange(len(split)), device, workers)
    return _Streamed(split, device)


def _open(cell: Cell, name: str, shape: tuple[int, int, int]) -> DataSet:
    source, version = sources.source(name), cell.evaluation.transfer[name]
    if source.version != version:
        raise UserError(
            f"evaluation.transfer: {name}, version {version} was asked for, here is version {source.version}"
        )
    if source.labels == "boxes":
        raise UserError(f"evaluation.transfer: {name} has boxes; it goes with evaluation.detection")
    data = source.load()
    if data.train.shape[0] != shape[0]:
        raise UserError(
            f"evaluation.transfer: images of {name} have {data.train.shape[0]} channels, those of "
            f"{cell.data.name}, which the encoder is trained on, have {shape[0]}"
        )
    return data
