"""The rivals' losses against plain loops written from the papers' equations, in float64: value and gradient.

The loops work on torch's scalars, one pair and one dimension at a time, so that autograd differentiates them.
Where lightly has the loss (dependency group `peers`), it is a second opinion.
"""

import itertools
from typing import Any

import pytest
import torch
from batches import CLASSES, LABELLINGS, batch_for, build

PARTLY = LABELLINGS["some"]
every_labelling = pytest.mark.parametrize("labels", LABELLINGS.values(), ids=LABELLINGS)


def mean(values) -> Any:
    values = list(values)
    return sum(values) / len(values)


def dot(a, b) -> Any:
    return sum(x * y for x, y in zip(a.unbind(), b.unbind(), strict=True))


def unit(a):
    return a / dot(a, a).sqrt()


def log_share(positive, everything):
    """log (exp(positive) / Σ exp(everything))."""
    total: Any = sum(score.exp() for score in everything)
    return positive - total.log()


def info_nce_loops(z_VBD, temperature):
    """Chen et al. 2020, equation 1, over both views of all images."""
    rows = [unit(row) for view in z_VBD.unbind() for row in view.unbind()]
    images = z_VBD.shape[1]

    def anchor(i):
        score = {j: dot(rows[i], rows[j]) / temperature for j in range(len(rows)) if j != i}
        return -log_share(score[(i + images) % len(rows)], score.values())

    return mean(anchor(i) for i in range(len(rows)))


def columns(z_BD):
    return [list(column.unbind()) for column in z_BD.T.unbind()]


def covariance(a, b, divided_by) -> Any:
    centre_a, centre_b = mean(a), mean(b)
    return sum((x - centre_a) * (y - centre_b) for x, y in zip(a, b, strict=True)) / divided_by


def barlow_twins(method, data):
    """Zbontar et al. 2021, equations 1 and 2; 1e-5 is added to variances."""
    first, second = (columns(z_BD) for z_BD in data.z_VBD)
    size = len(first[0])

    def correlation(a, b):
        norms = [(covariance(c, c, size) + 1e-5).sqrt() for c in (a, b)]
        return covariance(a, b, size) / (norms[0] * norms[1])

    pairs = list(itertools.product(range(len(first)), repeat=2))
    on = sum((1 - correlation(first[d], second[d])) ** 2 for d, e in pairs if d == e)
    off = sum(correlation(first[d], second[e]) ** 2 for d, e in pairs if d != e)
    return 0.024 * (on + 0.0051 * off)


def vicreg(method, data):
    """Bardes et al. 2022, with the means over dimensions of their code."""
    first, second = (columns(z_BD) for z_BD in data.z_VBD)
    size, zero = len(first[0]), torch.zeros((), dtype=torch.float64)
    distance = mean((x - y) ** 2 for a, b in zip(first, second, strict=True) for x, y in zip(a, b, strict=True))
    deviations = [(covariance(c, c, size - 1) + 1e-4).sqrt() for view in (first, second) for c in view]
    hinge = mean(torch.maximum(zero, 1 - deviation) for deviation in deviations)
    off = sum(
        covariance(a, b, size - 1) ** 2 for view in (first, second) for a, b in itertools.permutations(view, 2)
    )
    return 25 * distance + 25 * hinge + off / len(first)


def directclr(method, data):
    """Jing et al. 2022: the first 0.25 · 8 features."""
    return info_nce_loops(data.h_VBF[:, :, :2], 0.1)


