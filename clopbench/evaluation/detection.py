"""Object detection from the trained encoder: Faster R-CNN with a feature pyramid, judged as VOC 2007 is.

The encoder's four stages are the pyramid's backbone (Ren et al. 2015, Lin et al. 2017, by torchvision). Its
batch norms keep the statistics and the scales that they ended with, as is customary for small batches. It is
trained on the trainval images with horizontal flips and tested on the test images. A cell that is stopped here
starts the detector again, to the same bits: everything random belongs to (seed, protocol, epoch).

Shapes: B images, C channels, H × W pixels, G objects and D detections of an image, K classes.
"""

import contextlib
import copy
import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clopbench import seeds
from clopbench.cell import Cell, TrainingConfig
from clopbench.data import detection_sets, voc
from clopbench.data.colour import to_float
from clopbench.data.voc import Annotated
from clopbench.errors import UserError
from clopbench.evaluation.average_precision import detection_precision
from clopbench.training.feed import Images, in_order
from clopbench.training.optim import build_optimizer, learning_rate, set_learning_rate
from clopbench.training.resnets import BLOCKS

STAGES = ("layer1", "layer2", "layer3", "layer4")
PYRAMID = 256
LONGER_SIDE = 5 / 3
"""An image's longer side is at most so many times `detection_image_size`: 1000 to 600 (Ren et al. 2015)."""
PROTOCOLS = ("", "frozen_")
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4

Metrics = dict[str, float | None]
Target = dict[str, Tensor]


def check(cell: Cell, shape: tuple[int, int, int]) -> None:
    """Raise UserError where the boxes are not at hand or not the cell's, or the encoder is no backbone."""
    config = cell.evaluation
    if config.detection is None:
        return
    if cell.encoder.name not in BLOCKS:
        raise UserError(
            f"evaluation.detection: needs {' or '.join(BLOCKS)}, the encoder is {cell.encoder.name}"
        )
    if shape[0] != 3:
        raise UserError(
            f"evaluation.detection: needs an encoder of 3 channels, {cell.data.name} has {shape[0]}"
        )
    version = detection_sets.version(config.detection)
    if version != config.detection_version:
        raise UserError(
            f"evaluation.detection: {config.detection}, version {config.detection_version} was asked for, "
            f"here is version {version}"
        )


def measure(cell: Cell, encoder: nn.Module, images: Images, workers: int) -> tuple[Metrics, dict[str, str]]:
    """`detection_ap50` and `detection_ap`, and `detection_frozen_…`, for which the encoder is kept as it is.

    ap50 is the mean over classes of the average precision at overlap 0.5, ap its mean over ten overlaps from
    0.5 to 0.95; both at 11 points. None where training diverged. Also the SHA-256 of the data. Both results
    are empty where the cell asks for no detection.
    """
    config = cell.evaluation
    if config.detection is None:
        return {}, {}
    check(cell, images.shape)
    boxes = detection_sets.load(config.detection)
    metrics: Metrics = {}
    for protocol in PROTOCOLS if config.detection_frozen else PROTOCOLS[:1]:
        with _own_randomness(cell, protocol, images.device):
            detector = build_detector(cell, copy.deepcopy(encoder), protocol != "").to(images.device)
            finite = _train(cell, detector, boxes.train, images.device, workers)
        precision = _test(cell, detector, boxes.test, images.device, workers) if finite else None
        metrics[f"detection_{protocol}ap50"] = precision[0] if precision else None
        metrics[f"detection_{protocol}ap"] = math.fsum(precision) / len(precision) if precision else None
    return metrics, {config.detection: boxes.sha256}


