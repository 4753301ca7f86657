"""Real CIFAR-100 images through the code of scale cpu: prepared, trained, killed at random, resumed."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image
from runs import digests, holder, leftovers, wait_until

SHEETS = ROOT.parent / "shared" / "data" / "cifar100"
SIDE, COLUMNS = 32, 20
CLASSES, TRAIN_ROWS, TEST_ROWS = 10, 5, 1

pytestmark = pytest.mark.skipif(
    not SHEETS.exists(), reason="needs the class sheets of CIFAR-100 beside the checkout"
)

CELL = [
    *("run", "table7", "--scale", "cpu", "--seeds", "1", "--only", "prototypes=orthonormal", "--workers", "1"),
    *("data.name=ten", "training.epochs=8", "evaluation.collapse_rank=0", "launch.checkpoint_seconds=0.1"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """10 classes of 100 + 20 real images, cut from the sheets (20 images to a row)."""
    root = tmp_path_factory.mktemp("cifar")
    for split, rows in (("train", TRAIN_ROWS), ("test", TEST_ROWS)):
        for sheet in sorted((SHEETS / split).glob("*.webp"))[:CLASSES]:
            pixels = np.asarray(Image.open(sheet).convert("RGB"))
            folder = root / split / sheet.stem
            folder.mkdir(parents=True)
            for number in range(rows * COLUMNS):
                y, x = SIDE * (number // COLUMNS), SIDE * (number % COLUMNS)
                Image.fromarray(pixels[y : y + SIDE, x : x + SIDE]).save(folder / f"{number:03d}.png")
    return root


def kill_after(results: Path, seconds: float) -> threading.Thread:
    """SIGKILL the worker `seconds` after its first epoch, or its first since it was resumed."""

    def send() -> None:
        wait_until(lambda: holder(results, 1) is not None)
        time.sleep(seconds)
        pid = holder(results, 1)
        assert pid is not None, "the cell ended before it could be killed"
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_cell_killed_at_five_random_moments_ends_in_the_same_bits(bench, tree, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    assert bench("data", "prepare", "ten", "--from", tree).code == 0
    assert bench(*CELL, "--results", tmp_path / "undisturbed").code == 0
    moments = random.Random(0)
    results = tmp_path / "killed"
    for _ in range(5):
        thread = kill_after(results, moments.uniform(0, 0.8))
        assert bench(*CELL, "--results", results).code == 1
        thread.join()
    assert bench(*CELL, "--results", results).code == 0
    (number,) = set(digests(tmp_path / "undisturbed").values())
    assert set(digests(results).values()) == {number}
    assert leftovers(results) == []