def byol(method, data):
    """Grill et al. 2020, equation 2 and its mirror; the predictor's layers by their equations."""
    first, _, _, last = method.predictor
    norm = method.predictor[1]
    assert norm.eps == 1e-5
    rows = [
        [dot(weight, z) + bias for weight, bias in zip(first.weight, first.bias, strict=True)]
        for view in data.z_VBD.unbind()
        for z in view.unbind()
    ]
    hidden = list(zip(*rows, strict=True))
    active = []
    for values, scale, shift in zip(hidden, norm.weight, norm.bias, strict=True):
        centre = mean(values)
        deviation = (mean((value - centre) ** 2 for value in values) + 1e-5).sqrt()
        active.append([((value - centre) / deviation * scale + shift).relu() for value in values])
    images, terms = data.z_VBD.shape[1], []
    for i in range(2 * images):
        inner = torch.stack([values[i] for values in active])
        predicted = torch.stack(
            [dot(weight, inner) + bias for weight, bias in zip(last.weight, last.bias, strict=True)]
        )
        target = data.teacher.z_VBD[1 - i // images, i % images]
        terms.append(2 - 2 * dot(unit(predicted), unit(target)))
    return sum(terms) / images


def tsc(method, data):
    """Li et al. 2022: targets are positives and negatives, never anchors."""
    images, labels = data.z_VBD.shape[1], data.y_B.tolist()
    rows = [unit(row) for view in data.z_VBD.unbind() for row in view.unbind()]
    rows += list(method.prototype_KD.double().unbind())
    terms = []
    for i in range(2 * images):
        label = labels[i % images]
        score = {m: dot(rows[i], rows[m]) / 0.2 for m in range(len(rows)) if m != i}
        positives = [(i + images) % (2 * images)]
        if label >= 0:
            same = [m for m in range(2 * images) if labels[m % images] == label and m != i]
            positives = [*same, 2 * images + label]
        terms.append(-mean(log_share(score[p], score.values()) for p in positives))
    return mean(terms)


def opl(method, data):
    """Ranasinghe et al. 2021, equations 3 to 5."""
    labels = data.y_B.tolist()
    rows = [
        (unit(z), label)
        for view in data.z_VBD.unbind()
        for z, label in zip(view.unbind(), labels, strict=True)
        if label >= 0
    ]
    if not rows:
        return data.z_VBD.sum() * 0
    pairs = list(itertools.combinations(rows, 2))
    within = mean(dot(a, b) for (a, one), (b, other) in pairs if one == other)
    between = mean(dot(a, b) for (a, one), (b, other) in pairs if one != other)
    return 1 - within + 0.5 * between.abs()


def etf(method, data):
    """Yang et al. 2022, dot regression at unit length, beside InfoNCE."""
    vertices = method.prototype_KD.double()
    terms = [
        (dot(unit(z), vertices[label]) - 1) ** 2 / 2
        for view in data.z_VBD.unbind()
        for z, label in zip(view.unbind(), data.y_B.tolist(), strict=True)
        if label >= 0
    ]
    return info_nce_loops(data.z_VBD, 0.2) + (mean(terms) if terms else 0)


def ntce(method, data):
    """Koromilas et al. 2026: the softmax of a class's prototype over embeddings."""
    labels = data.y_B.tolist()
    rows = [
        (unit(z), label)
        for view in data.z_VBD.unbind()
        for z, label in zip(view.unbind(), labels, strict=True)
        if label >= 0
    ]
    terms = []
    for z, label in rows:
        weight = unit(method.weight_KD[label])
        terms.append(-log_share(dot(weight, z) / 0.1, [dot(weight, other) / 0.1 for other, _ in rows]))
    return mean(terms) if terms else data.z_VBD.sum() * 0


def fixmatch(method, data):
    """Sohn et al. 2020, equations 3 and 4, where a third is sure enough."""

    def scores(h):
        pairs = zip(method.weight_KF, method.bias_K, strict=True)
        return [dot(weight, h) + bias for weight, bias in pairs]

    labelled, consistent = [], []
    for weak, strong, label in zip(*data.h_VBF, data.y_B.tolist(), strict=True):
        ours, theirs = scores(weak), scores(strong)
        if label >= 0:
            labelled.append(-log_share(ours[label], ours))
        shares = [log_share(score, ours).exp().item() for score in ours]
        guess = max(range(CLASSES), key=shares.__getitem__)
        consistent.append(-log_share(theirs[guess], theirs) if shares[guess] >= 1 / 3 else 0)
    assert 0 in consistent
    assert any(term != 0 for term in consistent)
    return (mean(labelled) if labelled else 0) + 2 * mean(consistent)


def simmatch(method, data):
    """Zheng et al. 2022, section 3.3, with the batch's labelled images as the bank."""

    def classes(h):
        pairs = zip(method.weight_KF, method.bias_K, strict=True)
        return [dot(weight, h) + bias for weight, bias in pairs]

    def shares(scores):
        return [log_share(score, scores).exp() for score in scores]

    labels, given = data.y_B.tolist(), data.teacher
    bank = [(unit(z), label) for z, label in zip(given.z_VBD[0], labels, strict=True) if label >= 0]
    labelled, by_class, by_instance = [], [], []
    for b, label in enumerate(labels):
        if label >= 0:
            own = classes(data.h_VBF[0, b])
            labelled.append(-log_share(own[label], own))
        p = [share.detach() for share in shares(classes(given.h_VBF[0, b]))]
        q = shares([dot(unit(given.z_VBD[0, b]), z) / 0.1 for z, _ in bank])
        target = p
        if bank:
            summed = [
                sum(share for share, (_, k) in zip(q, bank, strict=True) if k == c) for c in range(CLASSES)
            ]
            target = [0.9 * one + 0.1 * other for one, other in zip(p, summed, strict=True)]
        strong = classes(data.h_VBF[1, b])
        terms = zip(target, strong, strict=True)
        cost = -sum(share * log_share(score, strong) for share, score in terms)
        by_class.append(cost if max(target) >= 0.3 else 0)
        unfolded = [share * p[k] for share, (_, k) in zip(q, bank, strict=True)]
        student = [dot(unit(data.z_VBD[1, b]), z) / 0.1 for z, _ in bank]
        terms = zip(unfolded, student, strict=True)
        by_instance.append(-sum(share / sum(unfolded) * log_share(score, student) for share, score in terms))
    assert 0 in by_class and any(term != 0 for term in by_class)
    return (mean(labelled) if labelled else 0) + mean(by_class) + mean(by_instance)


GIVEN = {
    "simmatch": {"threshold": 0.3},
    "fixmatch": {"threshold": 1 / 3, "weight": 2.0},
    "directclr": {"share": 0.25},
    "byol": {"hidden": 6},
}
LOOPS = {
    loops.__name__: loops
    for loops in (barlow_twins, vicreg, directclr, byol, tsc, opl, etf, ntce, fixmatch, simmatch)
}


def value_and_gradients(loss, data, method):
    inputs = [data.z_VBD, data.h_VBF, *method.parameters()]
    value = loss(data)
    return value.detach(), torch.autograd.grad(value, inputs, allow_unused=True, materialize_grads=True)


@every_labelling
@pytest.mark.parametrize("name", LOOPS)
def test_loss_and_gradient_are_those_of_the_papers_equations(name, labels):
    method = build(name, GIVEN.get(name, {})).double()
    data = batch_for(method, labels, dtype=torch.float64)
    ours, our_gradients = value_and_gradients(lambda given: method.loss(given)["total"], data, method)
    theirs, their_gradients = value_and_gradients(lambda given: LOOPS[name](method, given), data, method)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    for one, other in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "given", "of_lightly"),
    [
        ("barlow_twins", {"scale": 1.0}, lambda losses, data: losses.BarlowTwinsLoss(0.0051)(*data.z_VBD)),
        ("vicreg", {}, lambda losses, data: losses.VICRegLoss()(*data.z_VBD)),
        (
            "directclr",
            {"share": 0.5},
            lambda losses, data: losses.DirectCLRLoss(loss_dim=4, temperature=0.1)(*data.h_VBF),
        ),
    ],
)
def test_loss_and_gradient_are_lightlys(name, given, of_lightly):
    reason = "lightly is not installed: uv run --group peers …"
    losses = pytest.importorskip("lightly.loss", reason=reason)
    method = build(name, given).double()
    data = batch_for(method, PARTLY, dtype=torch.float64)
    ours, our_gradients = value_and_gradients(lambda given: method.loss(given)["total"], data, method)
    theirs, their_gradients = value_and_gradients(lambda given: of_lightly(losses, given), data, method)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    for one, other in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_byol_is_lightlys_negative_cosine_of_what_the_predictor_says():
    """2 - 2 · cosine is 2 + 2 · theirs, once for each view."""
    losses = pytest.importorskip("lightly.loss", reason="lightly is not installed: uv run --group peers …")
    method = build("byol", {"hidden": 6}).double()
    data = batch_for(method, PARTLY, dtype=torch.float64)

    def theirs(given):
        first, second = method.predictor(given.z_VBD.flatten(0, 1)).unflatten(0, given.z_VBD.shape[:2])
        negative = losses.NegativeCosineSimilarity()
        return 4 + 2 * (negative(first, given.teacher.z_VBD[1]) + negative(second, given.teacher.z_VBD[0]))

    ours, our_gradients = value_and_gradients(lambda given: method.loss(given)["total"], data, method)
    other, other_gradients = value_and_gradients(theirs, data, method)
    torch.testing.assert_close(ours, other, rtol=1e-6, atol=1e-9)
    for one, another in zip(our_gradients, other_gradients, strict=True):
        torch.testing.assert_close(one, another, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["barlow_twins", "vicreg", "directclr", "byol"])
