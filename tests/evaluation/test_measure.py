"""Each metric of a record is the one that its name says, computed again by scikit-learn."""

import numpy as np
import pytest
import torch
from checkout import QUICK, pixels_of, run_here
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from clopbench import geometry, seeds
from clopbench.data.augment import recipe
from clopbench.evaluation import keeping, measure, probe
from clopbench.evaluation.selection import Selection
from clopbench.evaluation.trained_probe import ProbeTraining
from clopbench.launch import run_cell
from clopbench.results.embeddings import read_embeddings
from clopbench.suite.overrides import parse

FEW = ["data.label_fraction=0.05", "data.class_fractions={0: 0.6, 4: 0.8}"]
"""With some images left out, a label that is taken from another place is another image's."""


def measured(suite, plugins, folder, *settings):
    """A cell's record, and the models with their images and labels that were measured for it."""
    values, _ = parse([*QUICK, *settings])
    cell = suite.benchmark("table7", "laptop", values).entries[0].cell(0)
    kept = []
    with pytest.MonkeyPatch.context() as patched:
        real = run_cell.measure
        patched.setattr(run_cell, "measure", lambda frozen: (kept.append(frozen), real(frozen))[1])
        record = run_here(cell, plugins, folder)
    return record, kept


def labels_of(images) -> np.ndarray:
    """The digits' own labels, by looking each image's pixels up."""
    digits = pixels_of("digits")
    known = {
        pixels.tobytes(): label
        for part in (digits.train, digits.test)
        for pixels, label in zip(part.images, part.labels, strict=True)
    }
    [image_NCHW] = images.batches([np.arange(len(images))])
    return np.array([known[pixels.tobytes()] for pixels in image_NCHW.numpy()])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cell")


@pytest.fixture(scope="module")
def judged(suite, plugins, folder):
    """A cell that shows a twentieth of its labels, its frozen features, and its record."""
    record, [frozen] = measured(suite, plugins, folder, *FEW)
    train = probe.extract(frozen.model.encoder, frozen.train).double().numpy()
    test = probe.extract(frozen.model.encoder, frozen.test).double().numpy()
    return record.metrics, frozen, train, test


def test_every_image_is_measured_with_its_own_label(judged):
    _, frozen, _, _ = judged
    truth = labels_of(frozen.train)
    assert (frozen.all_N.numpy() == truth).all()
    shown = frozen.shown_N.numpy() >= 0
    assert 0.04 < shown.mean() < 0.06
    assert (frozen.shown_N.numpy()[shown] == truth[shown]).all()
    assert (frozen.y_M.numpy() == labels_of(frozen.test)).all()


def test_a_few_embeddings_are_kept_of_images_all_over_the_test_set(judged, folder, tmp_path, monkeypatch):
    """All of a small test set; of a larger one, from the first image to the last in even steps."""
    _, frozen, _, _ = judged
    network = torch.nn.Sequential(frozen.model.encoder, frozen.model.head)
    z_MD = torch.nn.functional.normalize(probe.extract(network, frozen.test), dim=1).numpy()
    labels = labels_of(frozen.test)
    monkeypatch.setattr(keeping, "IMAGES", 5)
    network.train()
    keeping.keep_embeddings(frozen.model, frozen.test, frozen.y_M, tmp_path)
    spread = [0, 90, 180, 269, 359]  # Of 360; 89.75, 179.5 and 269.25, rounded to even where in the middle.
    for place, chosen in ((folder, np.arange(360)), (tmp_path, spread)):
        kept = read_embeddings(place / "embeddings.npz")
        assert (kept.y_N == labels[chosen]).all()
        np.testing.assert_allclose(kept.z_ND, z_MD[chosen], atol=1e-3)
        assert kept.prototype_KD is not None
        np.testing.assert_array_equal(kept.prototype_KD, frozen.model.method.prototype_KD.numpy())


