"""Encoders and the projection head.

Shapes: B images, C channels, F features, D embedding dimensions.
"""

from torch import Tensor, nn

from clopbench.cell import EncoderConfig, ProjectionConfig
from clopbench.errors import UserError
from clopbench.training.resnets import build_resnet


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch norm around a shortcut (He et al. 2016, the basic block)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = (
            nn.Identity()
            if stride == 1 and channels_in == channels_out
            else nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.inner(x) + self.shortcut(x))


def build_encoder(config: EncoderConfig, channels: int) -> tuple[nn.Module, int]:
    """An encoder [B, C, H, W] → [B, F], and F.

    `residual` has 4 · width features; the ResNets are those of clopbench.training.resnets. Weights come from
    torch's global generator. Raises UserError for settings that the encoder does not have.
    """
    if config.name == "residual":
        return _residual(config, channels)
    return build_resnet(
        config.name, channels, width=config.width, inner_width=config.inner_width, stem=config.stem
    )


def _residual(config: EncoderConfig, channels: int) -> tuple[nn.Module, int]:
    """Three blocks behind a 3×3 convolution. Published records depend on the order of its random draws."""
    for field, value, only in (("inner_width", config.inner_width, 1), ("stem", config.stem, "cifar")):
        if value != only:
            raise UserError(
                f"encoder.{field}: the residual network knows only {only}, {value} was given "
                "(resnet50 has both, resnet18 has stems)"
            )
    width = config.width
    network = nn.Sequential(
        nn.Conv2d(channels, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        ResidualBlock(width, width, 1),
        ResidualBlock(width, 2 * width, 2),
        ResidualBlock(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return network, 4 * width


def build_head(config: ProjectionConfig, features: int) -> nn.Module:
    """The projection head of SimCLR, [B, F] → [B, D]: linear, [batch norm,] ReLU, linear. Not normalised.

    With batch norm the first layer has no bias, which the norm's shift replaces (as in SimCLR's released code,
    which also ends in a batch norm; here the last layer is linear, as in the paper's equation).
    """
    first = nn.Linear(features, config.hidden, bias=not config.batch_norm)
    norm = [nn.BatchNorm1d(config.hidden)] if config.batch_norm else []
    return nn.Sequential(first, *norm, nn.ReLU(inplace=True), nn.Linear(config.hidden, config.dim))


def has_narrow_shortcut(encoder: nn.Module) -> bool:
    """Whether a strided 1×1 convolution reads fewer than 8 channels.

    Its backward pass in channels_last writes outside its memory on CPUs with AVX2 and no more (torch 2.15:
    SIGABRT or SIGSEGV in most runs), so such an encoder keeps the plain layout there.
    """
    return any(
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels < 8
        for module in encoder.modules()
    )