def test_self_supervised_rivals_do_not_look_at_labels(name):
    method = build(name, {})
    totals = [method.loss(batch_for(method, LABELLINGS[which]))["total"].item() for which in ("all", "none")]
    assert totals[0] == totals[1]


def test_tsc_without_labels_is_info_nce_with_the_targets_as_negatives():
    """By hand: two images along one axis, in agreement in both views, and targets orthogonal to them."""
    method = build("tsc", {"temperature": 1.0}).double()
    basis = torch.linalg.svd(method.prototype_KD.double()).Vh
    data = batch_for(method, [-1, -1], dtype=torch.float64)
    data.z_VBD.data[:] = basis[CLASSES]  # Orthogonal to all targets.
    # The own other view and the other image's two views at cosine 1, and five targets at cosine 0.
    expected = torch.tensor(3 * torch.e + CLASSES, dtype=torch.float64).log() - 1
    torch.testing.assert_close(method.loss(data)["total"].detach(), expected)


def test_opl_of_orthogonal_classes_is_zero_and_of_equal_ones_its_weight():
    method = build("opl", {"weight": 0.3})
    data = batch_for(method, [0, 1])
    data.z_VBD.data[:] = torch.eye(16)[:2] * 3
    assert method.loss(data)["total"].item() == pytest.approx(0, abs=1e-7)
    data.z_VBD.data[:] = torch.eye(16)[0]
    assert method.loss(data)["total"].item() == pytest.approx(0.3)


def test_fixmatch_learns_from_the_strong_view_only_what_the_weak_one_is_sure_of():
    """The pseudo-label has no gradient, nor has an image that is not sure."""
    method = build("fixmatch", {})
    data = batch_for(method, [-1] * 4)
    method.weight_KF.data[:] = torch.eye(CLASSES, 8)
    data.h_VBF.data[0] = torch.eye(8)[:4] * torch.tensor([[9.0], [9.0], [1.0], [1.0]])
    method.loss(data)["total"].backward()
    assert data.h_VBF.grad is not None
    moved_VB = data.h_VBF.grad.abs().sum(-1) > 0
    assert moved_VB.tolist() == [[False] * 4, [True, True, False, False]]


def test_the_teachers_momentum_of_byol_is_its_parameter():
    assert build("byol", {"momentum": 0.5}).teacher_momentum == 0.5


def test_the_predictor_of_byol_begins_within_torchs_bounds():
    first, _, _, last = build("byol", {"hidden": 400}).predictor
    for layer, inputs in ((first, 16), (last, 400)):
        for weights in (layer.weight, layer.bias):
            assert 0.9 * inputs**-0.5 < weights.abs().max() <= inputs**-0.5
