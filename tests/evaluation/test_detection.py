"""Faster R-CNN from a trained encoder, on a tree of drawn rectangles in VOC 2007's layout."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import voctree
from checkout import run_here, some
from PIL import Image
from torch import Tensor, nn

from clopbench.cell import Cell
from clopbench.data import detection_sets, voc
from clopbench.data.prepare import prepare
from clopbench.errors import UserError
from clopbench.evaluation import detection
from clopbench.suite.overrides import parse
from clopbench.training.encoders import build_encoder

SIDE = 64
SETTINGS = [
    *("data.name=noise", "training.epochs=1", "training.warmup_epochs=0", "training.batch_size=4"),
    *("encoder.name=resnet18", "encoder.width=1", "encoder.stem=imagenet", "augmentation.name=crop_flip"),
    *("evaluation.collapse_rank=0", "evaluation.detection=voc2007_boxes", "evaluation.detection_frozen=true"),
    *("evaluation.detection_epochs=1", "evaluation.detection_batch_size=2"),
    f"evaluation.detection_image_size={SIDE}",
]


@pytest.fixture
def cell(tmp_path: Path, monkeypatch, suite) -> Cell:
    """Pre-training on a few noise images, detection on four drawn ones."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("a", "b"):
            folder = tmp_path / "noise" / split / name
            folder.mkdir(parents=True)
            for number in range(4):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    prepare("noise", tmp_path / "noise")
    prepare("voc2007_boxes", voctree.draw(tmp_path / "voc", train=4, test=3, side=SIDE))
    overrides, _ = parse(SETTINGS)
    return suite.benchmark("table7", "laptop", overrides).entries[0].cell(0)


def test_a_cell_ends_with_average_precisions(cell, plugins, tmp_path):
    record = run_here(cell, plugins, tmp_path)
    assert record.status == "done", record.failure
    for name in ("ap50", "ap", "frozen_ap50", "frozen_ap"):
        assert 0 <= some(record.metrics[f"detection_{name}"]) <= 1
    boxes = detection_sets.load("voc2007_boxes")
    assert record.provenance["other_data_sha256"] == {"voc2007_boxes": boxes.sha256}
    assert cell.evaluation.detection_version == detection_sets.version("voc2007_boxes")


def encoder_of(cell: Cell) -> nn.Module:
    torch.manual_seed(0)
    return build_encoder(cell.encoder, 3)[0]


@pytest.mark.parametrize("frozen", [False, True])
def test_only_what_is_not_frozen_is_trained_and_norms_stay(cell, frozen):
    encoder = encoder_of(cell)
    before = copy.deepcopy(encoder.state_dict())
    boxes = detection_sets.load("voc2007_boxes")
    detector = detection.build_detector(cell, encoder, frozen)
    assert detection._train(cell, detector, boxes.train[:2], torch.device("cpu"), 1)
    changed = {name for name, value in encoder.state_dict().items() if not value.equal(before[name])}
    convolutions = {name for name in before if "conv" in name or "downsample.0" in name}
    assert changed == (set() if frozen else convolutions)


def test_the_same_seed_gives_the_same_detector(cell):
    boxes = detection_sets.load("voc2007_boxes")
    weights = []
    for _ in range(2):
        torch.rand(3)  # The surroundings' own draws must not matter.
        with detection._own_randomness(cell, "frozen_", torch.device("cpu")):
            detector = detection.build_detector(cell, encoder_of(cell), True)
            detection._train(cell, detector, boxes.train[:2], torch.device("cpu"), 2)
        weights.append(torch.cat([parameter.flatten() for parameter in detector.parameters()]))
    assert weights[0].equal(weights[1])


class ByColour(nn.Module):
    """A detector that needs no training: it finds the drawn rectangles by the colours of their classes."""

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return [self.found((image * 255).round().byte().numpy()) for image in images]

    def found(self, image_CHW: np.ndarray) -> dict[str, Tensor]:
        boxes, labels = [], []
        for name, colour in voctree.COLOURS.items():
            mask = (image_CHW == np.array(colour)[:, None, None]).all(0)
            for half in (slice(0, SIDE // 2), slice(SIDE // 2, SIDE)):  # One rectangle in each half at most.
                rows, columns = np.nonzero(mask[half])
                if len(rows):
                    top = rows.min() + half.start
                    boxes.append([columns.min(), top, columns.max() + 1, rows.max() + half.start + 1])
                    labels.append(voc.CLASSES.index(name) + 1)
        return {
            "boxes": torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "scores": torch.ones(len(labels)),
        }


def test_a_detector_that_is_right_has_average_precision_one(cell):
    boxes = detection_sets.load("voc2007_boxes")
    assert detection._test(cell, ByColour(), boxes.test, torch.device("cpu"), 1) == [1.0] * 10


def test_a_mirrored_image_has_mirrored_boxes(cell):
    for image in detection_sets.load("voc2007_boxes").train:
        pixels = torch.from_numpy(np.asarray(Image.open(image.path)).transpose(2, 0, 1).copy())
        target = detection._target(image, torch.device("cpu"))
        mirrored, moved = detection._mirrored(pixels, target)
        seen = ByColour().found(mirrored.numpy())
        assert sorted(moved["boxes"].tolist()) == sorted(seen["boxes"].tolist())
        assert sorted(moved["labels"].tolist()) == sorted(seen["labels"].tolist())


def test_boxes_that_are_no_boxes_are_refused(cell):
    for name, words in (("noise", "has no boxes"), ("voc2007", "unknown data set of boxes")):
        evaluation = cell.evaluation.model_copy(update={"detection": name})
        with pytest.raises(UserError, match=words):
            detection.check(cell.model_copy(update={"evaluation": evaluation}), (3, 32, 32))
