"""Encoders and heads against torchvision, published parameter counts and published initial weights."""

import hashlib
import json

import pandas as pd
import pytest
import torch
import torchvision
from checkout import ROOT
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from clopbench import seeds
from clopbench.cell import EncoderConfig, ProjectionConfig
from clopbench.errors import UserError
from clopbench.training.encoders import build_encoder, build_head, has_narrow_shortcut
from clopbench.training.resnets import build_resnet

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}


def build_meta(name, channels=3, **settings):
    """Layers with shapes and no memory."""
    with torch.device("meta"):
        return build_resnet(name, channels, **settings)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def counted_by_hand(name, width=1, inner=1, stem="imagenet", channels=3):
    """Parameters, layer by layer from He et al. 2016, table 1: k² · in · out a convolution, 2 · out a norm."""

    def convolution(fan_in, fan_out, size):
        return size * size * fan_in * fan_out + 2 * fan_out

    current = 64 * width
    total = convolution(channels, current, 7 if stem == "imagenet" else 3)
    for planes, depth in zip((64, 128, 256, 512), BLOCKS[name], strict=True):
        planes *= width
        for place in range(depth):
            if name == "resnet50":
                out, middle = 4 * planes, inner * planes
                total += convolution(current, middle, 1) + convolution(middle, middle, 3)
                total += convolution(middle, out, 1)
            else:
                out = planes
                total += convolution(current, out, 3) + convolution(out, out, 3)
            if place == 0 and current != out:
                total += convolution(current, out, 1)
            current = out
    return total


@pytest.mark.parametrize(("name", "features"), [("resnet18", 512), ("resnet50", 2048)])
def test_standard_parameter_counts_are_torchvisions(name, features):
    """With the 1000-class layer: 11,689,512 and 25,557,032, the figures beside torchvision's weights."""
    published = {"resnet18": 11_689_512, "resnet50": 25_557_032}[name]
    weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    assert weights.meta["num_params"] == published
    network, built_features = build_meta(name, stem="imagenet")
    assert built_features == features
    assert count(network) + 1000 * features + 1000 == published


def test_simclrs_wide_networks_have_the_published_sizes():
    """Chen et al. 2020, linear evaluation on ImageNet: 94 M for ResNet-50 (2x), 375 M for (4x)."""
    for width, millions in ((2, 94), (4, 375)):
        network, features = build_meta("resnet50", width=width, stem="imagenet")
        assert features == 2048 * width
        assert round(count(network) / 1e6) == millions
    assert count(network) == 375_378_176 == counted_by_hand("resnet50", width=4)


def test_inner_width_is_torchvisions_width_per_group():
    with torch.device("meta"):
        theirs = torchvision.models.resnet50(width_per_group=256)
    network, features = build_meta("resnet50", inner_width=4, stem="imagenet")
    assert features == 2048
    assert count(network) == count(theirs) - count(theirs.fc) == 221_390_144
    shapes = {name: tensor.shape for name, tensor in theirs.state_dict().items() if "fc." not in name}
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == shapes


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@pytest.mark.parametrize(("width", "channels"), [(1, 3), (2, 1), (4, 3)])
def test_counts_by_hand(name, stem, width, channels):
    network, _ = build_meta(name, channels, width=width, stem=stem)
    assert count(network) == counted_by_hand(name, width, stem=stem, channels=channels)


def test_both_widths_multiply():
    network, features = build_meta("resnet50", width=2, inner_width=3)
    assert features == 4096
    assert count(network) == counted_by_hand("resnet50", 2, 3, "cifar")


def torchvisions(name, stem):
    """torchvision's network with its last layer removed, and the CIFAR stem as people usually graft it."""
    network = torchvision.models.get_model(name)
    network.fc = nn.Identity()
    if stem == "cifar":
        network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        network.maxpool = nn.Identity()
    return network


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize(("stem", "size"), [("cifar", 16), ("imagenet", 64)])
def test_the_same_weights_give_torchvisions_features(name, stem, size):
    theirs = torchvisions(name, stem)
    ours, _ = build_resnet(name, 3, stem=stem)
    ours.load_state_dict(theirs.state_dict())
    image_BCHW = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    for mode in (True, False):
        theirs.train(mode)
        ours.train(mode)
        torch.testing.assert_close(ours(image_BCHW), theirs(image_BCHW))


def test_initial_weights_are_distributed_as_torchvisions():
    """Kaiming by fan-out: standard deviation √(2 / (k² · out)); scales 1, shifts 0."""
    torch.manual_seed(0)
    network, _ = build_resnet("resnet18", 3)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            expected = (2 / (module.kernel_size[0] ** 2 * module.out_channels)) ** 0.5
            n = module.weight.numel()
            assert module.weight.std().item() == pytest.approx(expected, rel=5 / (2 * n) ** 0.5)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