def test_a_trained_probe_of_the_shown_labels_is_told_from_that_of_all(suite, plugins, tmp_path):
    """Each is trained again alone, to the bit; the file that an interruption needs goes with the record."""
    settings = ("probe=sgd", "probe_learning_rate=0.5", "probe_epochs=2", "probe_batch_size=16")
    record, [frozen] = measured(suite, plugins, tmp_path, *FEW, *(f"evaluation.{word}" for word in settings))
    assert record.provenance["test_images"] == 360
    views = 2 * 256 * (len(frozen.train) // 256)  # One epoch of whole batches.
    pace = views / record.provenance["train_seconds"]
    assert record.provenance["views_per_second"] == pytest.approx(pace, rel=0.05)
    assert (tmp_path / "probe.pt").exists() and frozen.probe.path == tmp_path / "probe.pt"
    found = {}
    for name, y_N in (("probe", frozen.shown_N), ("probe_all", frozen.all_N)):
        alone = ProbeTraining(
            frozen.cell, frozen.model, frozen.train, frozen.num_classes, tmp_path / f"{name}.pt", 1e9
        )
        found[name] = alone.accuracy("alone", y_N, frozen.test, frozen.y_M)
        assert (record.metrics[f"{name}_top1"], record.metrics[f"{name}_top5"]) == found[name]
    assert found["probe"] != found["probe_all"]


def ranked(scores: np.ndarray, classes: np.ndarray, labels: np.ndarray, k: int) -> float:
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((classes[order] == labels[:, None]).any(1).mean())


@pytest.mark.parametrize("protocol", ["probe", "probe_all"])
def test_both_probes_by_scikit_learn(judged, protocol):
    metrics, frozen, train, test = judged
    y = (frozen.shown_N if protocol == "probe" else frozen.all_N).numpy()
    kept = y >= 0
    assert kept.all() == (protocol == "probe_all")
    scaler = StandardScaler().fit(train[kept])
    model = LogisticRegression(C=frozen.cell.evaluation.probe_c, max_iter=5000, tol=1e-8)
    scores = model.fit(scaler.transform(train[kept]), y[kept]).predict_log_proba(scaler.transform(test))
    for k in (1, 5):
        found = ranked(scores, np.asarray(model.classes_), frozen.y_M.numpy(), k)
        assert metrics[f"{protocol}_top{k}"] == pytest.approx(found, abs=1.5 / 360)


def test_the_probes_differ_so_that_exchanging_them_would_be_seen(judged):
    metrics = judged[0]
    assert metrics["probe_all_top1"] - metrics["probe_top1"] > 5 / 360
    assert abs(metrics["knn_top1"] - metrics["knn100_top1"]) > 5 / 360


@pytest.mark.parametrize(("name", "k"), [("knn", None), ("knn100", 100)])
def test_both_votes_by_scikit_learn(judged, name, k):
    metrics, frozen, train, test = judged
    k = k or frozen.cell.evaluation.knn

    def by_cosine(distance):
        return np.exp((1 - distance) / 0.1)

    peer = KNeighborsClassifier(k, metric="cosine", weights=by_cosine)  # pyright: ignore[reportArgumentType]
    share = peer.fit(train, frozen.all_N.numpy()).predict_proba(test)
    for top in (1, 5):
        found = ranked(share, np.asarray(peer.classes_), frozen.y_M.numpy(), top)
        assert metrics[f"{name}_top{top}"] == pytest.approx(found, abs=1.5 / 360)


def test_geometry_is_that_of_the_test_images_embeddings_by_numpy(judged):
    """Shapes: M test images, D embedding dimensions."""
    metrics, frozen, _, _ = judged
    network = torch.nn.Sequential(frozen.model.encoder, frozen.model.head)
    z_MD = probe.extract(network, frozen.test).double().numpy()
    z_MD /= np.linalg.norm(z_MD, axis=1, keepdims=True)
    singular = np.linalg.svd(z_MD, compute_uv=False)
    share = singular[singular > 0] / singular.sum()
    assert metrics["effective_rank"] == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-3)
    assert metrics["mean_norm"] == pytest.approx(np.linalg.norm(z_MD.mean(0)), rel=1e-4)
    pairs = (z_MD @ z_MD.T)[np.triu_indices(len(z_MD), 1)]
    assert metrics["uniformity"] == pytest.approx(np.log(np.exp(-2 * (2 - 2 * pairs)).mean()), rel=1e-4)
    cosine_MK = z_MD @ frozen.model.method.prototype_KD.double().numpy().T
    own = np.eye(10, dtype=bool)[frozen.y_M.numpy()]
    assert metrics["prototype_cosine_own"] == pytest.approx(cosine_MK[own].mean(), abs=1e-5)
    others = np.where(own, -np.inf, cosine_MK).max(1)
    assert metrics["prototype_cosine_other"] == pytest.approx(others.mean(), abs=1e-5)
    assert metrics["prototype_top1"] == pytest.approx((cosine_MK.argmax(1) == frozen.y_M.numpy()).mean())
    assert metrics["prototype_overlap"] == pytest.approx(0, abs=1e-5)
    assert metrics["dominant_share"] == pytest.approx(singular[0] ** 2 / len(z_MD), rel=1e-4)


