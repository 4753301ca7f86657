"""Colour jitter, grey and blur of a whole batch of float images in [0, 1], each with its own parameters.

Shapes: B images, C channels (1 or 3), H × W pixels, S = 3 blends.

Brightness, contrast and saturation are one operation with different coefficients (`blend`). Results are those
of torchvision.transforms.v2.functional. ColorJitter draws an order of its four operations for each image: here
hue has a place among three blends. On a CPU the images are grouped by that place. On a GPU all images take
three blends before hue and three after it, of which those on the wrong side change nothing: that is right for
every image without a look at the plan's values.
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
    if image_BCHW.device.type == "cpu":  # Faster; on a GPU a product may be rounded (TF32).
        weight_B1C = _weights(image_BCHW.dtype).expand(len(image_BCHW), 1, -1)
        return torch.bmm(weight_B1C, image_BCHW.flatten(2)).unflatten(2, image_BCHW.shape[2:])
    red, green, blue = image_BCHW.split(1, 1)
    return red.mul(LUMINANCE[0]).add_(green, alpha=LUMINANCE[1]).add_(blue, alpha=LUMINANCE[2])


@lru_cache
def _weights(dtype: torch.dtype) -> Tensor:
    return torch.tensor(LUMINANCE, dtype=dtype)


def blend(image_BCHW: Tensor, mix_B3: Tensor) -> Tensor:
    """The images times `mix_B3[:, 0]`, plus luminance times [:, 1], plus mean luminance times [:, 2], clamped.

    With a factor f, brightness is (f, 0, 0), saturation (f, 1 − f, 0), contrast (f, 0, 1 − f). Works in place.
    """
    keep_B, grey_B, mean_B = mix_B3[:, :, None, None, None].unbind(1)
    light_B1HW = luminance(image_BCHW)
    average_B = light_B1HW.sum((1, 2, 3), keepdim=True).div_(light_B1HW[0].numel())
    base_B1HW = (light_B1HW * grey_B).add_(average_B.mul_(mean_B))
    return torch.addcmul(base_B1HW, image_BCHW, keep_B, out=image_BCHW).clamp_(0, 1)


def shift_hue(image_BCHW: Tensor, shift_B: Tensor) -> Tensor:
    """Hue turned by `shift_B` (in turns, −0.5 to 0.5), value and saturation kept; one channel stays as it is.

    Hue in sixths of a turn, from −3 to 3 with red at 0: its sign is that of green − blue, its size is
    1 + (green + blue − red − smallest) / (largest − smallest), in each of the six sectors. Back again, a
    channel is the smallest within one sixth of its opposite hue, the largest beyond two sixths, linear between:
    smallest + range · (d − 1), d held to 1 … 2. The opposite of green is at −1 and that of blue at 1;
    a way round the circle that is longer than 3 is beyond 2 either way. Red, at 0, takes the distance from
    itself, and the same turned upside down. So there are no cases to tell apart.
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
    hue.sub_((hue * (1 / 6)).round_(), alpha=6)
    distance_BCHW = (hue + _opposites(hue.device)).abs_().clamp_(1, 2)
    red, others = distance_BCHW[:, :1], distance_BCHW[:, 1:]
    torch.addcmul(low.add(range_, alpha=2), range_, red, value=-1, out=red)
    torch.addcmul(low.sub_(range_), range_, others, out=others)
    return distance_BCHW


