"""Random crops of a whole batch in one sampling pass, each image with its own box and its own mirroring.

Shapes: B images, C channels, H × W pixels, K candidate boxes. A box is (top, left, height, width) in whole
pixels, as in torchvision.

Antialiasing: a crop keeps the size of its image, so a box is never larger than what it is resized to. Bilinear
sampling of an image that is not made smaller is the same with and without antialiasing, so there is none here,
and the result is that of torchvision's resized_crop(antialias=True). Samples are taken from inside the box
only: beyond the centre of its outermost pixels that pixel is repeated, never a neighbour outside the box.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

CANDIDATES = 10  # torchvision gives up after so many boxes that do not fit


def uniform(generator: torch.Generator, device: torch.device, *shape: int) -> Tensor:
    """Float32 numbers in [0, 1) from the generator, on `device`."""
    return torch.rand(shape, generator=generator, device=generator.device).to(device)


def draw_boxes(size: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """What `random_boxes` needs to choose a box for each of `size` images."""
    return uniform(generator, device, 2, size, CANDIDATES), uniform(generator, device, 2, size)


def random_boxes(
    draw_2BK: Tensor,
    place_2B: Tensor,
    height: int,
    width: int,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """Boxes of RandomResizedCrop, int64 [B, 4], from draws in [0, 1): shapes of K = CANDIDATES, and a place.

    The area is uniform in `scale` (as a fraction of the image), the logarithm of width / height uniform
    between those of `ratio`. Of ten candidates the first that fits counts; where none fits, the largest
    centred box within `ratio`.
    """
    area_BK = (scale[0] + (scale[1] - scale[0]) * draw_2BK[0]) * (height * width)
    low, high = math.log(ratio[0]), math.log(ratio[1])
    ratio_BK = (low + (high - low) * draw_2BK[1]).exp_()
    high_BK = (area_BK / ratio_BK).sqrt_().round_()
    wide_BK = (area_BK * ratio_BK).sqrt_().round_()
    fits_BK = (high_BK > 0) & (high_BK <= height) & (wide_BK > 0) & (wide_BK <= width)
    first_B1 = fits_BK.int().argmax(1, keepdim=True)
    any_B = fits_BK.any(1)
    centred = _centred_box(height, width, ratio)
    high_B = torch.where(any_B, high_BK.gather(1, first_B1)[:, 0], centred[2])
    wide_B = torch.where(any_B, wide_BK.gather(1, first_B1)[:, 0], centred[3])
    # A float32 below 1 times a whole number can round up to that number, hence the minimum.
    top_B = torch.minimum((place_2B[0] * (height - high_B + 1)).floor_(), height - high_B)
    left_B = torch.minimum((place_2B[1] * (width - wide_B + 1)).floor_(), width - wide_B)
    top_B = torch.where(any_B, top_B, centred[0])
    left_B = torch.where(any_B, left_B, centred[1])
    return torch.stack([top_B, left_B, high_B, wide_B], 1).long()


def _centred_box(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """The largest centred box whose width / height lies within `ratio`."""
    high = min(height, round(width / ratio[0]))
    wide = min(width, round(height * ratio[1]))
    return (height - high) // 2, (width - wide) // 2, high, wide


def resized_crop(image_BCHW: Tensor, box_B4: Tensor, flip_B: Tensor) -> Tensor:
    """Each float image's box, resized bilinearly to the image's own size, mirrored where `flip_B` is true."""
    return sample(image_BCHW, *box_positions(box_B4, flip_B, *image_BCHW.shape[-2:]))


def box_positions(box_B4: Tensor, flip_B: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where rows [B, H] and columns [B, W] of the resized boxes lie in their images, as `sample` wants them."""
    top_B1, left_B1, high_B1, wide_B1 = box_B4.float().split(1, 1)
    y_BH, x_BW = _positions(top_B1, high_B1, height), _positions(left_B1, wide_B1, width)
    return y_BH, _mirrored(x_BW, flip_B)


def random_shifts(draw_B2: Tensor, height: int, width: int, reach: float) -> Tensor:
    """Whole pixels (down, right), equally likely within ±`reach` of the sides, from draws in [0, 1) [B, 2]."""
    down, right = round(height * reach), round(width * reach)
    return torch.stack([_whole(draw_B2[:, 0], down), _whole(draw_B2[:, 1], right)], 1)


def _whole(draw_B: Tensor, reach: int) -> Tensor:
    return (draw_B * (2 * reach + 1)).floor_().clamp_max_(2 * reach).sub_(reach)


def padded_crop(image_BCHW: Tensor, shift_B2: Tensor, flip_B: Tensor) -> Tensor:
    """Each float image moved by whole pixels (down, right), black where it came from outside, and mirrored."""
    height, width = image_BCHW.shape[-2:]
    y_BH = _scaled(torch.arange(height, device=shift_B2.device) - shift_B2[:, :1], height)
    x_BW = _scaled(torch.arange(width, device=shift_B2.device) - shift_B2[:, 1:], width)
    return sample(image_BCHW, y_BH, _mirrored(x_BW, flip_B), "nearest", "zeros")


def sample(
    image_BCHW: Tensor, y_BH: Tensor, x_BW: Tensor, mode: str = "bilinear", padding: str = "border"
) -> Tensor:
    """Each image at all pairs of its row and column positions, which run from −1 to 1 over its outer edges."""
    grid_BHW2 = y_BH.new_empty(*y_BH.shape, x_BW.shape[1], 2)
    grid_BHW2[..., 0] = x_BW[:, None, :]
    grid_BHW2[..., 1] = y_BH[:, :, None]
    return F.grid_sample(image_BCHW, grid_BHW2, mode=mode, padding_mode=padding, align_corners=False)


def _positions(start_B1: Tensor, length_B1: Tensor, size: int) -> Tensor:
    """Where the `size` pixels of the result lie along one axis of the source [B, size].

    Pixel i covers [i, i + 1], so its centre i + 1/2 comes from (i + 1/2) · length / size within the box.
    """
    centre_S = torch.arange(size, dtype=start_B1.dtype, device=start_B1.device).add_(0.5)
    inside_BS = (centre_S * (length_B1 / size)).sub_(0.5)
    return _scaled(torch.minimum(inside_BS.clamp_min_(0), length_B1 - 1).add_(start_B1), size)


def _scaled(pixel_BS: Tensor, size: int) -> Tensor:
    """From pixels to grid_sample's scale, −1 to 1 over the outer edges of the image."""
    return (2 * pixel_BS + 1) / size - 1


def _mirrored(x_BW: Tensor, flip_B: Tensor) -> Tensor:
    return torch.where(flip_B[:, None], x_BW.flip(1), x_BW)