@pytest.mark.parametrize(
    ("stem", "size", "final"), [("cifar", 32, 4), ("cifar", 8, 1), ("imagenet", 224, 7), ("imagenet", 32, 1)]
)
def test_the_last_map_is_a_stride_of_8_or_32(stem, size, final):
    for name in BLOCKS:
        network, features = build_meta(name, stem=stem)
        before_pooling = nn.Sequential(*list(network.children())[:-2])
        last_BFHW = before_pooling(torch.empty(2, 3, size, size, device="meta"))
        assert last_BFHW.shape == (2, features, final, final)


@pytest.mark.parametrize(
    ("name", "inner_width", "gflop"), [("resnet18", 1, 1.11), ("resnet50", 1, 2.60), ("resnet50", 4, 24.2)]
)
def test_work_per_cifar_view(name, inner_width, gflop):
    """GFLOP of a forward pass, one 32×32 view, CIFAR stem. A misplaced stride would change it by a multiple."""
    network, _ = build_meta(name, inner_width=inner_width)
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 32, 32, device="meta"))
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflop, rel=0.01)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_grey_digits_pass_and_train(name, stem):
    config = EncoderConfig(name=name, width=1, stem=stem)
    torch.manual_seed(0)
    encoder, features = build_encoder(config, 1)
    h_BF = encoder(torch.rand(3, 1, 8, 8))
    assert h_BF.shape == (3, features)
    assert h_BF.isfinite().all()
    h_BF.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_encoder_settings_reach_the_network():
    with torch.device("meta"):
        config = EncoderConfig(name="resnet50", width=2, inner_width=2, stem="imagenet")
        network, features = build_encoder(config, 1)
    assert features == 4096
    assert count(network) == counted_by_hand("resnet50", 2, 2, "imagenet", channels=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet18", "inner_width": 4}, r"^encoder\.inner_width: 4 widens bottlenecks"),
        (
            {"name": "residual", "inner_width": 4},
            r"^encoder\.inner_width: the residual network knows only 1, 4 was",
        ),
        (
            {"name": "residual", "stem": "imagenet"},
            r"^encoder\.stem: the residual network knows only cifar, imagenet",
        ),
    ],
)
def test_settings_that_an_encoder_does_not_have_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        build_encoder(EncoderConfig(**{"width": 1} | settings), 3)


def test_unknown_names_are_refused_with_a_suggestion():
    with pytest.raises(UserError, match=r"^unknown encoder\.name 'resnet_50': did you mean 'resnet50'\?"):
        build_resnet("resnet_50", 3)
    with pytest.raises(UserError, match=r"^unknown encoder\.stem 'cifar10': did you mean 'cifar'\?"):
        build_resnet("resnet18", 3, stem="cifar10")
    with pytest.raises(UserError, match=r"^encoder\.width: must be at least 1, 0 was given"):
        build_resnet("resnet18", 3, width=0)


def test_the_small_network_still_begins_with_the_published_weights():
    """The records behind RESULTS.md hold the hash of encoder and head before training."""
    records = pd.read_parquet(ROOT / "results/published/laptop.parquet").record.map(json.loads)
    # The studies of the theory have no network.
    trained = [record for record in records if "init" in record["pairing"]]
    for record in trained[:2]:
        config = record["config"]
        torch.manual_seed(seeds.integer(config["seed"], "init"))
        encoder, features = build_encoder(EncoderConfig(**config["encoder"]), 1)
        head = build_head(ProjectionConfig(**config["projection"]), features)
        state = hashlib.sha256()
        for module in (encoder, head):
            for name, tensor in module.state_dict().items():
                state.update(name.encode())
                state.update(tensor.numpy().tobytes())
        assert state.hexdigest() == record["pairing"]["init"]


def test_head_with_batch_norm_normalises_before_the_relu():
    """By hand: W₂ · max(0, (W₁ h − mean) / sd) + b₂."""
    torch.manual_seed(0)
    head = build_head(ProjectionConfig(dim=3, hidden=5, batch_norm=True), 4)
    first, norm, _, last = head.double().children()
    assert isinstance(first, nn.Linear) and isinstance(norm, nn.BatchNorm1d) and isinstance(last, nn.Linear)
    h_BF = torch.rand(7, 4, dtype=torch.float64)
    u_BH = h_BF @ first.weight.T
    u_BH = (u_BH - u_BH.mean(0)) / (u_BH.var(0, correction=0) + norm.eps).sqrt()
    torch.testing.assert_close(head(h_BF), u_BH.clamp_min(0) @ last.weight.T + last.bias)
    assert count(head) == 4 * 5 + 2 * 5 + 5 * 3 + 3


@pytest.mark.parametrize(("width", "narrow"), [(4, True), (7, True), (8, False), (16, False)])
def test_narrow_shortcuts_are_seen(width, narrow):
    """One pass through such a block in channels_last breaks the heap on a CPU with AVX2."""
    encoder, _ = build_encoder(EncoderConfig(name="residual", width=width), 3)
    assert has_narrow_shortcut(encoder) == narrow
    assert not has_narrow_shortcut(build_meta("resnet18")[0])
