"""AutoAugment and RandAugment of a whole batch of bytes, each image with its own operations.

Shapes: B images, C channels (1 or 3), H × W pixels, uint8; P stages of a policy.

AutoAugment (Cubuk et al. 2019): each image draws one of 25 sub-policies of two operations, each with its own
probability and magnitude (of 10). RandAugment (Cubuk et al. 2020): each image draws `operations` times one of
14 operations, all with one magnitude (of 31). The sign of a shear, shift, rotation or enhancement is a coin.
Operations, sub-policies and ranges are torchvision's, as are nearest-neighbour sampling and black fill. Images
that drew the same operation, magnitude and sign go to torchvision together. What the images drew is copied to
the host once for the whole batch. torchvision is imported at the first use, since that takes a second.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

from clopbench.data.crop import uniform
from clopbench.errors import UserError

AUTOAUGMENT_BINS, RANDAUGMENT_BINS = 10, 31
Action = tuple[str, float]  # operation and signed magnitude

# Largest magnitude of operations with a sign, which grow evenly from 0; shifts are fractions of the side.
SIGNED = {
    "ShearX": 0.3,
    "ShearY": 0.3,
    "TranslateX": 150 / 331,
    "TranslateY": 150 / 331,
    "Rotate": 30.0,
    "Brightness": 0.9,
    "Color": 0.9,
    "Contrast": 0.9,
    "Sharpness": 0.9,
}
WITHOUT_MAGNITUDE = ("Identity", "AutoContrast", "Equalize", "Invert")
RANDAUGMENT_OPERATIONS = ("Identity", *SIGNED, "Posterize", "Solarize", "AutoContrast", "Equalize")


def autoaugment(
    image_BCHW: Tensor, generator: torch.Generator, policy: Literal["cifar10", "imagenet", "svhn"]
) -> Tensor:
    """Each image after its sub-policy of the named policy, uint8 [B, C, H, W]."""
    height, width = image_BCHW.shape[-2:]
    actions, action_KP2, chance_KP = _subpolicies(policy, height, width)
    draw_B5 = uniform(generator, image_BCHW.device, len(image_BCHW), 5).cpu()
    chosen_B = _pick(draw_B5[:, 0], len(chance_KP))
    sign_BP = (draw_B5[:, 1:3] < 0.5).long()
    action_BP = action_KP2[chosen_B].gather(2, sign_BP[:, :, None])[:, :, 0]
    skipped_BP = draw_B5[:, 3:5] >= chance_KP[chosen_B]
    return _perform(image_BCHW, action_BP.masked_fill_(skipped_BP, 0), actions)


def randaugment(
    image_BCHW: Tensor, generator: torch.Generator, operations: int = 2, magnitude: int = 9
) -> Tensor:
    """Each image after `operations` random operations of one magnitude (0–30), uint8 [B, C, H, W].

    Raises UserError for a magnitude beyond the scale or a negative number of operations.
    """
    if operations < 0:
        raise UserError(f"randaugment: operations must be at least 0, and it is {operations}")
    if not 0 <= magnitude < RANDAUGMENT_BINS:
        raise UserError(f"randaugment: magnitude must be 0 to {RANDAUGMENT_BINS - 1}, and it is {magnitude}")
    height, width = image_BCHW.shape[-2:]
    actions, action_K2 = _random_operations(magnitude, height, width)
    draw_2BP = uniform(generator, image_BCHW.device, 2, len(image_BCHW), operations).cpu()
    action_BP = action_K2[_pick(draw_2BP[0], len(action_K2)), (draw_2BP[1] < 0.5).long()]
    return _perform(image_BCHW, action_BP, actions)


def _pick(draw: Tensor, count: int) -> Tensor:
    """Whole numbers below `count`, equally likely, from draws in [0, 1)."""
    return (draw * count).long().clamp_max_(count - 1)


def _perform(image_BCHW: Tensor, action_BP: Tensor, actions: list[Action]) -> Tensor:
    """Stage after stage, every image's action; action 0 does nothing. `action_BP` lives on the host."""
    result_BCHW = image_BCHW.clone()
    for action_B in action_BP.unbind(1):
        counts = action_B.bincount(minlength=len(actions)).tolist()
        order_B = action_B.argsort(stable=True).to(image_BCHW.device)
        for (operation, magnitude), rows in zip(actions, order_B.split(counts), strict=True):
            if len(rows) and operation != "Identity":
                result_BCHW[rows] = apply(result_BCHW[rows], operation, magnitude)
    return result_BCHW


