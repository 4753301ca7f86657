"""Random crops of a whole batch in one sampling pass, each image with its own box and its own mirroring.

Shapes: B images, C channels, H × W pixels, K candidate boxes. A box is (top, left, height, width) in whole
pixels, as in torchvision.

Antialiasing: a crop keeps the size of its image, so a box is never larger than what it is resized to. Bilinear
sampling of an image that is not made smaller is the same with and without antialiasing, so there is none here,
and the result is that of torchvision's resized_crop(antialias=True). Samples are taken from inside the box
only: beyond the centre of its outermost pixels that pixel is repeated, never a neighbour outside the box.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

CANDIDATES = 10  # torchvision gives up after so many boxes that do not fit


def uniform(generator: torch.Generator, device: torch.device, *shape: int) -> Tensor:
    """Float32 numbers in [0, 1) from the generator, on `device`."""
    return torch.rand(shape, generator=generator, device=generator.device).to(device)


def draw_boxes(size: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """What `random_boxes` needs to choose a box for each of `size` images."""
    return uniform(generator, device, 2, CANDIDATES, size), uniform(generator, device, 2, size)


def random_boxes(
    draw_2KB: Tensor,
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
    area_KB = (scale[0] + (scale[1] - scale[0]) * draw_2KB[0]) * (height * width)
    low, high = math.log(ratio[0]), math.log(ratio[1])
    ratio_KB = (low + (high - low) * draw_2KB[1]).exp_()
    side_2KB = torch.stack([area_KB / ratio_KB, area_KB * ratio_KB]).sqrt_().round_()
    fits_KB = (side_2KB[0] <= height) & (side_2KB[1] <= width) & (torch.minimum(*side_2KB) > 0)
    any_B, first_B = fits_KB.float().max(0)  # Of equals the first; argmax took over four times as long.
    any_B = any_B > 0
    centred_412, sides_21 = _whole_image(height, width, ratio, draw_2KB.device)
    side_2B = torch.where(any_B, side_2KB.gather(1, first_B.expand(2, 1, -1))[:, 0], centred_412[1])
    room_2B = sides_21 - side_2B
    # A float32 below 1 times a whole number can round up to that number, hence the minimum.
    start_2B = torch.minimum((place_2B * (room_2B + 1)).floor_(), room_2B)
    return torch.cat([torch.where(any_B, start_2B, centred_412[0]), side_2B]).T.long()


@lru_cache
def _whole_image(
    height: int, width: int, ratio: tuple[float, float], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The centred box as (start, length) of both axes [2, 2, 1], and the sides of the image [2, 1]."""
    box = torch.tensor(_centred_box(height, width, ratio), device=device)
    return box.view(2, 2, 1), torch.tensor([[height], [width]], device=device)


def _centred_box(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """The largest centred box whose width / height lies within `ratio`."""
    high = min(height, round(width / ratio[0]))
    wide = min(width, round(height * ratio[1]))
    return (height - high) // 2, (width - wide) // 2, high, wide


def resized_crop(image_BCHW: Tensor, box_B4: Tensor, flip_B: Tensor) -> Tensor:
    """Each float image's box, resized bilinearly to the image's own size, mirrored where `flip_B` is true."""
    return sample(image_BCHW, *box_positions(box_B4, flip_B, *image_BCHW.shape[-2:]))


def box_positions(box_B4: Tensor, flip_B: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where rows [B, H] and columns [B, W] of the resized boxes lie in their images, as `sample` wants them.

    Pixel i covers [i, i + 1], so its centre i + 1/2 comes from start + (i + 1/2) · length / size; where it is
    mirrored, from as far before the box's end. It stays between the centres of the outermost pixels.
    """
    start_2B, length_2B = box_B4.T.float().unflatten(0, (2, 2))
    pixel_21 = _pixel(height, width, box_B4.device)
    start_2B, length_2B = (start_2B * pixel_21).sub_(1), length_2B * pixel_21
    half_21 = pixel_21 / 2
    first_2B, last_2B = start_2B + half_21, (start_2B + length_2B).sub_(half_21)
    start_2B[1] += torch.where(flip_B, length_2B[1], 0)
    length_2B[1] = torch.where(flip_B, -length_2B[1], length_2B[1])
    both = [
        _between(_fractions(size, box_B4.device) * length_B1 + start_B1, first_B1, last_B1)
        for size, length_B1, start_B1, first_B1, last_B1 in zip(
            (height, width),
            *(part[..., None] for part in (length_2B, start_2B, first_2B, last_2B)),
            strict=True,
        )
    ]
    return _as_complex(*both)


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
    return sample(image_BCHW, *_as_complex(y_BH, _mirrored(x_BW, flip_B)), "nearest", "zeros")


def sample(
    image_BCHW: Tensor, y_BH: Tensor, x_BW: Tensor, mode: str = "bilinear", padding: str = "border"
) -> Tensor:
    """Each float image at all pairs of its row positions (imaginary) and column positions (real).

    They run from −1 to 1 over its outer edges. A sum of complex numbers writes the grid of pairs three times as
    fast as one half of it after the other.
    """
    grid_BHW2 = torch.view_as_real(x_BW[:, None] + y_BH[..., None])
    return F.grid_sample(image_BCHW, grid_BHW2, mode=mode, padding_mode=padding, align_corners=False)


def _between(place_BS: Tensor, first_B1: Tensor, last_B1: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(place_BS, first_B1, out=place_BS), last_B1, out=place_BS)


@lru_cache
def _fractions(size: int, device: torch.device) -> Tensor:
    """Where the centres of the pixels along one axis lie between its ends, 0 to 1."""
    return torch.arange(size, dtype=torch.float32, device=device).add_(0.5).div_(size)


@lru_cache
def _pixel(height: int, width: int, device: torch.device) -> Tensor:
    """The length of a pixel along both axes, which run from −1 to 1 [2, 1]."""
    return torch.tensor([[2 / height], [2 / width]], device=device)


def _as_complex(y_BH: Tensor, x_BW: Tensor) -> tuple[Tensor, Tensor]:
    return torch.complex(torch.zeros_like(y_BH), y_BH), torch.complex(x_BW, torch.zeros_like(x_BW))


def _scaled(pixel_BS: Tensor, size: int) -> Tensor:
    """From pixels to grid_sample's scale, −1 to 1 over the outer edges of the image."""
    return (2 * pixel_BS + 1) / size - 1


def _mirrored(x_BW: Tensor, flip_B: Tensor) -> Tensor:
    return torch.where(flip_B[:, None], x_BW.flip(1), x_BW)