def build_detector(cell: Cell, encoder: nn.Module, frozen: bool) -> nn.Module:
    """Faster R-CNN on the encoder, which is used up. New layers are drawn from torch's global generator."""
    # Imported here because it takes seconds, which cells without detection need not pay.
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.models.detection.faster_rcnn import FasterRCNN

    encoder.requires_grad_(not frozen)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    widest = cell.encoder.width * 512 * (4 if cell.encoder.name == "resnet50" else 1)
    channels = [widest // 2 ** (len(STAGES) - 1 - stage) for stage in range(len(STAGES))]
    names = {stage: str(number) for number, stage in enumerate(STAGES)}
    size = cell.evaluation.detection_image_size
    return FasterRCNN(
        BackboneWithFPN(encoder, names, channels, PYRAMID),
        num_classes=len(voc.CLASSES) + 1,  # Class 0 is the background.
        min_size=size,
        max_size=round(LONGER_SIDE * size),
        image_mean=[0.0, 0.0, 0.0],  # The encoder was trained on [0, 1].
        image_std=[1.0, 1.0, 1.0],
    )


def _train(cell: Cell, detector: Any, images: Sequence[Annotated], device: torch.device, workers: int) -> bool:
    """Train to the end; False where the loss ceased to be finite."""
    config = _schedule(cell)
    optimizer = build_optimizer([p for p in detector.parameters() if p.requires_grad], config)
    detector.train()
    for module in detector.backbone.body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    steps = math.ceil(len(images) / config.batch_size)
    for epoch in range(config.epochs):
        generator = seeds.numpy_generator(cell.seed_of("detection"), "detection", epoch)
        order, flipped = generator.permutation(len(images)), generator.random(len(images)) < 0.5
        chosen = [order[part] for part in in_order(len(order), config.batch_size)]
        for step, (image_CHW, found) in enumerate(_batches(images, chosen, workers)):
            pairs = [
                _mirrored(image, _target(one, device)) if flipped[position] else (image, _target(one, device))
                for image, one, position in zip(
                    (image.to(device) for image in image_CHW), found, chosen[step], strict=True
                )
            ]
            losses = detector([to_float(image) for image, _ in pairs], [target for _, target in pairs])
            loss = torch.stack(list(losses.values())).sum()
            if not loss.isfinite():
                return False
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            set_learning_rate(optimizer, learning_rate(epoch * steps + step, steps, config))
            optimizer.step()
    return True


@torch.no_grad()
def _test(
    cell: Cell, detector: Any, images: Sequence[Annotated], device: torch.device, workers: int
) -> list[float] | None:
    """Mean over classes of the average precision at each of THRESHOLDS; None where boxes are not finite."""
    detector.eval()
    scores, boxes, labels, owners = [], [], [], []
    chosen = in_order(len(images), cell.evaluation.detection_batch_size)
    for positions, (image_CHW, _) in zip(chosen, _batches(images, chosen, workers), strict=True):
        outputs = detector([to_float(image.to(device)) for image in image_CHW])
        for position, output in zip(positions, outputs, strict=True):
            scores.append(output["scores"].cpu().numpy())
            boxes.append(output["boxes"].cpu().numpy())
            labels.append(output["labels"].cpu().numpy() - 1)
            owners.append(np.full(len(output["scores"]), position))
    score_D, box_D4 = np.concatenate(scores), np.concatenate(boxes)
    if not (np.isfinite(score_D).all() and np.isfinite(box_D4).all()):
        return None
    label_D, image_D = np.concatenate(labels), np.concatenate(owners)
    precisions = []
    for number in range(len(voc.CLASSES)):
        here = label_D == number
        true = _of_class(images, number)
        if (~true[2]).any():
            precisions.append(detection_precision(score_D[here], box_D4[here], image_D[here], *true))
    return [math.fsum(column) / len(column) for column in zip(*precisions, strict=True)]


def _of_class(images: Sequence[Annotated], number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True boxes of a class over all images, the images' numbers, and whether they are difficult."""
    chosen = [image.label_G == number for image in images]
    owners = [np.full(int(here.sum()), position) for position, here in enumerate(chosen)]
    return (
        np.concatenate([image.box_G4[here] for image, here in zip(images, chosen, strict=True)]),
        np.concatenate(owners),
        np.concatenate([image.difficult_G[here] for image, here in zip(images, chosen, strict=True)]),
    )


def _schedule(cell: Cell) -> TrainingConfig:
    """The detector's settings in the form that optimiser and schedule understand; the first epoch warms up."""
    config = cell.evaluation
    return TrainingConfig(
        epochs=config.detection_epochs,
        batch_size=config.detection_batch_size,
        learning_rate=config.detection_learning_rate,
        momentum=MOMENTUM,
        weight_decay=WEIGHT_DECAY,
        warmup_epochs=1,
    )


@contextlib.contextmanager
def _own_randomness(cell: Cell, protocol: str, device: torch.device) -> Iterator[None]:
    """Torch's global generator, from which torchvision draws weights and proposals, seeded for one protocol."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seeds.integer(cell.seed_of("detection"), "detection", PROTOCOLS.index(protocol), 0))
        yield


def _target(image: Annotated, device: torch.device) -> Target:
    """What torchvision wants of an image: its objects but the difficult ones, classes from 1."""
    kept = ~image.difficult_G
    return {
        "boxes": torch.from_numpy(image.box_G4[kept]).to(device),
        "labels": torch.from_numpy(image.label_G[kept] + 1).to(device),
    }


def _mirrored(image_CHW: Tensor, target: Target) -> tuple[Tensor, Target]:
    box_G4, width = target["boxes"], image_CHW.shape[2]
    left_G, top_G, right_G, bottom_G = box_G4.unbind(1)
    mirrored_G4 = torch.stack([width - right_G, top_G, width - left_G, bottom_G], 1)
    return image_CHW.flip(2), target | {"boxes": mirrored_G4}


def _batches(
    images: Sequence[Annotated], chosen: Sequence[np.ndarray], workers: int
) -> Iterator[tuple[list[Tensor], list[Annotated]]]:
    """Images uint8 [C, H, W] of each array of positions, decoded by threads a batch ahead of their use."""
    from clopbench.data.decoding import decode

    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = ([pool.submit(decode, images[i].path) for i in positions] for positions in chosen)
        ahead = deque(islice(waiting, 2))
        for positions in chosen:
            decoded = [torch.from_numpy(one.result()) for one in ahead.popleft()]
            ahead.extend(islice(waiting, 1))
            yield decoded, [images[i] for i in positions]
