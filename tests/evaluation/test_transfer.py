"""Linear evaluation on other data sets: each measure against scikit-learn, and cells from end to end."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as peer
import voctree
from checkout import QUICK, run_here, some
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, precision_recall_curve
from sklearn.preprocessing import StandardScaler

from clopbench.cell import Cell
from clopbench.data import sources
from clopbench.data.dataset import ABSENT, HARD, PRESENT
from clopbench.data.prepare import prepare
from clopbench.evaluation import transfer
from clopbench.suite.overrides import parse

C = 0.3


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def blobs(seed: int = 0, n: int = 120, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Features that overlap, and their class: three classes of different sizes."""
    rng = np.random.default_rng(seed)
    label_N = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    centre_CF = np.random.default_rng(99).normal(size=(3, dim))
    return (centre_CF[label_N] + rng.normal(size=(n, dim))).astype(np.float32), label_N


def fitted(x_NF: np.ndarray, y_N: np.ndarray, x_MF: np.ndarray) -> tuple[LogisticRegression, np.ndarray]:
    scaler = StandardScaler().fit(x_NF.astype(np.float64))
    model = LogisticRegression(C=C, tol=1e-8, max_iter=5000)
    model.fit(scaler.transform(x_NF.astype(np.float64)), y_N)
    return model, np.asarray(scaler.transform(x_MF.astype(np.float64)))


def judged(measure: transfer.Measure, *arrays: np.ndarray) -> float:
    """A measure of (training features, labels, test features, labels)."""
    train_NF, y_N, test_MF, y_M = (torch.from_numpy(array) for array in arrays)
    return measure(train_NF, y_N, test_MF, y_M, C)


def test_mean_per_class_equals_scikit_learns_balanced_accuracy():
    (train, y), (test, z) = blobs(0), blobs(1)
    model, scaled = fitted(train, y, test)
    ours = judged(transfer.mean_per_class, train, y, test, z)
    expected = balanced_accuracy_score(z, model.predict(scaled))
    assert ours == pytest.approx(expected, abs=1e-12)
    assert judged(transfer.top1, train, y, test, z) == np.mean(model.predict(scaled) == z)
    assert ours != pytest.approx(np.mean(model.predict(scaled) == z), abs=0.01), (
        "the measures could be confused"
    )


def several(y_N: np.ndarray, seed: int) -> np.ndarray:
    """Labels of four classes, the last without an image; some are difficult."""
    label_NK = np.full((len(y_N), 4), ABSENT)
    label_NK[np.arange(len(y_N)), y_N] = PRESENT
    label_NK[:, 1] = np.where(y_N > 0, PRESENT, ABSENT)
    hard = np.random.default_rng(seed).random(label_NK.shape) < 0.1
    hard[:, 3] = False
    return np.where(hard, HARD, label_NK)


def test_voc_map_equals_scikit_learns_binary_problems():
    (train, y), (test, z) = blobs(2), blobs(3)
    y_NK, z_MK = several(y, 4), several(z, 5)
    expected = []
    for number in range(3):
        kept, shown = y_NK[:, number] != HARD, z_MK[:, number] != HARD
        # Features are standardised over the images of the problem.
        model, scaled = fitted(train[kept], y_NK[kept, number], test[shown])
        truth = z_MK[shown, number] == PRESENT
        precision, recall, _ = precision_recall_curve(truth, model.decision_function(scaled))
        precision, recall = precision[:-1], recall[:-1]
        expected.append(np.mean([precision[recall >= k / 10 - 1e-9].max() for k in range(11)]))
    ours = judged(transfer.voc_map, train, y_NK, test, z_MK)
    assert ours == pytest.approx(np.mean(expected), abs=1e-9)


def test_images_are_brought_to_the_encoders_size_as_torchvision_does():
    image_BCHW = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    resized = transfer._Resized((3, 8, 8))
    expected = peer.resize(image_BCHW, [8, 8], antialias=True)
    torch.testing.assert_close(resized(image_BCHW), expected)
    assert resized(expected) is expected


