"""What is measured of a trained cell: accuracies of the frozen features, geometry of the test embeddings.

Shapes: N training images, M test images, F features, D embedding dimensions.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from clopbench import geometry, seeds
from clopbench.cell import Cell
from clopbench.contrastive import normalised
from clopbench.data.augment import recipe
from clopbench.evaluation import probe as probes
from clopbench.evaluation.trained_probe import ProbeTraining
from clopbench.geometry import NotFiniteError
from clopbench.training.feed import Images
from clopbench.training.model import Model

AUTHORS_KNN = 100
ALIGNMENT_BYTES = 2**28  # 10,000 images of 32×32, or 445 of 224×224.
PAIRS_OF = 10_000
"""Uniformity is over the pairs of this many images at most."""

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Frozen:
    """A trained model and everything it is measured on. shown_N and all_N: labels with and without −1."""

    cell: Cell
    model: Model
    num_classes: int
    train: Images
    shown_N: Tensor
    all_N: Tensor
    test: Images
    y_M: Tensor
    probe: ProbeTraining


def measure(frozen: Frozen) -> tuple[Metrics, tuple[float, ...]]:
    """All metrics, and the singular values of the test embeddings.

    Raises NotFiniteError where there is nothing to measure: features or embeddings are not finite, or so large
    that their norms are not, so that normalised they would all be zero.
    """
    model, y_M = frozen.model, frozen.y_M
    train_NF = probes.extract(model.encoder, frozen.train)
    test_MF = probes.extract(model.encoder, frozen.test)
    network = nn.Sequential(model.encoder, model.head)
    embedding_MD = probes.extract(network, frozen.test)
    _check(train_NF, test_MF, embedding_MD)
    z_MD = normalised(embedding_MD)
    knn, knn100 = probes.nearest_neighbours(
        train_NF, frozen.all_N, test_MF, y_M, (frozen.cell.evaluation.knn, AUTHORS_KNN), frozen.num_classes
    )
    singular = geometry.singular_values(z_MD)
    metrics: Metrics = _probes(frozen, train_NF, test_MF) | {
        "knn_top1": knn[0],
        "knn_top5": knn[1],
        f"knn{AUTHORS_KNN}_top1": knn100[0],
        f"knn{AUTHORS_KNN}_top5": knn100[1],
        "effective_rank": geometry.effective_rank(singular),
        "dominant_share": geometry.dominant_share(singular),
        "mean_norm": geometry.mean_norm(z_MD),
        "alignment": geometry.alignment(*_two_views(frozen.cell, network, frozen.test)),
        "uniformity": geometry.uniformity(z_MD[:PAIRS_OF]),
    }
    prototype_KD = getattr(model.method, "prototype_KD", None)
    if prototype_KD is not None:
        own, other = geometry.prototype_cosines(z_MD, y_M, prototype_KD)
        metrics |= {
            "prototype_cosine_own": own,
            "prototype_cosine_other": other,
            "prototype_top1": geometry.nearest_prototype_accuracy(z_MD, y_M, prototype_KD),
            "prototype_overlap": geometry.prototype_overlap(prototype_KD),
        }
    return metrics, tuple(singular.tolist())


def _check(*outputs: Tensor) -> None:
    """Raise NotFiniteError unless all numbers, and the norms of all rows, are finite as float32."""
    if not all(output.isfinite().all() for output in outputs):
        raise NotFiniteError("features")
    if not all(output.float().norm(dim=1).isfinite().all() for output in outputs):
        raise NotFiniteError("norms of the features")


def _probes(frozen: Frozen, train_NF: Tensor, test_MF: Tensor) -> Metrics:
    """The linear probe on the labelled subset, and on all labels; one and the same where all are shown."""
    config = frozen.cell.evaluation

    def probe(protocol: str, y_N: Tensor) -> probes.Accuracy:
        if config.probe == "lbfgs":
            return probes.linear_probe(train_NF, y_N, test_MF, frozen.y_M, config.probe_c)
        return frozen.probe.accuracy(protocol, y_N, frozen.test, frozen.y_M)

    everything = probe("all", frozen.all_N)
    labelled = everything if frozen.shown_N.equal(frozen.all_N) else probe("labelled", frozen.shown_N)
    return {
        "probe_top1": labelled[0],
        "probe_top5": labelled[1],
        "probe_all_top1": everything[0],
        "probe_all_top5": everything[1],
    }


@torch.no_grad()
def _two_views(cell: Cell, network: nn.Module, test: Images) -> tuple[Tensor, Tensor]:
    """Embeddings of two augmented views of test images, drawn from the `evaluate` stream.

    Of all test images, or of the first ones where those would fill more than ALIGNMENT_BYTES as float32.
    """
    count = min(len(test), ALIGNMENT_BYTES // (4 * int(np.prod(test.shape))))
    image_BCHW = next(iter(test.batches([np.arange(count)])))
    generator = torch.Generator(test.device)
    generator.manual_seed(seeds.integer(cell.seed_of("evaluate"), "evaluate"))
    augment = recipe(cell.augmentation.name)
    network.eval()

    def embeddings() -> Tensor:
        view_BCHW = augment(image_BCHW, generator)
        return normalised(torch.cat([network(part) for part in view_BCHW.split(probes.BATCH)]))

    return embeddings(), embeddings()
