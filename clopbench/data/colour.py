"""Colour jitter, grey and blur of a whole batch of float images in [0, 1], each with its own parameters.

Shapes: B images, C channels (1 or 3), H × W pixels, S = 6 blends.

Brightness, contrast and saturation are one operation with different coefficients (`blend`). Results are those
of torchvision.transforms.v2.functional. ColorJitter draws an order of its four operations for each image: here
hue has a place among three blends. A plan lists three blends before hue and three after it; those on the wrong
side change nothing. To do them all is right for every image, without a look at the plan's values, which suits a
GPU. On a CPU the images are grouped by the place of hue, and only the blends that they need are done.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LUMINANCE = (0.2989, 0.587, 0.114)  # ITU-R 601-2, in torchvision's rounding
BLENDS, CONTRAST, SATURATION = 3, 1, 2  # brightness is 0
DRAWS = 10  # numbers in [0, 1) that make one image's plan
PIECE = 256  # images that are worked on at a time on a CPU: few enough to stay near its cache


def to_float(image_BCHW: Tensor) -> Tensor:
    """uint8 [0, 255] to float32 [0, 1]."""
    return image_BCHW.float().div_(255)


def luminance(image_BCHW: Tensor) -> Tensor:
    """Luminance [B, 1, H, W]; an image with one channel is its own."""
    if image_BCHW.shape[1] == 1:
        return image_BCHW
    red, green, blue = image_BCHW.split(1, 1)
    return red.mul(LUMINANCE[0]).add_(green, alpha=LUMINANCE[1]).add_(blue, alpha=LUMINANCE[2])


def blend(image_BCHW: Tensor, mix_B3: Tensor) -> Tensor:
    """The images times `mix_B3[:, 0]`, plus luminance times [:, 1], plus mean luminance times [:, 2], clamped.

    With a factor f, brightness is (f, 0, 0), saturation (f, 1 − f, 0), contrast (f, 0, 1 − f). Works in place.
    """
    keep_B, grey_B, mean_B = mix_B3[:, :, None, None, None].unbind(1)
    light_B1HW = luminance(image_BCHW)
    average_B = light_B1HW.mean((1, 2, 3), keepdim=True)
    base_B1HW = (light_B1HW * grey_B).add_(average_B * mean_B)
    return torch.addcmul(base_B1HW, image_BCHW, keep_B, out=image_BCHW).clamp_(0, 1)


def shift_hue(image_BCHW: Tensor, shift_B: Tensor) -> Tensor:
    """Hue turned by `shift_B` (in turns, −0.5 to 0.5), value and saturation kept; one channel stays as it is.

    Hue in sixths of a turn, from −3 to 3 with red at 0: its sign is that of green − blue, its size is
    1 + (green + blue − red − smallest) / (largest − smallest), in each of the six sectors. Back again, a
    channel whose own hue is c lies at smallest + (largest − smallest) · w, where w is 1 within one sixth of
    c, 0 beyond two sixths and linear between. So there are no cases to tell apart.
    """
    if image_BCHW.shape[1] == 1:
        return image_BCHW
    red, green, blue = image_BCHW.split(1, 1)
    low = torch.minimum(red, green)
    low = torch.minimum(low, blue, out=low)
    range_ = torch.maximum(red, green)
    range_ = torch.maximum(range_, blue, out=range_).sub_(low)
    hue = (green + blue).sub_(red).sub_(low).div_(range_.clamp_min(1e-12)).add_(1)
    hue = hue.copysign_(green - blue).add_(6 * shift_B[:, None, None, None])
    hue.sub_((hue / 6).round_(), alpha=6)
    # The way round is 6: the distance from c is 3 − | |hue − c| − 3 |, and w is 2 minus that, clamped.
    weight_BCHW = (hue - _centres(hue.device)).abs_().sub_(3).abs_().sub_(1).clamp_(0, 1)
    return torch.addcmul(low, range_, weight_BCHW, out=weight_BCHW)


@lru_cache
def _centres(device: torch.device) -> Tensor:
    """The hues of red, green and blue in sixths of a turn [C, 1, 1]."""
    return torch.tensor((0.0, 2.0, -2.0), device=device)[:, None, None]


def blur(image_BCHW: Tensor, sigma_B: Tensor, kernel: int) -> Tensor:
    """Gaussian blur with a standard deviation for each image, `kernel` (odd) pixels wide, edges mirrored.

    A sigma near 0 leaves an image as it is.
    """
    radius = kernel // 2
    distance_K = torch.arange(radius + 1, dtype=sigma_B.dtype, device=sigma_B.device)
    weight_BK = torch.exp(-0.5 * (distance_K / sigma_B[:, None]).square())
    weight_BK = weight_BK / (2 * weight_BK.sum(1, keepdim=True) - 1)  # both sides, and the middle once
    weight_BK111 = weight_BK[:, :, None, None, None]
    for axis, pad in ((3, (radius, radius, 0, 0)), (2, (0, 0, radius, radius))):
        size = image_BCHW.shape[axis]
        padded = F.pad(image_BCHW, pad, mode="reflect")
        result = image_BCHW * weight_BK111[:, 0]
        for step in range(1, radius + 1):
            both = padded.narrow(axis, radius - step, size) + padded.narrow(axis, radius + step, size)
            result.addcmul_(both, weight_BK111[:, step])
        image_BCHW = result
    return image_BCHW


def blur_width(image_BCHW: Tensor) -> int:
    """A tenth of the shorter side, odd and at least 3 pixels (SimCLR: 23 for 224)."""
    return max(3, int(0.1 * min(image_BCHW.shape[-2:])) | 1)


def sigmas(draw_2B: Tensor) -> Tensor:
    """From draws in [0, 1): for half of the images a sigma in 0.1–2, for the others next to none [B]."""
    return torch.where(draw_2B[0] < 0.5, 0.1 + 1.9 * draw_2B[1], 1e-3)


class Plan(NamedTuple):
    """What each image of a batch undergoes.

    `mix_BS3`: coefficients of `blend`, three before hue and three after it. `shift_B`: turn of hue. `place_B`:
    how many blends come before hue, −1 for no jitter. `grey_B`: whether the image ends up grey.
    """

    mix_BS3: Tensor
    shift_B: Tensor
    place_B: Tensor
    grey_B: Tensor


class Group(NamedTuple):
    """Consecutive images that need the same steps: blends before hue, whether hue turns, blends after it.

    The last `grey` of them end up grey; None: those that the plan names.
    """

    rows: slice
    before: range
    hue: bool
    after: range
    grey: int | None


def plan(
    draw_DB: Tensor,
    strength: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1),
    jitter: float = 0.8,
    grey: float = 0.2,
) -> Plan:
    """ColorJitter(*strength) with probability `jitter`, then grey with probability `grey`; DRAWS draws each.

    `strength` is that of brightness, contrast, saturation (factors within 1 ± strength, not below 0) and hue
    (turns within ± strength). Every order of the four operations is equally likely.
    """
    active_B, grey_B = draw_DB[0] < jitter, draw_DB[1] < grey
    place_B = (draw_DB[2] * (BLENDS + 1)).long().clamp_max_(BLENDS)
    shift_B = strength[3] * (2 * draw_DB[3] - 1) * active_B
    low_high = [(max(0.0, 1 - spread), 1 + spread) for spread in strength[:3]]
    factor_B3 = torch.stack([low + (high - low) * draw_DB[4 + i] for i, (low, high) in enumerate(low_high)], 1)
    kind_B3 = draw_DB[7:].T.argsort(1)
    factor_B3 = factor_B3.gather(1, kind_B3).where(active_B[:, None], 1)
    early_B3 = torch.arange(BLENDS, device=draw_DB.device) < place_B[:, None]
    keep_BS = torch.cat([factor_B3.where(early_B3, 1), factor_B3.where(~early_B3, 1)], 1)
    kind_BS, rest_BS = kind_B3.repeat(1, 2), 1 - keep_BS
    mix_BS3 = torch.stack([keep_BS, rest_BS * (kind_BS == SATURATION), rest_BS * (kind_BS == CONTRAST)], 2)
    return Plan(mix_BS3, shift_B, place_B.where(active_B, -1), grey_B)


def groups(plan: Plan) -> tuple[Tensor, list[Group]]:
    """An order of the images [B] that brings those with the same steps together, and the groups in that order.

    On a GPU the order is left alone and all images take all steps: nothing has to come back to the host.
    """
    size = len(plan.place_B)
    if plan.place_B.device.type != "cpu":
        every = Group(slice(0, size), range(BLENDS), True, range(BLENDS, 2 * BLENDS), None)
        return torch.arange(size, device=plan.place_B.device), [every]
    kind_B = 2 * (plan.place_B + 1) + plan.grey_B
    counts = kind_B.bincount(minlength=2 * (BLENDS + 2)).tolist()
    found, start = [], 0
    for place, (coloured, grey) in enumerate(zip(counts[::2], counts[1::2], strict=True), -1):
        turns, end = place >= 0, start + coloured + grey
        before, after = range(max(place, 0)), range(BLENDS + place if turns else 2 * BLENDS, 2 * BLENDS)
        for first in range(start, end, PIECE):
            last = min(first + PIECE, end)
            found.append(
                Group(slice(first, last), before, turns, after, max(0, last - max(first, start + coloured)))
            )
        start = end
    return kind_B.argsort(stable=True), found


def jitter(image_BCHW: Tensor, plan: Plan, group: Group) -> Tensor:
    """The group's images after its jitter; works in place where it can. The plan is in the groups' order."""
    mix_BS3 = plan.mix_BS3[group.rows]
    for slot in group.before:
        image_BCHW = blend(image_BCHW, mix_BS3[:, slot])
    if group.hue:
        image_BCHW = shift_hue(image_BCHW, plan.shift_B[group.rows])
    for slot in group.after:
        image_BCHW = blend(image_BCHW, mix_BS3[:, slot])
    return image_BCHW


def greyed(image_BCHW: Tensor, plan: Plan, group: Group) -> Tensor:
    """The group's images, those that lose their colour as luminance; may work in place."""
    if group.grey is None:
        grey_B111 = plan.grey_B[group.rows, None, None, None]
        return torch.where(grey_B111, luminance(image_BCHW), image_BCHW)
    if group.grey:
        last_BCHW = image_BCHW[-group.grey :]
        last_BCHW.copy_(luminance(last_BCHW))
    return image_BCHW
