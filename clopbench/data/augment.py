"""Augmentation as batched tensor work: each image draws its own parameters, on the device it lives on.

Shapes: B images, C channels, H × W pixels. Images enter as uint8 and leave as float32 in [0, 1] (noise may
leave that range).
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from clopbench.errors import unknown

Recipe = Callable[[Tensor, torch.Generator], Tensor]


def to_float(image_BCHW: Tensor) -> Tensor:
    """uint8 [0, 255] to float32 [0, 1]."""
    return image_BCHW.float().div_(255)


def digits(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Views of 8×8 digits: crop, small rotation, brightness, noise; no flip, which would change the digit.

    Each image is scaled by 0.75–1.15, rotated by up to 15°, shifted by up to one pixel, multiplied by
    0.6–1.4 and covered with Gaussian noise of a standard deviation of 0–0.15.
    """
    size = len(image_BCHW)

    def uniform(low: float, high: float) -> Tensor:
        draw_B = torch.rand(size, generator=generator, device=generator.device)
        return (low + (high - low) * draw_B).to(image_BCHW.device)

    angle_B = uniform(-1, 1) * math.radians(15)
    scale_B = uniform(0.75, 1.15)
    shift_B2 = torch.stack([uniform(-1, 1), uniform(-1, 1)], 1) * (2 / image_BCHW.shape[-1])
    cosine_B, sine_B = scale_B * angle_B.cos(), scale_B * angle_B.sin()
    affine_B23 = torch.stack([cosine_B, -sine_B, shift_B2[:, 0], sine_B, cosine_B, shift_B2[:, 1]], 1).view(
        size, 2, 3
    )
    grid_BHW2 = F.affine_grid(affine_B23, list(image_BCHW.shape), align_corners=False)
    view_BCHW = F.grid_sample(to_float(image_BCHW), grid_BHW2, align_corners=False)
    noise_BCHW = torch.randn(view_BCHW.shape, generator=generator, device=generator.device)
    brightness_B, deviation_B = uniform(0.6, 1.4), uniform(0, 0.15)
    view_BCHW = view_BCHW * brightness_B[:, None, None, None]
    return view_BCHW + noise_BCHW.to(view_BCHW.device) * deviation_B[:, None, None, None]


def none(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """The image as it is."""
    return to_float(image_BCHW)


RECIPES: dict[str, Recipe] = {"digits": digits, "none": none}


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises UserError with the nearest name."""
    if name not in RECIPES:
        raise unknown("augmentation", name, RECIPES)
    return RECIPES[name]
