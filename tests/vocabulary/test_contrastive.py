"""Losses against plain loops written from the papers' equations, in float64."""

import math

import pytest
import torch

from clopbench import contrastive
from clopbench.contrastive import info_nce, prototype_pull, supcon

TEMPERATURES = [0.01, 0.2, 1.0]


def embeddings(views=2, images=6, dim=5, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(views, images, dim, generator=generator, dtype=torch.float64).to(dtype)


def unit_vectors(z):
    """[[view][image]] as lists of floats of norm 1, view-major."""
    rows = z.double().flatten(0, 1).tolist()
    return [[x / math.sqrt(sum(v * v for v in row)) for x in row] for row in rows]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def log_sum_exp(values):
    peak = max(values)
    return peak + math.log(math.fsum(math.exp(value - peak) for value in values))


def loops(z, positives_of, temperature, variant="out"):
    """Khosla et al. 2020, equations 2 (out) and 3 (in), one anchor at a time; mean over anchors."""
    u = unit_vectors(z)
    n = len(u)
    terms = []
    for i in range(n):
        scores = {a: dot(u[i], u[a]) / temperature for a in range(n) if a != i}
        positives = positives_of(i)
        if not positives:
            continue
        everything = log_sum_exp(list(scores.values()))
        if variant == "out":
            terms.append(-math.fsum(scores[p] - everything for p in positives) / len(positives))
        else:
            terms.append(-(log_sum_exp([scores[p] for p in positives]) - everything) + math.log(len(positives)))
    return math.fsum(terms) / len(terms)


def same_image(images):
    return lambda i, n: [a for a in range(n) if a != i and a % images == i % images]


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("views", [2, 3])
def test_info_nce_equals_the_papers_equation(temperature, views):
    z = embeddings(views)
    expected = loops(z, lambda i: same_image(6)(i, views * 6), temperature)
    assert info_nce(z, temperature).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("variant", ["out", "in"])
@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 1, 2], [0, -1, 0, -1, 1, -1], [-1] * 6, [3] * 6])
def test_supcon_equals_khosla_with_unlabelled_images(temperature, variant, labels):
    z = embeddings(seed=1)

    def positives(i):
        image, label = i % 6, labels[i % 6]
        return [a for a in range(12) if a != i and (a % 6 == image or (label >= 0 and labels[a % 6] == label))]

    ours = supcon(z, torch.tensor(labels), temperature, variant)
    assert ours.item() == pytest.approx(loops(z, positives, temperature, variant), rel=1e-10, abs=1e-12)


def test_supcon_of_single_views_ignores_anchors_without_a_positive():
    z = embeddings(views=1, images=4, seed=2)
    labels = [0, 0, 1, -1]
    positives = {0: [1], 1: [0], 2: [], 3: []}
    for variant in ("out", "in"):
        ours = supcon(z, torch.tensor(labels), 0.2, variant)
        assert ours.item() == pytest.approx(loops(z, positives.__getitem__, 0.2, variant), rel=1e-10)


@pytest.mark.parametrize("similarity", ["cosine", "euclidean", "manhattan"])
def test_prototype_pull_by_hand(similarity):
    # Two labelled images at (1, 0) and (0, 1) in both views, prototypes e0 and e1, labels swapped for one.
    z = torch.tensor([[[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]]] * 2, dtype=torch.float64)
    labels = torch.tensor([0, 0, -1])
    expected = {"cosine": (0 + 1) / 2, "euclidean": math.sqrt(2) / 2, "manhattan": 2 / 2}
    pull = prototype_pull(z, labels, torch.eye(2), similarity)
    assert pull.item() == pytest.approx(expected[similarity])


def test_prototype_pull_without_labels_is_zero_with_zero_gradient():
    z = embeddings().requires_grad_()
    pull = prototype_pull(z, torch.full((6,), -1), torch.eye(5))
    pull.backward()
    assert pull.item() == 0
    assert z.grad is not None
    assert z.grad.abs().max() == 0


@pytest.mark.parametrize("block_floats", [40, 1000], ids=["computed twice", "kept"])
@pytest.mark.parametrize("temperature", [0.02, 0.05, 0.5])
def test_gradients_match_finite_differences(temperature, block_floats, monkeypatch):
    """10 embeddings in several blocks, the last one not full; at 0.02 each row has a peak of its own."""
    monkeypatch.setattr(contrastive, "ROWS", 4)
    monkeypatch.setattr(contrastive, "BLOCK_FLOATS", block_floats)
    z = embeddings(images=5, dim=3).requires_grad_()
    labels = torch.tensor([0, 0, 1, -1, 1])
    prototypes = torch.eye(3, dtype=torch.float64)
    for loss in (
        lambda x: info_nce(x, temperature),
        lambda x: supcon(x, labels, temperature, "out"),
        lambda x: supcon(x, labels, temperature, "in"),
        lambda x: prototype_pull(x, labels, prototypes, "cosine"),
        lambda x: prototype_pull(x, labels, prototypes, "euclidean"),
        lambda x: prototype_pull(x, labels, prototypes, "manhattan"),
    ):
        assert torch.autograd.gradcheck(loss, (z,))


