"""Operations that are counted from a declaration, against torch's own counter over the built network."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from clopbench.cell import EncoderConfig, ProjectionConfig
from clopbench.results.times import about
from clopbench.suite.declarations import CountedDevice
from clopbench.suite.operations import (
    counted_seconds,
    encoder_operations,
    head_operations,
    training_operations,
)
from clopbench.training.encoders import build_encoder, build_head

ENCODERS = {
    "residual": ({"name": "residual", "width": 5}, 3, 9),
    "resnet18": ({"name": "resnet18", "width": 1}, 3, 32),
    "resnet18, large": ({"name": "resnet18", "width": 2, "stem": "imagenet"}, 3, 65),
    "resnet50": ({"name": "resnet50", "width": 1}, 3, 32),
    "resnet50, wide": ({"name": "resnet50", "width": 2}, 1, 32),
    "resnet50, wide inside": ({"name": "resnet50", "width": 1, "inner_width": 4, "stem": "imagenet"}, 3, 64),
}


@pytest.mark.parametrize(("given", "channels", "size"), ENCODERS.values(), ids=ENCODERS)
def test_a_forward_pass_is_what_torch_counts(given, channels, size):
    config, projection = EncoderConfig(**given), ProjectionConfig(dim=7, hidden=11)
    with torch.device("meta"):
        encoder, features = build_encoder(config, channels)
        head = build_head(projection, features)
        image = torch.zeros(1, channels, size, size)
    encoder.eval()
    with FlopCounterMode(display=False) as of_encoder:
        h = encoder(image)
    with FlopCounterMode(display=False) as of_head:
        head(h)
    assert encoder_operations(config, channels, size) == of_encoder.get_total_flops()
    assert head_operations(projection, config) == of_head.get_total_flops()


def test_a_training_by_hand(suite):
    """Scale paper: 97 full batches of 512 in each of 200 epochs, two views, four passes with micro-batches."""
    cell = suite.benchmark("table7", "paper").entries[0].cell(0)
    view = encoder_operations(cell.encoder, 3, 32) + head_operations(cell.projection, cell.encoder)
    expected = 200 * 97 * 512 * 2 * 4 * view
    assert training_operations(cell) == expected
    device = CountedDevice(name="one", peak_tflops=100, share=0.5)
    assert counted_seconds(cell, device) == pytest.approx(expected / 50e12)


def test_what_is_not_known_beforehand_is_not_counted(suite):
    cell = suite.benchmark("table7", "laptop").entries[0].cell(0)
    assert training_operations(cell) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(90, "about 1.5 min"), (7100, "about 118.3 min"), (7200, "about 2.0 h"), (4e5, "about 4.6 days")],
)
def test_times_in_words(seconds, words):
    assert about(seconds) == words
