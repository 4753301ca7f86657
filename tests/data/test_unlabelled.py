"""Images without a label train and are part of the data's hash; no subset and no evaluation sees them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from checkout import QUICK, pixels_of, run_here
from imagetree import BARE, draw, pixels, with_unlabelled

from clopbench.cell import Cell
from clopbench.data import sources, store
from clopbench.data.prepare import prepare
from clopbench.data.subsets import UNLABELLED
from clopbench.errors import UserError
from clopbench.evaluation.measure import Frozen
from clopbench.launch import run_cell
from clopbench.launch.run_cell import preflight
from clopbench.suite.overrides import parse
from clopbench.training.loop import Trainer

LABELLED = 12
EVERY = LABELLED + len(BARE)


@pytest.fixture(autouse=True)
def _data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))


@pytest.fixture
def tree(tmp_path) -> Path:
    """12 + 6 images in three classes, 7 without a label. `bare` is prepared from it, `plain` without the 7."""
    root = with_unlabelled(tmp_path / "tree")
    prepare("bare", root)
    (root / "unlabelled").rename(root / "elsewhere")
    prepare("plain", root)
    (root / "elsewhere").rename(root / "unlabelled")
    return root


def the_cell(suite, name: str, *words: str) -> Cell:
    values, _ = parse([*QUICK, f"data.name={name}", "training.batch_size=4", "evaluation.knn=3", *words])
    return suite.benchmark("table7", "laptop", values).entries[0].cell(0)


class Seen:
    """What a run trained on, batch by batch, and what it was judged on."""

    def __init__(self, monkeypatch):
        self.batches: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.trainers: list[Trainer] = []
        self.frozen: list[Frozen] = []
        embed, measure = Trainer._embed, run_cell.measure

        def noting(trainer, view_VBCHW, index_B):
            batch = embed(trainer, view_VBCHW, index_B)
            self.batches.append((batch.index_B, batch.y_B))
            self.trainers.append(trainer)
            return batch

        def measuring(frozen):
            self.frozen.append(frozen)
            return measure(frozen)

        monkeypatch.setattr(Trainer, "_embed", noting)
        monkeypatch.setattr(run_cell, "measure", measuring)


def pixels_at(images, positions) -> np.ndarray:
    return next(iter(images.batches([np.array(positions)]))).numpy()


def test_they_train_with_label_minus_one_and_nothing_else_sees_them(
    tree, suite, plugins, tmp_path, monkeypatch
):
    seen = Seen(monkeypatch)
    record = run_here(the_cell(suite, "bare"), plugins, tmp_path / "cell")
    assert record.status == "done", record.failure
    data = pixels_of("bare")
    assert data.unlabelled is not None
    positions = torch.cat([index_B for index_B, _ in seen.batches]).tolist()
    labels = dict(zip(positions, torch.cat([y_B for _, y_B in seen.batches]).tolist(), strict=True))
    assert len(positions) == len(labels) == EVERY // 4 * 4  # One epoch, the last batch is not full.
    expected = [*data.train.labels.tolist(), *[UNLABELLED] * len(BARE)]
    assert all(label == expected[position] for position, label in labels.items())
    assert sum(label == UNLABELLED for label in labels.values()) >= len(BARE) - EVERY % 4
    # They are the images of the folder, behind all others.
    bare = pixels_at(seen.trainers[0].images, range(LABELLED, EVERY))
    shown = sorted(image.tobytes() for image in bare)
    assert shown == sorted(pixels(8, number).transpose(2, 0, 1).tobytes() for number in BARE)
    # Judged on: the images that have a label, with their labels.
    (frozen,) = seen.frozen
    assert len(frozen.train) == len(frozen.all_N) == len(frozen.shown_N) == LABELLED
    np.testing.assert_array_equal(pixels_at(frozen.train, range(LABELLED)), data.train.images)
    assert frozen.all_N.tolist() == frozen.shown_N.tolist() == data.train.labels.tolist()
    assert frozen.probe.images is frozen.train
    assert record.provenance["unlabelled_images"] == len(BARE)


LIMITS = {
    "some labels": ["data.label_fraction=0.5"],
    "fewer of a class": ["+data.class_fractions={0: 0.25, 2: 0.5}"],
    "long tail": ["data.imbalance_factor=4"],
    "noise": ["data.label_noise=0.5"],
    "held out": ["evaluation.validation=0.25", "data.label_fraction=0.75"],
}


@pytest.mark.parametrize("limit", LIMITS)
def test_subsets_are_those_of_the_labelled_images_alone(tree, suite, plugins, tmp_path, monkeypatch, limit):
    """The data set without the seven images is the reference: the same are kept, shown, held out, judged on."""
    seen = Seen(monkeypatch)
    records = []
    for name in ("plain", "bare"):
        (tmp_path / name).mkdir()
        records.append(run_here(the_cell(suite, name, *LIMITS[limit]), plugins, tmp_path / name))
        assert records[-1].status == "done", records[-1].failure
    plain, bare = records
    assert plain.pairing["subset"] == bare.pairing["subset"]
    assert "unlabelled_images" not in plain.provenance
    assert bare.metrics.keys() == plain.metrics.keys()
    count = len(seen.trainers[-1].images) - len(BARE)
    first = seen.frozen[0]
    for frozen in seen.frozen[1:]:
        assert frozen.shown_N.equal(first.shown_N) and frozen.all_N.equal(first.all_N)
        np.testing.assert_array_equal(
            pixels_at(frozen.train, range(count)), pixels_at(first.train, range(count))
        )
    assert seen.trainers[-1].labels[count:].tolist() == [UNLABELLED] * len(BARE)
    assert seen.trainers[-1].labels[:count].tolist() == first.shown_N.tolist()


def test_a_batch_may_be_larger_than_the_labelled_images(tree, suite, plugins):
    preflight(the_cell(suite, "bare", f"training.batch_size={EVERY}"), plugins)
    with pytest.raises(
        UserError, match=rf"training\.batch_size: {EVERY + 1} is more than the {EVERY} training"
    ):
        preflight(the_cell(suite, "bare", f"training.batch_size={EVERY + 1}"), plugins)


def test_the_headline_counts_them_and_so_do_the_listings(bench, tree, tmp_path):
    words = [
        "table7",
        "data.name=bare",
        "training.batch_size=4",
        *QUICK,
        "--seeds",
        "1",
        "--results",
        tmp_path / "r",
    ]
    line = "bare: its 7 unlabelled images train with label −1, and no evaluation sees them"
    assert line in bench("plan", *words).out.splitlines()
    assert "unlabelled" not in bench("plan", *words, "data.name=plain").out
    assert "bare  12 + 6 images in 3 classes and 7 unlabelled, 3×8×8: " in bench("data", "list").out
    rows = {row["name"]: row for row in json.loads(bench("data", "list", "--json").out)}
    assert (rows["bare"]["unlabelled"], rows["plain"]["unlabelled"]) == (7, 0)
    done = bench("data", "prepare", "bare", "--from", tree, "--force")
    assert "  12 + 6 images in 3 classes and 7 unlabelled for training, 3×8×8" in done.out.splitlines()


def test_decoded_while_training_they_give_the_same_numbers(tree, suite, plugins, tmp_path):
    prepare("decoded", tree, limit_gib=1e-9)
    records = []
    for name in ("bare", "decoded"):
        (tmp_path / name).mkdir()
        records.append(run_here(the_cell(suite, name), plugins, tmp_path / name))
    packed, decoded = records
    assert packed.status == "done"
    assert (packed.metrics, packed.history) == (decoded.metrics, decoded.history)
    assert decoded.provenance["unlabelled_images"] == len(BARE)


@pytest.mark.parametrize("limit", [16.0, 1e-9], ids=["packed", "decoded"])
def test_they_are_part_of_the_hash_and_of_the_version(bench, tmp_path, limit):
    root = with_unlabelled(tmp_path / "tree")

    def again() -> store.Meta:
        return prepare("mine", root, limit_gib=limit, force=True).meta

    whole = again()
    assert (whole.unlabelled, whole.counts) == (7, {"train": [4] * 3, "test": [2] * 3})
    assert again() == whole
    draw(root / "unlabelled" / "deep" / "99.png", 8, 99)
    more = again()
    (root / "unlabelled").rename(root / "aside")
    none = again()
    assert (more.unlabelled, none.unlabelled) == (8, 0)
    assert (
        len({whole.sha256, more.sha256, none.sha256}) == len({whole.version, more.version, none.version}) == 3
    )
    (root / "aside").rename(root / "unlabeled")  # STL-10's own spelling.
    assert again().unlabelled == 8
    if limit < 1:
        (root / "unlabeled" / "deep" / "99.png").unlink()
        with pytest.raises(UserError, match="has other unlabelled images than when mine was prepared"):
            sources.load("mine")
        return
    assert bench("data", "verify").code == 0
    path = store.root() / "mine" / store.UNLABELLED_IMAGES
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert bench("data", "verify").code == 1
    with pytest.raises(UserError, match="pixels or labels are not those that were packed"):
        sources.load("mine")
    path.unlink()
    with pytest.raises(UserError, match=r"is damaged \(.*unlabelled_images\.npy"):
        sources.load("mine")


def test_channel_statistics_and_transfer_are_of_the_labelled_images(
    tree, suite, plugins, tmp_path, monkeypatch
):
    bare, plain = store.read_meta("bare"), store.read_meta("plain")
    assert bare is not None and plain is not None
    assert (bare.mean, bare.std) == (plain.mean, plain.std)
    found = []
    for name in ("bare", "plain"):
        (tmp_path / name).mkdir()
        cell = the_cell(suite, "plain", f"evaluation.transfer=[{name}]")
        found.append(run_here(cell, plugins, tmp_path / name).metrics[f"transfer_{name}"])
    assert found[0] == found[1]
