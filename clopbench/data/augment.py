"""Augmentation as batched tensor work: each image draws its own parameters, on the device it lives on.

Shapes: B images, C channels, H × W pixels. Images enter as uint8 and leave as float32 in [0, 1] (the noise of
`digits` may leave that range). Recipes named as in torchvision follow its distributions. A crop keeps the
image's size, so it never shrinks its box, and there is nothing to antialias (see `crop`).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from clopbench.data import crop, policies
from clopbench.data import simclr as simclr_views
from clopbench.data.colour import to_float
from clopbench.errors import UserError, unknown

Recipe = Callable[[Tensor, torch.Generator], Tensor]


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


def simclr(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Crop of 8–100 % of the area, flip, colour jitter, grey (Chen et al. 2020, appendix A).

    The jitter is 0.4, 0.4, 0.4, 0.1 (their strength 0.5, as for CIFAR) with probability 0.8; grey has 0.2.
    Raises UserError unless images have 1 or 3 channels.
    """
    return views(image_BCHW, [simclr], generator)[0]


def simclr_blur(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """`simclr` with blur, which SimCLR has for ImageNet but not for CIFAR.

    Half of the views get a Gaussian blur of sigma 0.1–2, a tenth of the side wide.
    """
    return views(image_BCHW, [simclr_blur], generator)[0]


def crop_flip(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Weak views: shifted by up to an eighth of the side (4 of 32 pixels), black outside, and flipped."""
    draw_B3 = crop.uniform(generator, image_BCHW.device, len(image_BCHW), 3)
    shift_B2 = crop.random_shifts(draw_B3[:, :2], *image_BCHW.shape[-2:], reach=1 / 8)
    return crop.padded_crop(to_float(image_BCHW), shift_B2, draw_B3[:, 2] < 0.5)


def shift(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """`crop_flip` without the flip, which would change a digit."""
    draw_B2 = crop.uniform(generator, image_BCHW.device, len(image_BCHW), 2)
    shift_B2 = crop.random_shifts(draw_B2, *image_BCHW.shape[-2:], reach=1 / 8)
    return crop.padded_crop(to_float(image_BCHW), shift_B2, torch.zeros_like(draw_B2[:, 0], dtype=torch.bool))


def with_policy(name: str, policy: Recipe) -> Recipe:
    """The recipe of a policy on bytes: crop of 8–100 % of the area, flip, the policy, and nothing after it.

    This is how the policies are used in practice, and crop and flip are those of `simclr`, so that a comparison
    of recipes compares what they do to colours and shapes. The authors' code has the policy alone.
    """

    def view(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        _check_channels(name, image_BCHW)
        size, _, height, width = image_BCHW.shape
        device = image_BCHW.device
        box_B4 = crop.random_boxes(*crop.draw_boxes(size, generator, device), height, width)
        flip_B = crop.uniform(generator, device, size) < 0.5
        crop_BCHW = crop.resized_crop(to_float(image_BCHW), box_B4, flip_B)
        return to_float(policy(crop_BCHW.mul_(255).round_().to(torch.uint8), generator))

    return view


def _check_channels(name: str, image_BCHW: Tensor) -> None:
    if image_BCHW.shape[1] not in (1, 3):
        raise UserError(
            f"augmentation '{name}': images must have 1 or 3 channels, and these have {image_BCHW.shape[1]}"
        )


RECIPES: dict[str, Recipe] = {
    "digits": digits,
    "none": none,
    "simclr": simclr,
    "simclr_blur": simclr_blur,
    "crop_flip": crop_flip,
    "shift": shift,
    "autoaugment_cifar": with_policy("autoaugment_cifar", partial(policies.autoaugment, policy="cifar10")),
    "autoaugment_imagenet": with_policy(
        "autoaugment_imagenet", partial(policies.autoaugment, policy="imagenet")
    ),
    "randaugment": with_policy("randaugment", policies.randaugment),
    # What the authors' code has for Tiny-ImageNet: three operations of magnitude 18 of 31.
    "randaugment_3_18": with_policy(
        "randaugment_3_18", partial(policies.randaugment, operations=3, magnitude=18)
    ),
}


def views(image_BCHW: Tensor, recipes: Sequence[Recipe], generator: torch.Generator) -> Tensor:
    """One augmented copy of the batch per recipe, drawn one after the other, float32 [V, B, C, H, W].

    Raises what the recipes raise.
    """
    for together, name in ((simclr, "simclr"), (simclr_blur, "simclr_blur")):
        if all(augment is together for augment in recipes):
            _check_channels(name, image_BCHW)
            return simclr_views.views(image_BCHW, generator, len(recipes), blurred=together is simclr_blur)
    return torch.stack([augment(image_BCHW, generator) for augment in recipes])


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises UserError with the nearest name."""
    if name not in RECIPES:
        raise unknown("augmentation", name, RECIPES)
    return RECIPES[name]


WEAK = {"digits": "shift", "none": "none"}
"""Recipe → its weak counterpart, where that is not `crop_flip`."""


def view_recipes(names: Sequence[str] | None, own: str) -> list[Recipe]:
    """The recipe of each view that a method names; None: the benchmark's `own` twice.

    "strong" is the benchmark's own, "weak" its weak counterpart. Raises UserError with the nearest name.
    """
    relative = {"strong": own, "weak": WEAK.get(own, "crop_flip")}
    return [recipe(relative.get(name, name)) for name in names or (own, own)]
