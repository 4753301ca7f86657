"""How much arithmetic a cell's training is, counted from its declaration, and how long that takes on a device.

Counted are multiplications and additions of encoder and projection head; a backward pass costs two forward
ones. Augmentation, losses, optimiser and evaluation are left out: they are small beside a network that is worth
counting.
"""

import math

from clopbench.cell import Cell, EncoderConfig, ProjectionConfig
from clopbench.data import sources
from clopbench.suite.declarations import CountedDevice

VIEWS = 2
PASSES, PASSES_IN_CHUNKS = 3, 4
"""One forward and two for the backward pass; with micro-batches the forward pass is made twice."""
COLOURS = 3
RESNET_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}


def training_operations(cell: Cell) -> float | None:
    """Of a whole training; None where the size of the images or their number is not known beforehand."""
    source = sources.source(cell.data.name)
    size = (source.layout or (0, 0, 0))[2] or source.image_size
    if source.layout is None or not size:
        return None
    batch = cell.training.batch_size
    images = (source.layout[0] + source.unlabelled) // batch * batch
    passes = PASSES if cell.training.micro_batch is None else PASSES_IN_CHUNKS
    one_view = encoder_operations(cell.encoder, COLOURS, size) + head_operations(cell.projection, cell.encoder)
    return float(VIEWS * passes * cell.training.epochs * images * one_view)


def counted_seconds(cell: Cell, device: CountedDevice) -> float | None:
    """Seconds of training at the declared share of the device's peak."""
    operations = training_operations(cell)
    return None if operations is None else operations / (device.peak_tflops * 1e12 * device.share)


def encoder_operations(encoder: EncoderConfig, channels: int, size: int) -> int:
    """Of one image's forward pass, `size` pixels high and wide."""
    if encoder.name == "residual":
        return _residual(encoder.width, channels, size)
    width, large = encoder.width, encoder.stem == "imagenet"
    kernel, size = (7, _halved(size)) if large else (3, size)
    total, current = _convolution(kernel, channels, 64 * width, size), 64 * width
    size = _halved(size) if large else size
    for stage, depth in enumerate(RESNET_BLOCKS[encoder.name]):
        planes = 64 * width * 2**stage
        for block in range(depth):
            halve = stage > 0 and block == 0
            before, size = size, _halved(size) if halve else size
            if encoder.name == "resnet50":
                inner, out = planes * encoder.inner_width, 4 * planes
                total += _convolution(1, current, inner, before)
                total += _convolution(3, inner, inner, size) + _convolution(1, inner, out, size)
            else:
                out = planes
                total += _convolution(3, current, out, size) + _convolution(3, out, out, size)
            if halve or current != out:
                total += _convolution(1, current, out, size)
            current = out
    return total


def head_operations(projection: ProjectionConfig, encoder: EncoderConfig) -> int:
    """Of one embedding: two linear layers."""
    features = {"residual": 4, "resnet18": 512, "resnet50": 2048}[encoder.name] * encoder.width
    return 2 * projection.hidden * (features + projection.dim)


def _residual(width: int, channels: int, size: int) -> int:
    total = _convolution(3, channels, width, size) + 2 * _convolution(3, width, width, size)
    for wide in (width, 2 * width):
        size = _halved(size)
        total += _convolution(3, wide, 2 * wide, size) + _convolution(3, 2 * wide, 2 * wide, size)
        total += _convolution(1, wide, 2 * wide, size)
    return total


def _convolution(kernel: int, channels_in: int, channels_out: int, size: int) -> int:
    """With a map of `size` × `size` coming out."""
    return 2 * kernel**2 * channels_in * channels_out * size**2


def _halved(size: int) -> int:
    return math.ceil(size / 2)
