"""ResNets of any width, built from torchvision's blocks.

Two ways to widen, which literature calls by one name. `width` multiplies every channel: SimCLR's "ResNet-50
(4x)" is width 4, with 375.4 M parameters. `inner_width` multiplies only the channels inside bottlenecks, which
is torchvision's `width_per_group = 64 · inner_width` and what the authors of CLOP call 4x: 221.4 M parameters.

The stem "imagenet" is a 7×7 convolution of stride 2 and a max pool: 224×224 pixels end as a 7×7 map. The stem
"cifar" is a 3×3 convolution of stride 1 without pooling (SimCLR, appendix B.9): 32×32 pixels end as 4×4.

The state dict has torchvision's names, so that at width 1 with the ImageNet stem its weights fit. The initial
weights are drawn as torchvision draws them: Kaiming normal by fan-out; batch norms begin at scale 1, also the
last one of a block.

Shapes: B images, C channels, H × W pixels, F features.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn

from clopbench.errors import UserError, unknown

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
"""Blocks in each of the four stages (He et al. 2016, table 1)."""

STEMS = ("cifar", "imagenet")


def build_resnet(
    name: str, channels: int, *, width: int = 1, inner_width: int = 1, stem: str = "cifar"
) -> tuple[nn.Sequential, int]:
    """A ResNet without its last layer, [B, C, H, W] → [B, F], and F.

    F is 512 · width for resnet18 and 2048 · width for resnet50. Weights come from torch's global generator,
    which the caller seeds. Raises UserError for an unknown name or stem, a width below 1, and an inner width
    where there are no bottlenecks.
    """
    _check(name, width, inner_width, stem)
    # Imported here because it takes 1.5 s, which runs with the small network need not pay.
    from torchvision.models.resnet import BasicBlock, Bottleneck

    block = Bottleneck if name == "resnet50" else BasicBlock
    make_block = partial(block, base_width=64 * inner_width)
    parts = _stem(channels, 64 * width, stem)
    current = 64 * width
    for stage, depth in enumerate(BLOCKS[name]):
        planes = 64 * width * 2**stage
        out = planes * block.expansion
        parts[f"layer{stage + 1}"] = _stage(make_block, current, planes, out, depth, 1 if stage == 0 else 2)
        current = out
    parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
    parts["flatten"] = nn.Flatten()
    network = nn.Sequential(parts)
    _initialise(network)
    return network, current


def _check(name: str, width: int, inner_width: int, stem: str) -> None:
    if name not in BLOCKS:
        raise unknown("encoder.name", name, BLOCKS)
    if stem not in STEMS:
        raise unknown("encoder.stem", stem, STEMS)
    for field, value in (("width", width), ("inner_width", inner_width)):
        if value < 1:
            raise UserError(f"encoder.{field}: must be at least 1, {value} was given")
    if name == "resnet18" and inner_width != 1:
        raise UserError(
            f"encoder.inner_width: {inner_width} widens bottlenecks, and resnet18 has none "
            "(use encoder.width, or resnet50)"
        )


def _stem(channels: int, planes: int, stem: str) -> OrderedDict[str, nn.Module]:
    size, stride, padding = (7, 2, 3) if stem == "imagenet" else (3, 1, 1)
    parts = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(channels, planes, size, stride, padding, bias=False),
        bn1=nn.BatchNorm2d(planes),
        relu=nn.ReLU(inplace=True),
    )
    if stem == "imagenet":
        parts["maxpool"] = nn.MaxPool2d(3, 2, 1)
    return parts


def _stage(
    make_block: Callable[..., nn.Module],
    channels_in: int,
    planes: int,
    channels_out: int,
    depth: int,
    stride: int,
) -> nn.Sequential:
    """`depth` blocks; the first one takes the stride, and a projection where the shape changes."""
    shortcut = None
    if stride != 1 or channels_in != channels_out:
        shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
        )
    first = make_block(channels_in, planes, stride, shortcut)
    return nn.Sequential(first, *(make_block(channels_out, planes) for _ in range(depth - 1)))


def _initialise(network: nn.Module) -> None:
    """Batch norms are left alone: torch creates them with scale 1 and shift 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
