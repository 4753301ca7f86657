"""Data, augmentation, optimiser schedule, encoders, evaluation and geometry, against hand values and peers."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from checkout import pixels_of
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from clopbench import geometry, seeds
from clopbench.cell import AugmentationConfig, EncoderConfig, ProjectionConfig, TrainingConfig
from clopbench.contrastive import normalised
from clopbench.data import augment
from clopbench.data.subsets import UNLABELLED, show_labels
from clopbench.errors import UserError
from clopbench.evaluation import probe
from clopbench.method import Embedded, Method
from clopbench.training.encoders import build_encoder, build_head
from clopbench.training.feed import Resident
from clopbench.training.loop import Trainer, draw_views
from clopbench.training.model import Model
from clopbench.training.optim import learning_rate


def test_digits_are_the_documented_split():
    from sklearn.datasets import load_digits

    data = pixels_of("digits")
    flat, target = load_digits(return_X_y=True)
    assert data.train.images.shape == (1437, 1, 8, 8)
    assert data.test.images.shape == (360, 1, 8, 8)
    assert data.train.images.dtype == np.uint8
    together = np.concatenate([data.train.images, data.test.images]).reshape(1797, 64)
    np.testing.assert_allclose(together, np.asarray(flat) * 255 / 16, atol=0.5)
    np.testing.assert_array_equal(np.concatenate([data.train.labels, data.test.labels]), target)
    assert set(data.test.labels) == set(range(10))


def test_data_hash_sees_a_single_pixel():
    data = pixels_of("digits")
    other = pixels_of("digits")
    assert data.sha256 == other.sha256
    third = pixels_of("digits")
    third.test.images[5, 0, 3, 3] ^= 1
    assert third.sha256 != data.sha256


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.1, 0.001])
def test_subset_is_stratified_with_at_least_one_label_per_class(fraction):
    labels = np.repeat(np.arange(4), [100, 55, 7, 1])
    shown = show_labels(labels, fraction, np.random.default_rng(0))
    for number, count in enumerate([100, 55, 7, 1]):
        assert (shown[labels == number] == number).sum() == max(1, round(fraction * count))
    assert set(shown[shown != labels]) <= {UNLABELLED}


def test_subset_follows_the_seed_alone():
    labels = np.repeat(np.arange(4), 50)
    draws = [show_labels(labels, 0.1, seeds.numpy_generator(seed, "subset")) for seed in (0, 0, 1)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_names_of_recipes_are_those_that_a_cell_may_ask_for():
    from typing import get_args

    assert set(augment.RECIPES) == set(get_args(AugmentationConfig.model_fields["name"].annotation))
    with pytest.raises(UserError, match="unknown augmentation 'digit': did you mean 'digits'"):
        augment.recipe("digit")


def test_digits_recipe_moves_brightens_and_blurs_as_documented():
    """Statistics of many views of one image: brightness factor, noise, geometry, each sample its own."""
    white = torch.full((4000, 1, 8, 8), 200, dtype=torch.uint8)
    view = augment.digits(white, torch.Generator().manual_seed(0))
    middle = view[:, 0, 3:5, 3:5].mean((1, 2)) / (200 / 255)
    low, high = middle.quantile(0.02).item(), middle.quantile(0.98).item()
    assert 0.5 < low < 0.7
    assert 1.3 < high < 1.5
    assert abs(middle.mean().item() - 1.0) < 0.02
    dot = torch.zeros(4000, 1, 8, 8, dtype=torch.uint8)
    dot[:, 0, 3:5, 3:5] = 255
    mass = augment.digits(dot, torch.Generator().manual_seed(1)).clamp_min(0.2) - 0.2
    columns = (mass.sum((1, 2)) * torch.arange(8)).sum(1) / mass.sum((1, 2, 3))
    # Shift is uniform in ±1 pixel: mean 3.5, standard deviation 1/√3, widened a little by the rest.
    assert abs(columns.mean().item() - 3.5) < 0.05
    assert 0.45 < columns.std().item() < 0.8


def test_views_belong_to_seed_epoch_and_step():
    images = torch.from_numpy(pixels_of("digits").train.images[:8])
    recipes = [augment.digits, augment.digits]
    views = draw_views(images, recipes, 0, 3, 2)
    assert views.shape == (2, 8, 1, 8, 8)
    assert views.equal(draw_views(images, recipes, 0, 3, 2))
    assert not views[0].equal(views[1])
    for other in ((1, 3, 2), (0, 4, 2), (0, 3, 1)):
        assert not views.equal(draw_views(images, recipes, *other))


SCHEDULE = TrainingConfig(
    epochs=10, batch_size=4, learning_rate=0.8, momentum=0.9, weight_decay=0.0, warmup_epochs=2
)


def test_schedule_warms_up_and_decays_to_zero():
    rates = [learning_rate(step, 5, SCHEDULE) for step in range(50)]
    assert rates[0] == pytest.approx(0.08)
    assert rates[9] == rates[10] == pytest.approx(0.8)
    assert rates[30] == pytest.approx(0.4)  # Half of the 40 steps after warm-up.
    assert rates[49] == pytest.approx(0.8 * (1 + math.cos(math.pi * 39 / 40)) / 2)


def test_encoder_and_head_have_the_documented_shapes():
    encoder, features = build_encoder(EncoderConfig(name="residual", width=16), 1)
    head = build_head(ProjectionConfig(dim=32, hidden=48), features)
    h = encoder(torch.rand(5, 1, 8, 8))
    assert h.shape == (5, features) == (5, 64)
    assert head(h).shape == (5, 32)
    convolutions = 9 * (1 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 16 * 32 + 32 * 64
    norms = 2 * (16 + 2 * 16 + 2 * 32 + 32 + 2 * 64 + 64)
    assert sum(p.numel() for p in encoder.parameters()) == convolutions + norms


class Recorder(Method):
    """Asks for three views and a teacher, and remembers what it was given."""

    name, version = "recorder", 1
    views = ("none", "digits", "none")
    teacher_momentum = 0.75

    def __init__(self):
        super().__init__()
        self.seen: list[Embedded] = []

    def loss(self, batch):
        self.seen.append(batch)
        return {"total": batch.z_VBD.square().sum()}


def small_model(method):
    torch.manual_seed(0)
    encoder, features = build_encoder(EncoderConfig(name="residual", width=2), 1)
    head = build_head(ProjectionConfig(dim=4, hidden=8), features)
    return Model(encoder, head, method, torch.Generator())


def test_methods_get_their_own_views_and_teacher(cell):
    short = cell.model_copy(update={"training": SCHEDULE.model_copy(update={"epochs": 1, "warmup_epochs": 0})})
    images = torch.from_numpy(pixels_of("digits").train.images[:10])
    labels = torch.arange(10)
    method = Recorder()
    model = small_model(method)
    start = [p.detach().clone() for p in model.head.parameters()]
    trainer = Trainer(short, model, Resident(images), labels)
    trainer.run(lambda _: None, lambda _: None)
    first, second = method.seen
    assert first.z_VBD.shape == (3, 4, 4)
    assert first.y_B.equal(labels[first.index_B])
    assert len(set(first.index_B.tolist()) | set(second.index_B.tolist())) == 8  # Last 2 of 10 left out.
    torch.testing.assert_close(first.z_VBD[0], first.z_VBD[2])
    assert first.teacher is not None
    assert not first.teacher.z_VBD.requires_grad
    torch.testing.assert_close(first.teacher.z_VBD, first.z_VBD.detach())  # Equal before the first step.
    assert trainer.teacher.copy is not None
    for before, average, now in zip(
        start, trainer.teacher.copy.head.parameters(), model.head.parameters(), strict=True
    ):
        assert not before.equal(now)
        low, high = torch.minimum(before, now), torch.maximum(before, now)
        assert ((average >= low - 1e-6) & (average <= high + 1e-6)).all()


class Exploding(Method):
    name, version = "exploding", 1

    def __init__(self, at):
        super().__init__()
        self.at, self.calls = at, 0

    def loss(self, batch):
        self.calls += 1
        factor = float("inf") if self.calls == self.at else 1.0
        return {"total": batch.z_VBD.square().mean() * factor}


def test_a_loss_that_is_not_finite_ends_the_run_before_the_step(cell):
    short = cell.model_copy(update={"training": SCHEDULE})
    images, labels = torch.from_numpy(pixels_of("digits").train.images[:8]), torch.zeros(8).long()
    rows = []
    model = small_model(Exploding(at=5))
    trainer = Trainer(short, model, Resident(images), labels)
    trainer.run(lambda _: None, rows.append)
    assert trainer.diverged == "loss not finite at epoch 3, step 1"
    assert [row["epoch"] for row in trainer.history] == [1, 2]
    assert rows == trainer.history
    assert all(p.isfinite().all() for p in model.parameters())
    assert trainer.views == 2 * 4 * 4


def blobs(classes=4, n=200, dim=6, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, dim))
    y = rng.integers(0, classes, n)
    x = centres[y] + rng.normal(scale=0.9, size=(n, dim))
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def test_probe_equals_scikit_learn_on_the_labelled_images():
    x, y = blobs()
    shown = y.clone()
    shown[::2] = -1
    top1, _ = probe.linear_probe(x[:150], shown[:150], x[150:], y[150:], 0.5)
    kept = np.flatnonzero(shown[:150].numpy() >= 0)
    scaler = StandardScaler().fit(x[kept].double())
    reference = LogisticRegression(C=0.5, max_iter=5000, tol=1e-8)
    reference.fit(scaler.transform(x[kept].double()), y[kept])
    assert top1 == pytest.approx(reference.score(scaler.transform(x[150:].double()), y[150:]))


@pytest.mark.parametrize("inverse_l2", [0.003, 1.0])
def test_probe_scores_equal_scikit_learns(inverse_l2):
    """Up to a number that is added to all classes of an image. A strong penalty, so that each weight counts."""
    x, y = blobs()
    scores, classes = probe.probe_scores(x[:150], y[:150] + 3, x[150:], inverse_l2)
    scaler = StandardScaler().fit(x[:150].double())
    reference = LogisticRegression(C=inverse_l2, max_iter=5000, tol=1e-10)
    reference.fit(scaler.transform(x[:150].double()), y[:150])
    expected = reference.decision_function(scaler.transform(x[150:].double()))
    assert classes.tolist() == [3, 4, 5, 6]
    ours = (scores - scores.mean(1, keepdim=True)).numpy()
    np.testing.assert_allclose(ours, expected - expected.mean(1, keepdims=True), rtol=1e-3, atol=1e-3)


def test_top_k_by_hand():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1], [0.0, 0.1, 0.2]])
    classes = torch.tensor([0, 4, 7])
    assert probe.top_k(scores, classes, torch.tensor([7, 4, 0]), (1, 2)) == (0.0, pytest.approx(2 / 3))


def test_knn_equals_scikit_learn_with_the_same_weights():
    x, y = blobs(seed=1)
    ours, few = probe.nearest_neighbours(x[:150], y[:150], x[150:], y[150:], (15, 1), 4)

    def by_cosine(distance):
        return np.exp((1 - distance) / 0.1)

    peer = KNeighborsClassifier(15, metric="cosine", weights=by_cosine)  # pyright: ignore[reportArgumentType]
    peer.fit(x[:150].numpy(), y[:150].numpy())
    assert ours[0] == pytest.approx(peer.score(x[150:].numpy(), y[150:].numpy()))
    nearest = KNeighborsClassifier(1, metric="cosine").fit(x[:150].numpy(), y[:150].numpy())
    assert few[0] == pytest.approx(nearest.score(x[150:].numpy(), y[150:].numpy()))


def test_effective_rank_of_known_spectra():
    collapsed = normalised(torch.ones(50, 8))
    singular = geometry.singular_values(collapsed)
    assert geometry.effective_rank(singular) == pytest.approx(1.0, abs=1e-5)
    assert (singular > 1e-6).sum() == 1  # Figure 1 of the paper: one non-zero singular value.
    basis = torch.eye(8).repeat(10, 1)
    assert geometry.effective_rank(geometry.singular_values(basis)) == pytest.approx(8.0)
    # The entropy of (1/2, 1/4, 1/4) is 1.5 ln 2.
    assert geometry.effective_rank(torch.tensor([2.0, 1.0, 1.0])) == pytest.approx(2**1.5)
    assert singular.square().sum().item() == pytest.approx(1.0)


def test_geometry_by_hand():
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert geometry.mean_norm(z) == pytest.approx(1 / 3)
    assert geometry.alignment(z, z.flip(0)) == pytest.approx((4 + 0 + 4) / 3)
    expected = math.log((2 * math.exp(-2 * 2) + math.exp(-2 * 4)) / 3)
    assert geometry.uniformity(z) == pytest.approx(expected)
    own, other = geometry.prototype_cosines(z, torch.tensor([0, 1, 1]), torch.eye(2))
    assert (own, other) == (pytest.approx((1 + 1 + 0) / 3), pytest.approx((0 + 0 - 1) / 3))


def test_an_epochs_geometry_is_that_of_its_labelled_images_and_first_two_views():
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    views = torch.stack([first, first.flip(0)])
    row = geometry.of_batch(views, torch.tensor([0, 1, -1]), torch.eye(2))
    assert row["alignment"] == pytest.approx(8 / 3)
    assert row["mean_norm"] == pytest.approx(1 / 3)
    assert (row["prototype_cosine_own"], row["prototype_cosine_other"]) == (1.0, 0.0)
    # The Gram matrix is diag(2, 1) / 3.
    assert row["singular_1"] == pytest.approx((2 / 3) ** 0.5)
    assert row["singular_2"] == pytest.approx((1 / 3) ** 0.5)
    assert "singular_3" not in row
    unlabelled = geometry.of_batch(views[:1], torch.full((3,), -1), torch.eye(2))
    assert unlabelled["prototype_cosine_own"] is None and unlabelled["alignment"] is None
    assert "prototype_cosine_own" not in geometry.of_batch(views, torch.tensor([0, 1, -1]), None)


def test_an_epochs_geometry_is_that_of_the_first_1024_images_by_numpy():
    """Two views that differ, more images than count, more dimensions than there are columns for."""
    views = normalised(torch.randn(2, 1100, 10, generator=torch.Generator().manual_seed(0)) + 0.3)
    labels = torch.arange(1100) % 4 - 1
    row = geometry.of_batch(views, labels, torch.eye(10)[:3])
    z_VBD, y_B = views[:, :1024].double().numpy(), labels[:1024].numpy()
    singular = np.linalg.svd(z_VBD[0] / 32, compute_uv=False)
    share = singular / singular.sum()
    assert row["effective_rank"] == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert [value for name, value in row.items() if "singular" in name] == pytest.approx(singular[:8].tolist())
    assert row["mean_norm"] == pytest.approx(np.linalg.norm(z_VBD[0].mean(0)))
    assert row["alignment"] == pytest.approx(((z_VBD[0] - z_VBD[1]) ** 2).sum(1).mean())
    cosines = [z @ z_VBD[0].T for z in z_VBD[0]]
    pairs = np.exp(-2 * (2 - 2 * np.array(cosines)))[np.triu_indices(1024, 1)]
    assert row["uniformity"] == pytest.approx(np.log(pairs.mean()))
    shown = y_B >= 0
    to_each = z_VBD[0][shown, :3]
    own = np.eye(3, dtype=bool)[y_B[shown]]
    assert row["prototype_cosine_own"] == pytest.approx(to_each[own].mean())
    others = np.where(own, -np.inf, to_each).max(1)
    assert row["prototype_cosine_other"] == pytest.approx(others.mean())


def test_scipy_agrees_that_the_order_of_batches_is_uniform():
    """First image of each epoch's order: all images are equally likely (chi-squared over 2000 epochs)."""
    firsts = [seeds.numpy_generator(0, "order", epoch).permutation(10)[0] for epoch in range(2000)]
    assert stats.chisquare(np.bincount(firsts, minlength=10)).pvalue > 0.001


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_a_cells_process_reuses_freed_memory(environment):
    """50 blocks of 64 MB, each freed before the next, do not get all their pages (4 kB) anew.

    Alignment makes the heap grow by some blocks before one fits where another was.
    """
    script = (
        "import resource, torch; from clopbench.launch.process import configure; configure(1)\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "torch.ones(1 << 24); before = faults()\n"
        "for _ in range(50): torch.ones(1 << 24)\n"
        "print(faults() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert int(done.stdout) < 25 * (1 << 26) / 4096