def apply(image_BCHW: Tensor, operation: str, magnitude: float) -> Tensor:
    """The images after one operation of that signed magnitude, by torchvision's function for it."""
    return _operations()[operation](image_BCHW, magnitude)


@cache
def _operations() -> dict[str, Callable[[Tensor, float], Tensor]]:
    from torchvision.transforms.v2 import functional as tv

    def affine(image: Tensor, **change: Any) -> Tensor:
        return tv.affine(
            image, **({"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]} | change)
        )

    def degrees(slope: float) -> float:
        return math.degrees(math.atan(slope))

    return {
        "Identity": lambda image, _: image,
        "ShearX": lambda image, slope: affine(image, shear=[degrees(slope), 0.0], center=[0, 0]),
        "ShearY": lambda image, slope: affine(image, shear=[0.0, degrees(slope)], center=[0, 0]),
        "TranslateX": lambda image, pixels: affine(image, translate=[int(pixels), 0]),
        "TranslateY": lambda image, pixels: affine(image, translate=[0, int(pixels)]),
        "Rotate": lambda image, angle: tv.rotate(image, angle=angle),
        "Brightness": lambda image, change: tv.adjust_brightness(image, 1 + change),
        "Color": lambda image, change: tv.adjust_saturation(image, 1 + change),
        "Contrast": lambda image, change: tv.adjust_contrast(image, 1 + change),
        "Sharpness": lambda image, change: tv.adjust_sharpness(image, 1 + change),
        "Posterize": lambda image, bits: tv.posterize(image, bits=int(bits)),
        "Solarize": lambda image, threshold: tv.solarize(image, threshold=255 * threshold),
        "AutoContrast": lambda image, _: tv.autocontrast(image),
        "Equalize": lambda image, _: tv.equalize(image),
        "Invert": lambda image, _: tv.invert(image),
    }


def _magnitudes(operation: str, index: int, bins: int, height: int, width: int) -> tuple[float, float]:
    """The magnitude at `index` of `bins` with either sign; equal where the sign has no meaning."""
    if operation in WITHOUT_MAGNITUDE:
        return 0.0, 0.0
    if operation == "Posterize":
        bits = float(round(8 - 4 * index / (bins - 1)))
        return bits, bits
    if operation == "Solarize":
        threshold = torch.linspace(1, 0, bins)[index].item()
        return threshold, threshold
    side = {"TranslateX": width, "TranslateY": height}.get(operation, 1)
    magnitude = torch.linspace(0, SIGNED[operation] * side, bins)[index].item()
    return magnitude, -magnitude


class _Actions:
    """Distinct actions in order of appearance; number 0 is doing nothing."""

    def __init__(self, bins: int, height: int, width: int):
        self.bins, self.height, self.width = bins, height, width
        self.numbers: dict[Action, int] = {("Identity", 0.0): 0}

    def pair(self, operation: str, index: int) -> list[int]:
        """The numbers of an operation with either sign."""
        both = _magnitudes(operation, index, self.bins, self.height, self.width)
        return [self.numbers.setdefault((operation, value), len(self.numbers)) for value in both]


@cache
def _subpolicies(policy: str, height: int, width: int) -> tuple[list[Action], Tensor, Tensor]:
    """Actions, their numbers [sub-policy, stage, sign], and probabilities [sub-policy, stage]."""
    from torchvision.transforms import AutoAugment, AutoAugmentPolicy

    table = AutoAugment(AutoAugmentPolicy(policy)).policies
    actions = _Actions(AUTOAUGMENT_BINS, height, width)
    numbers = [[actions.pair(operation, index or 0) for operation, _, index in stages] for stages in table]
    chances = [[chance for _, chance, _ in stages] for stages in table]
    return list(actions.numbers), torch.tensor(numbers), torch.tensor(chances)


@cache
def _random_operations(magnitude: int, height: int, width: int) -> tuple[list[Action], Tensor]:
    """Actions and their numbers [operation, sign]."""
    actions = _Actions(RANDAUGMENT_BINS, height, width)
    numbers = [actions.pair(operation, magnitude) for operation in RANDAUGMENT_OPERATIONS]
    return list(actions.numbers), torch.tensor(numbers)