@lru_cache
def _opposites(device: torch.device) -> Tensor:
    """Turns hue into the signed distance from red, and from the opposites of green and of blue [C, 1, 1]."""
    return torch.tensor((0.0, 1.0, -1.0), device=device)[:, None, None]


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

    `mix_BS3`: coefficients of its blends, in their order. `shift_B`: turn of hue. `place_B`: how many blends
    come before hue, −1 for no jitter. `grey_B`: whether the image ends up grey.
    """

    mix_BS3: Tensor
    shift_B: Tensor
    place_B: Tensor
    grey_B: Tensor


class Group(NamedTuple):
    """Consecutive images that need the same steps: blends before hue, whether hue turns, blends after it.

    The last `grey` of them end up grey. None: the plan says which do, and which blends come before hue.
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
    low_31, span_31 = _factors(strength[:3], draw_DB.device)
    kind_B3 = draw_DB[7:].T.argsort(1)
    keep_B3 = (low_31 + span_31 * draw_DB[4:7]).T.gather(1, kind_B3).where(active_B[:, None], 1)
    rest_B3 = 1 - keep_B3
    mix_BS3 = torch.stack([keep_B3, rest_B3 * (kind_B3 == SATURATION), rest_B3 * (kind_B3 == CONTRAST)], 2)
    return Plan(mix_BS3, shift_B, place_B.where(active_B, -1), grey_B)


@lru_cache
def _factors(strength: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """The smallest factor for each strength, and how far the largest lies above it [3, 1]."""
    low = [max(0.0, 1 - spread) for spread in strength]
    span = [1 + spread - least for spread, least in zip(strength, low, strict=True)]
    return torch.tensor(low, device=device)[:, None], torch.tensor(span, device=device)[:, None]


def groups(plan: Plan) -> tuple[Tensor, list[Group]]:
    """An order of the images [B] that brings those with the same steps together, and the groups in that order.

    On a GPU the order is left alone and all images take all steps: nothing has to come back to the host.
    """
    size = len(plan.place_B)
    if plan.place_B.device.type != "cpu":
        every = Group(slice(0, size), range(BLENDS), True, range(BLENDS), None)
        return torch.arange(size, device=plan.place_B.device), [every]
    kind_B = 2 * (plan.place_B + 1) + plan.grey_B
    counts = kind_B.bincount(minlength=2 * (BLENDS + 2)).tolist()
    found, start = [], 0
    for place, (coloured, grey) in enumerate(zip(counts[::2], counts[1::2], strict=True), -1):
        turns, end = place >= 0, start + coloured + grey
        before, after = range(max(place, 0)), range(place if turns else BLENDS, BLENDS)
        for first in range(start, end, PIECE):
            last = min(first + PIECE, end)
            found.append(
                Group(slice(first, last), before, turns, after, max(0, last - max(first, start + coloured)))
            )
        start = end
    return kind_B.argsort(stable=True), found


def jitter(image_BCHW: Tensor, plan: Plan, group: Group) -> Tensor:
    """The group's images after its jitter; works in place where it can. The plan is in the groups' order."""
    for slot in group.before:
        image_BCHW = blend(image_BCHW, _mix(plan, group, slot, before=True))
    if group.hue:
        image_BCHW = shift_hue(image_BCHW, plan.shift_B[group.rows])
    for slot in group.after:
        image_BCHW = blend(image_BCHW, _mix(plan, group, slot, before=False))
    return image_BCHW


def _mix(plan: Plan, group: Group, slot: int, before: bool) -> Tensor:
    """Coefficients of the group's blend in that slot [B, 3]: (1, 0, 0) where it is on the other side of hue."""
    mix_B3 = plan.mix_BS3[group.rows, slot]
    if group.grey is not None:
        return mix_B3
    here_B1 = (plan.place_B[group.rows, None] > slot) == before
    return torch.where(here_B1, mix_B3, _unchanged(mix_B3.device))


@lru_cache
def _unchanged(device: torch.device) -> Tensor:
    return torch.tensor((1.0, 0.0, 0.0), device=device)


def greyed(image_BCHW: Tensor, plan: Plan, group: Group) -> Tensor:
    """The group's images, those that lose their colour as luminance; may work in place."""
    if group.grey is None:
        grey_B111 = plan.grey_B[group.rows, None, None, None]
        return torch.where(grey_B111, luminance(image_BCHW), image_BCHW)
    if group.grey:
        last_BCHW = image_BCHW[-group.grey :]
        last_BCHW.copy_(luminance(last_BCHW))
    return image_BCHW