def test_a_cell_is_judged_on_classes_that_it_has_not_seen(suite, plugins, tmp_path):
    """On its own training data transfer must repeat the probe on all labels, to the bit."""
    found = {}
    for sets in ("[]", "[digits_seen,digits_unseen]"):
        overrides, _ = parse([*QUICK, "data.name=digits_seen", f"evaluation.transfer={sets}"])
        cell = suite.benchmark("table7", "laptop", overrides).entries[1].cell(0)
        found[sets] = run_here(cell, plugins, tmp_path)
    plain, judged = found.values()
    metrics = judged.metrics
    assert metrics["transfer_digits_seen"] == metrics["probe_all_top1"]
    assert 0.2 < some(metrics["transfer_digits_unseen"]) < 1
    mean = (some(metrics["transfer_digits_seen"]) + some(metrics["transfer_digits_unseen"])) / 2
    assert metrics["transfer_mean"] == pytest.approx(mean)
    assert {k: v for k, v in metrics.items() if not k.startswith("transfer")} == plain.metrics
    assert set(judged.provenance["other_data_sha256"]) == {"digits_seen", "digits_unseen"}
    assert "other_data_sha256" not in plain.provenance
    assert judged.cell.evaluation.transfer == {"digits_seen": 1, "digits_unseen": 1}
    assert judged.cell.id != plain.cell.id


def test_packed_data_of_other_sizes_and_kinds_of_labels_is_judged(suite, plugins, tmp_path, monkeypatch):
    """Trained on 8×8 images of noise; judged on 12×12 ones of several labels each, and on two plain colours."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 3)):
        for number, name in enumerate(("dark", "light")):
            for k in range(count):
                save(tmp_path / "noise" / split / name / f"{k}.png", rng.integers(0, 256, (8, 8, 3)))
                save(tmp_path / "plain" / split / name / f"{k}.png", np.full((5, 5, 3), 40 + 170 * number + k))
    prepare("noise", tmp_path / "noise")
    prepare("plain", tmp_path / "plain")
    prepare("voc2007", voctree.draw(tmp_path / "voc", train=12, test=8, side=48), image_size=12)
    sets = ["data.name=noise", "augmentation.name=crop_flip", "training.batch_size=6"]
    overrides, _ = parse([*QUICK, *sets, "evaluation.transfer=[plain,voc2007]"])
    cell = suite.benchmark("table7", "laptop", overrides).entries[0].cell(0)
    record = run_here(cell, plugins, tmp_path)
    assert record.status == "done", record.failure
    assert record.metrics["transfer_plain"] == 1
    assert 0 < some(record.metrics["transfer_voc2007"]) <= 1
    assert cell.evaluation.transfer == {name: sources.source(name).version for name in ("plain", "voc2007")}


def test_no_transfer_is_no_part_of_a_cells_identity(cell):
    config = cell.config()
    assert config["evaluation"]["transfer"] == {}
    for field in [name for name in config["evaluation"] if name.startswith(("transfer", "detection"))]:
        del config["evaluation"][field]
    assert Cell.from_config(config).id == cell.id == "8effd45efd85f4f4"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("evaluation.transfer=[digits_unsen]", "unknown data set 'digits_unsen': did you mean 'digits_unseen'"),
        ("evaluation.transfer=digits", "must be a list of data sets"),
        (
            "evaluation.transfer=[dtd]",
            "data set dtd is not prepared .*DIR being the folder to which torchvision",
        ),
        ("evaluation.transfer=[colour]", "images of colour have 3 channels, those of digits"),
        ("evaluation.detection_epochs=3", "detection_epochs goes with detection only"),
        ("evaluation.detection_version=3", "unknown override key"),
        ("evaluation.detection=voc2007_boxes", "needs resnet18 or resnet50, the encoder is residual"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_training(bench, tmp_path, monkeypatch, override, words):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    for split in ("train", "test"):
        save(tmp_path / "tree" / split / "red" / "1.png", np.full((4, 4, 3), (255, 0, 0)))
    prepare("colour", tmp_path / "tree")
    done = bench("run", "table7", "--seeds", "1", "--results", tmp_path / "results", *QUICK, override)
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert re.search(words, done.err), done.err