def test_alignment_is_of_two_views_that_the_evaluations_stream_draws(judged):
    metrics, frozen, _, _ = judged
    network = torch.nn.Sequential(frozen.model.encoder, frozen.model.head).eval()
    generator = torch.Generator().manual_seed(seeds.integer(frozen.cell.seed, "evaluate"))
    [image_MCHW] = frozen.test.batches([np.arange(360)])
    augment, found = recipe(frozen.cell.augmentation.name), []
    with torch.no_grad():
        for _ in range(2):
            found.append(torch.nn.functional.normalize(network(augment(image_MCHW, generator)), dim=1).double())
    assert metrics["alignment"] == pytest.approx(((found[0] - found[1]) ** 2).sum(1).mean().item(), rel=1e-5)


def test_of_a_large_test_set_alignment_and_uniformity_take_a_part(judged, monkeypatch):
    """As many images of 8×8 float32 as fill the bytes, and the pairs of the first embeddings."""
    counted = {}
    monkeypatch.setattr(measure, "ALIGNMENT_BYTES", 50 * 8 * 8 * 4 + 3)
    monkeypatch.setattr(measure, "PAIRS_OF", 20)
    for name in ("alignment", "uniformity"):
        monkeypatch.setattr(geometry, name, lambda *z, name=name: counted.setdefault(name, [*map(len, z)])[0])
    measure.measure(judged[1])
    assert counted == {"alignment": [50, 50], "uniformity": [20]}


def test_a_near_neighbour_outvotes_two_that_are_farther():
    """By hand: e^10 against 2 · e^8 at temperature 0.1; at temperature 1 it would be e^1 against 2 · e^0.8."""
    far = [0.8, 0.6, 0.0]
    train = torch.tensor([[1.0, 0.0, 0.0], far, [0.8, -0.6, 0.0]])
    [found] = probe.nearest_neighbours(
        train, torch.tensor([1, 0, 0]), torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([1]), (3,), 2
    )
    assert found[0] == 1.0


def test_an_epoch_is_judged_by_the_labelled_images_on_the_held_out_ones(suite, plugins, tmp_path, monkeypatch):
    """The vote of the last epoch, by scikit-learn; most labels are not shown, and those must not vote."""
    values, _ = parse([*QUICK, "data.label_fraction=0.3", "evaluation.validation=0.2"])
    cell = suite.benchmark("table7", "laptop", values).entries[0].cell(0)
    kept = []
    after = Selection.after_epoch

    def noted(self, row):
        after(self, row)
        features = (
            probe.extract(self.trainer.model.encoder, images) for images in (self.trainer.images, self.held)
        )
        kept.append((row["validation_top1"], self.trainer.labels.numpy(), self.y_M.numpy(), *features))
        assert (self.y_M.numpy() == labels_of(self.held)).all()
        labels = self.trainer.labels.numpy()
        assert (labels == np.where(labels < 0, labels, labels_of(self.images))).all()

    monkeypatch.setattr(Selection, "after_epoch", noted)
    assert run_here(cell, plugins, tmp_path).status == "done"
    [(found, y_N, y_M, train_NF, held_MF)] = kept
    shown = y_N >= 0
    assert 0 < shown.sum() < len(y_N)

    def by_cosine(distance):
        return np.exp((1 - distance) / 0.1)

    k = cell.evaluation.knn
    peer = KNeighborsClassifier(k, metric="cosine", weights=by_cosine)  # pyright: ignore[reportArgumentType]
    assert found == pytest.approx(peer.fit(train_NF[shown], y_N[shown]).score(held_MF, y_M), abs=1.5 / len(y_M))
    assert found != pytest.approx(KNeighborsClassifier(1).fit(train_NF, y_N).score(held_MF, y_M))
