"""Choosing an epoch by held-out images: what is held out, which epoch wins, and that nothing else changes."""

import csv
import io

import numpy as np
import pytest
import torch
from checkout import QUICK, run_here

from clopbench.cell import Cell
from clopbench.data.subsets import UNLABELLED, Subset, hold_out
from clopbench.errors import UserError
from clopbench.evaluation import probe, selection
from clopbench.launch import run_cell
from clopbench.results.embeddings import read_embeddings
from clopbench.suite.overrides import parse

LABELS = np.repeat([0, 1, 2], [20, 5, 1])


def labelled(shown):
    return Subset(np.arange(100, 100 + len(shown)), np.array(shown))


def held_out(share, seed=0):
    return hold_out(labelled(LABELS), share, np.random.default_rng(seed))


def test_a_share_of_each_class_is_held_out_and_never_the_last_image_of_one():
    """By hand: 30 % of 20, 5 and 1 labels are 6, 2 (1.5 rounded to even) and none."""
    found = held_out(0.3)
    assert np.bincount(found.held_labels, minlength=3).tolist() == [6, 2, 0]
    assert sorted([*found.kept, *found.held]) == list(range(100, 126))
    assert (LABELS[found.held - 100] == found.held_labels).all()
    assert (LABELS[found.kept - 100] == found.shown).all()
    assert (np.diff(found.held) > 0).all()
    assert held_out(0.3).held.tolist() == found.held.tolist() != held_out(0.3, seed=1).held.tolist()


def test_unlabelled_images_are_never_held_out():
    found = hold_out(labelled([0, 0, UNLABELLED, UNLABELLED]), 0.5, np.random.default_rng(0))
    assert (found.held_labels == 0).all()
    assert found.shown.tolist().count(UNLABELLED) == 2


def test_nothing_to_hold_out_is_an_error():
    with pytest.raises(UserError, match=r"evaluation\.validation: no class shows two labels"):
        hold_out(labelled([0, 1, UNLABELLED]), 0.5, np.random.default_rng(0))


@pytest.fixture(scope="module")
def small(suite) -> Cell:
    """Four epochs of a narrow network, a tenth of the labels held out."""
    words = [*(word for word in QUICK if "epochs" not in word), "training.warmup_epochs=0", "training.epochs=4"]
    values, _ = parse([*words, "evaluation.validation=0.1", "training.learning_rate=2"])
    return suite.benchmark("table7", "laptop", values).entries[0].cell(0)


ACCURACIES = {1: 0.5, 2: 0.7, 3: 0.7, 4: 0.6}
"""Epoch → what the vote on the held-out images is made to say: the second is best, the third equal to it."""


@pytest.fixture(scope="module", autouse=True)
def told():
    """The vote that judges epochs says ACCURACIES; the kNN of the test set, with its two k, stays itself."""
    real = probe.nearest_neighbours

    def vote(train_NF, y_N, test_MF, y_M, ks, num_classes):
        if len(ks) == 2:
            return real(train_NF, y_N, test_MF, y_M, ks, num_classes)
        return [(ACCURACIES[epoch_of[0]], 1.0)]

    epoch_of = [0]
    after = selection.Selection.after_epoch

    def noted(self, row):
        epoch_of[0] = row["epoch"]
        after(self, row)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(probe, "nearest_neighbours", vote)
        patched.setattr(selection.Selection, "after_epoch", noted)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cell")


@pytest.fixture(scope="module")
def record(small, plugins, folder, told):
    return run_here(small, plugins, folder)


def test_the_first_of_the_best_epochs_wins_although_training_went_on(record):
    rows = list(csv.DictReader(io.StringIO(record.history)))
    assert [float(row["validation_top1"]) for row in rows] == list(ACCURACIES.values())
    assert record.metrics["epoch_best"] == 2
    assert record.metrics["validation_top1_best"] == 0.7
    assert record.metrics["validation_top1"] == list(ACCURACIES.values())[-1]
    assert record.metrics["effective_rank_best"] != record.metrics["effective_rank"]


def test_spectrum_and_embeddings_are_those_of_the_last_epoch(record, folder):
    """Half precision keeps three digits, and the two epochs' ranks are further apart."""
    kept = read_embeddings(folder / "embeddings.npz").z_ND
    for singular in (np.array(record.spectrum), np.linalg.svd(kept, compute_uv=False)):
        share = singular / singular.sum()
        rank = np.exp(-(share * np.log(share)).sum())
        assert rank == pytest.approx(record.metrics["effective_rank"], rel=5e-3)
        assert rank != pytest.approx(record.metrics["effective_rank_best"], rel=2e-2)


def test_metrics_of_the_best_epoch_are_those_of_a_run_that_ended_there(
    small, plugins, tmp_path, record, monkeypatch
):
    """The same schedule, stopped after the second epoch. The rank is of the head's outputs, the rest is not."""
    train = run_cell.Trainer.run

    def as_far(self, after_step, on_epoch):
        class Enough(Exception):
            pass

        def stop_there(row):
            on_epoch(row)
            if len(self.history) == 2:
                raise Enough

        try:
            train(self, after_step, stop_there)
        except Enough:
            return

    monkeypatch.setattr(run_cell.Trainer, "run", as_far)
    short = run_here(small, plugins, tmp_path)
    for name in selection.CHOSEN:
        assert short.metrics[name] == record.metrics[f"{name}_best"]


def test_training_does_not_see_the_held_out_images(small, plugins, tmp_path, monkeypatch):
    seen = []
    real = run_cell.Trainer.__init__

    def noted(self, cell, model, images, labels):
        seen.append(len(images))
        real(self, cell, model, images, labels)

    monkeypatch.setattr(run_cell.Trainer, "__init__", noted)
    whole = small.model_copy(update={"evaluation": small.evaluation.model_copy(update={"validation": 0.0})})
    for number, cell in enumerate((small, whole)):
        (tmp_path / str(number)).mkdir()
        short = cell.model_copy(update={"training": cell.training.model_copy(update={"epochs": 1})})
        found = run_here(short, plugins, tmp_path / str(number))
        assert ("probe_top1_best" in found.metrics) == (number == 0)
    assert seen[1] == 1437
    assert 1437 - 160 < seen[0] < 1437 - 130


def test_a_checkpoint_keeps_the_best_epoch(small, plugins, tmp_path, record, monkeypatch):
    """Interrupted after the third epoch and gone on from the checkpoint: the same numbers to the bit."""
    checkpointer = run_cell.Checkpointer.after_step

    def stop_in_the_third(self, trainer):
        if trainer.epoch == 2 and trainer.step == 1:
            self.save(trainer)
            raise run_cell.Stopped
        checkpointer(self, trainer)

    with monkeypatch.context() as patched:
        patched.setattr(run_cell.Checkpointer, "after_step", stop_in_the_third)
        with pytest.raises(run_cell.Stopped):
            run_here(small, plugins, tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["best"]["epoch"] == 2
    again = run_here(small, plugins, tmp_path)
    assert again.provenance["resumed"]
    assert again.result_digest == record.result_digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation": {"probe": "sgd", "probe_learning_rate": 0.1}}, "validation goes with probe lbfgs only"),
        ({"training": {"devices": 2}}, "evaluation.validation and training.devices above 1 exclude each other"),
    ],
    ids=["trained probe", "devices"],
)
def test_what_validation_does_not_go_with(small, changes, message):
    config = small.config()
    for section, values in changes.items():
        config[section] |= values
    with pytest.raises(UserError, match=message):
        Cell.from_config(config)
