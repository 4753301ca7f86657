"""Images that are decoded while a cell trains give the numbers of the same images packed."""

import io
import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from checkout import QUICK
from PIL import Image
from runs import digests

from clopbench.data import sources
from clopbench.data.prepare import prepare
from clopbench.errors import UserError
from clopbench.training.feed import Decoded, Resident, feed, in_order

COLOURS = {"ant": (200, 30, 30), "bee": (30, 200, 30), "fly": (30, 30, 200)}
ARGUMENTS = [
    *("run", "table7", "--seeds", "1", "--only", "prototypes=orthonormal", *QUICK, "training.epochs=2"),
    *("training.batch_size=16", "augmentation.name=simclr", "data.label_fraction=0.5"),
]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """24 + 9 noisy images of 16×16 in three classes; `decoded` and `packed` are prepared from it."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 3)):
        for name, colour in COLOURS.items():
            folder = tmp_path / "tree" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(rng.normal(colour, 60, (16, 16, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    prepare("decoded", tmp_path / "tree", limit_gib=1e-9)
    prepare("packed", tmp_path / "tree")
    return tmp_path / "tree"


@pytest.mark.parametrize(
    "probe", [[], ["evaluation.probe=sgd", "evaluation.probe_learning_rate=0.1", "evaluation.probe_epochs=3"]]
)
def test_a_cell_on_a_folder_has_the_numbers_of_the_packed_one(bench, tree, tmp_path, probe):
    numbers = []
    for name in ("decoded", "packed"):
        results = tmp_path / name
        done = bench(*ARGUMENTS, *probe, f"data.name={name}", "--results", results)
        assert done.code == 0, done.out
        numbers += digests(results).values()
    assert numbers[0] == numbers[1]


def test_batches_come_in_order_from_the_kept_images(tree):
    data = sources.load("decoded")
    kept = np.array([3, 7, 20, 21])
    decoded = feed(data.train, torch.device("cpu"), 2, kept)
    resident = feed(sources.load("packed").train, torch.device("cpu"), 2, kept)
    assert isinstance(decoded, Decoded) and isinstance(resident, Resident)
    assert len(decoded) == len(resident) == 4
    assert decoded.shape == resident.shape == (3, 16, 16)
    chosen = [np.array([2, 0]), np.array([1]), np.array([3, 3])]
    for ours, theirs in zip(decoded.batches(chosen), resident.batches(chosen), strict=True):
        assert ours.dtype == torch.uint8
        assert ours.equal(theirs)
    assert [len(part) for part in in_order(5, 2)] == [2, 2, 1]


def test_a_broken_image_is_named(tree):
    data = sources.load("decoded")
    (tree / "train" / "bee" / "2.png").write_bytes(io.BytesIO(b"no image").getvalue())
    images = feed(data.train, torch.device("cpu"), 1)
    with pytest.raises(UserError, match=r"bee/2\.png: is no image") as caught:
        list(images.batches([np.arange(24)]))
    assert "\n" not in str(caught.value)


def test_loaders_outlive_the_signals_of_a_scheduler(tree):
    """SIGTERM goes to every process of a cell; the batches that follow must still come."""
    images = feed(sources.load("decoded").train, torch.device("cpu"), 1)
    before = set(multiprocessing.active_children())
    batches = images.batches([np.array([i]) for i in range(12)])
    next(batches)
    (loader,) = set(multiprocessing.active_children()) - before
    assert loader.pid is not None
    for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT):
        os.kill(loader.pid, number)
    assert len(list(batches)) == 11
