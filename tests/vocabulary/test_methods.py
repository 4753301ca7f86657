"""The contract, over every method file that is found. A new file in methods/ is tested without an edit here."""

from typing import get_args

import numpy as np
import pytest
import torch
from batches import LABELLINGS, PLUGINS, batch, batch_for, build, reordered

from clopbench import contrastive, prototypes
from clopbench.method import Embedded, scalars


def variants(name):
    """Every choice of every parameter that has choices, one at a time, the others at their defaults."""
    parameters = PLUGINS.get(name).signature.parameters
    yield {}
    for key, (kind, default) in parameters.items():
        if _is_choice(kind):
            yield from ({key: choice} for choice in get_args(kind) if choice != default)


def _is_choice(kind):
    return bool(get_args(kind)) and all(isinstance(value, str) for value in get_args(kind))


CASES = [(name, given) for name in PLUGINS.names() for given in variants(name)]
every_method = pytest.mark.parametrize(
    ("name", "given"), CASES, ids=[f"{name}-{'-'.join(map(str, given.values()))}" for name, given in CASES]
)


@every_method
@pytest.mark.parametrize("labels", LABELLINGS.values(), ids=LABELLINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_loss_is_a_finite_scalar_with_a_finite_gradient(name, given, labels, dtype):
    """Networks in half precision, losses in float32."""
    method = build(name, given)
    data = batch_for(method, labels, dtype=dtype)
    losses = scalars(method, method.loss(data))
    total = losses["total"]
    assert total.shape == ()
    assert all(value.dtype == torch.float32 for value in losses.values())
    total.backward()
    assert total.isfinite()
    gradients = [tensor.grad for tensor in (data.z_VBD, data.h_VBF) if tensor.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
    # Who has nothing to learn from images without labels says so by a loss of zero.
    if set(labels) != {-1} or total != 0:
        assert any(gradient.abs().sum() > 0 for gradient in gradients)


@every_method
def test_loss_in_half_precision_is_that_of_the_same_numbers_in_float(name, given):
    method = build(name, given)
    half = batch_for(method, LABELLINGS["some"], dtype=torch.bfloat16)

    def floats(data):
        teacher = None if data.teacher is None else floats(data.teacher)
        return Embedded(data.z_VBD.float(), data.h_VBF.float(), data.y_B, data.index_B, teacher)

    assert method.loss(half)["total"].item() == method.loss(floats(half))["total"].item()


@every_method
def test_gradient_matches_finite_differences(name, given):
    method = build(name, given).double()
    data = batch_for(method, LABELLINGS["some"], dtype=torch.float64)

    def total(z, h):
        return method.loss(Embedded(z, h, data.y_B, data.index_B, data.teacher))["total"]

    assert torch.autograd.gradcheck(total, (data.z_VBD, data.h_VBF))


@every_method
def test_order_of_the_batch_does_not_matter(name, given):
    method = build(name, given)
    data = batch_for(method, LABELLINGS["some"])
    shuffled = reordered(data, torch.tensor([3, 0, 5, 1, 4, 2]))
    torch.testing.assert_close(method.loss(shuffled)["total"], method.loss(data)["total"])


@every_method
def test_state_survives_a_checkpoint(name, given):
    """Buffers and parameters are all of a method's state: another seed's method becomes this one."""
    first, second = build(name, given, seed=1), build(name, given, seed=2)
    second.load_state_dict(first.state_dict())
    data = batch_for(first, LABELLINGS["some"])
    assert second.loss(data)["total"].item() == first.loss(data)["total"].item()


@every_method
def test_no_global_random_state_is_touched(name, given):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state(legacy=True)
    method = build(name, given)
    method.loss(batch_for(method, LABELLINGS["some"]))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state(legacy=True)) == str(numpy_state)


@every_method
def test_same_generator_same_loss(name, given):
    first, second = build(name, given, 3), build(name, given, 3)
    data = batch_for(first, LABELLINGS["all"])
    assert first.loss(data)["total"].equal(second.loss(data)["total"])


@pytest.mark.parametrize("name", PLUGINS.names())
def test_file_says_what_it_is(name):
    plugin = PLUGINS.get(name)
    loaded = plugin.load()
    assert loaded.name == plugin.path.stem == name
    assert loaded.version == plugin.signature.version >= 1
    assert plugin.signature.summary
    assert loaded.__doc__


def test_clop_is_base_plus_weighted_pull():
    data = batch(LABELLINGS["some"])
    for base in ("simclr", "supcon"):
        method = build("clop", {"base": base, "weight": 0.7, "temperature": 0.3})
        parts = method.loss(data)
        if base == "simclr":
            contrast = contrastive.info_nce(data.z_VBD, 0.3)
        else:
            contrast = contrastive.supcon(data.z_VBD, data.y_B, 0.3)
        z = data.z_VBD[:, data.y_B >= 0]
        cosine = torch.cosine_similarity(
            z, method.get_buffer("prototype_KD")[data.y_B[data.y_B >= 0]].expand_as(z), dim=-1
        )
        torch.testing.assert_close(parts["total"], contrast + 0.7 * (1 - cosine).mean())


def test_clop_at_weight_zero_is_its_base():
    data = batch(LABELLINGS["some"])
    total = build("clop", {"weight": 0.0}).loss(data)["total"]
    assert total.item() == build("simclr", {}).loss(data)["total"].item()


def test_simclr_does_not_look_at_labels():
    one, other = batch(LABELLINGS["all"]), batch(LABELLINGS["none"])
    method = build("simclr", {})
    assert method.loss(one)["total"].item() == method.loss(other)["total"].item()


def test_supervised_is_torchs_cross_entropy_over_labelled_views():
    method, data = build("supervised", {}), batch(LABELLINGS["some"])
    (weight, bias), labelled = method.parameters(), data.y_B >= 0
    expected = torch.stack(
        [
            torch.nn.functional.cross_entropy(view[labelled] @ weight.T + bias, data.y_B[labelled])
            for view in data.h_VBF
        ]
    ).mean()
    torch.testing.assert_close(method.loss(data)["total"], expected)
    assert method.loss(batch(LABELLINGS["none"]))["total"].item() == 0.0


def test_similar_prototypes_are_assigned_once_at_the_first_batch_with_labels():
    """They are those of the same seed in another order, and what is in a later batch moves them no more."""
    method, plain = build("clop", {"assignment": "similar"}), build("clop", {})
    drawn_KD = plain.prototype_KD.clone()
    assert method.loss(batch(LABELLINGS["none"]))["total"].requires_grad
    assert method.prototype_KD.equal(drawn_KD) and not method.assigned
    seen = batch(LABELLINGS["all"])
    method.loss(seen)
    z_VBD = torch.nn.functional.normalize(seen.z_VBD.detach(), dim=-1)
    assert method.prototype_KD.equal(prototypes.assigned(drawn_KD, z_VBD, seen.y_B))
    assert not method.prototype_KD.equal(drawn_KD)
    now_KD = method.prototype_KD.clone()
    method.loss(batch(LABELLINGS["all"], seed=5))
    assert method.prototype_KD.equal(now_KD)
    restored = build("clop", {"assignment": "similar"}, seed=1)
    restored.load_state_dict(method.state_dict())
    restored.loss(batch(LABELLINGS["all"], seed=5))
    assert restored.prototype_KD.equal(now_KD)


def test_the_order_of_the_prototypes_is_all_that_an_assignment_changes():
    """The contrast is untouched, and no prototype is lost or doubled."""
    similar, plain = build("clop", {"assignment": "similar"}), build("clop", {})
    found, before = (method.loss(batch(LABELLINGS["all"])) for method in (similar, plain))
    assert found["contrast"] == before["contrast"]
    ours, theirs = (method.prototype_KD.sort(0).values for method in (similar, plain))
    assert ours.equal(theirs)