@pytest.mark.parametrize("variant", ["out", "in"])
@pytest.mark.parametrize("temperature", [0.01, 0.1])
def test_blocks_do_not_change_the_result(variant, temperature, monkeypatch):
    labels = torch.arange(50) % 4
    whole, slope = value_and_gradient(embeddings(images=50, dim=8), labels, temperature, variant)
    for rows, floats in ((30, 700), (30, 1 << 20), (7, 1 << 20), (100, 9)):
        monkeypatch.setattr(contrastive, "ROWS", rows)
        monkeypatch.setattr(contrastive, "BLOCK_FLOATS", floats)
        value, gradient = value_and_gradient(embeddings(images=50, dim=8), labels, temperature, variant)
        assert value == pytest.approx(whole, rel=1e-12)
        torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-12)


def value_and_gradient(z, labels, temperature, variant):
    loss = supcon(z.requires_grad_(), labels, temperature, variant)
    loss.backward()
    return loss.item(), z.grad


def test_both_ways_to_compute_it_agree_where_they_meet(monkeypatch):
    """At the smallest temperature of the symmetric way, in float32, on embeddings that are nearly all alike."""
    z = (1 + 0.01 * torch.randn(2, 40, 16, generator=torch.Generator().manual_seed(1))).requires_grad_()
    labels = torch.arange(40) % 4
    symmetric = value_and_gradient(z.detach().clone(), labels, 0.025, "out")
    monkeypatch.setattr(contrastive, "SPAN", 0)
    rows = value_and_gradient(z.detach().clone(), labels, 0.025, "out")
    assert symmetric[0] == pytest.approx(rows[0], rel=1e-6)
    torch.testing.assert_close(symmetric[1], rows[1], rtol=1e-4, atol=1e-7)


def test_an_embedding_opposite_to_all_others_counts_also_at_a_small_temperature():
    """exp(-2 / 0.01) is 0 as float32: such a row needs a peak of its own."""
    z = -torch.ones(2, 3, 4) + 0.01 * embeddings(images=3, dim=4, dtype=torch.float32)
    z[0, 0] *= -1
    found, slope = value_and_gradient(z.clone(), torch.arange(3), 0.01, "out")
    expected = loops(z, lambda i: same_image(3)(i, 6), 0.01)
    assert found == pytest.approx(expected, rel=1e-3)
    assert slope is not None and slope.isfinite().all()


@pytest.mark.parametrize("kind", ["equal", "co-linear"])
def test_lemma_1_gradient_vanishes_when_collapsed(kind):
    """Paper, Lemma 1: no gradient where all embeddings are equal, or lie on one line."""
    direction = embeddings(1, 1, 7, seed=3).squeeze()
    signs = torch.ones(2, 8) if kind == "equal" else torch.tensor([[1.0, -1.0] * 4] * 2)
    lengths = 1 + torch.arange(16, dtype=torch.float64).view(2, 8)
    z = ((signs * lengths)[..., None] * direction).requires_grad_()
    info_nce(z, 0.2).backward()
    assert z.grad is not None
    assert z.grad.abs().max().item() < 1e-12
    spread = embeddings(images=8, dim=7).requires_grad_()
    info_nce(spread, 0.2).backward()
    assert spread.grad is not None
    assert spread.grad.abs().max().item() > 1e-3


@pytest.mark.parametrize("loss", ["info_nce", "out", "in"])
def test_stable_at_temperature_of_a_hundredth_in_half_precision(loss):
    half = embeddings(images=64, dim=32, dtype=torch.bfloat16)
    # Positives far below the nearest negatives: opposite views, next to another image's copy.
    half[1] = -half[0]
    z = half.clone().requires_grad_()
    labels = torch.arange(64) % 5
    value = info_nce(z, 0.01) if loss == "info_nce" else supcon(z, labels, 0.01, loss)
    value.backward()
    exact = half.double()
    reference = info_nce(exact, 0.01) if loss == "info_nce" else supcon(exact, labels, 0.01, loss)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(reference.item(), rel=1e-4)
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_autocast_does_not_reach_the_softmax():
    z = embeddings(images=64, dim=32, dtype=torch.float32)
    plain = info_nce(z, 0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert info_nce(z, 0.05).item() == plain.item()


def test_memory_holds_no_matrix_of_pairs():
    """Nothing of N² floats is allocated at once: the largest tensor is a block, and backward keeps N·D."""
    images, dim = 3000, 16
    z = embeddings(images=images, dim=dim, dtype=torch.float32).requires_grad_()
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        loss = info_nce(z, 0.2)
    with torch.profiler.profile(profile_memory=True) as profile:
        info_nce(z.detach().requires_grad_(), 0.2).backward()
    assert loss.item() > 0
    assert max(kept) <= 2 * images * dim
    assert (2 * images) ** 2 > 2 * contrastive.BLOCK_FLOATS
    assert peak_bytes(profile) < 3 * 4 * contrastive.BLOCK_FLOATS < 4 * (2 * images) ** 2


def peak_bytes(profile) -> int:
    """Most bytes alive at once, from the profiler's allocations and releases in order of time."""
    alive = peak = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        alive += event.nbytes()
        peak = max(peak, alive)
    return peak
