"""SimCLR's views (Chen et al. 2020, appendix A): crop, flip, colour jitter, grey and, where wanted, blur.

Shapes: V views, B images, N = V · B, C channels (1 or 3), H × W pixels.
"""

import torch
from torch import Tensor

from clopbench.data import colour, crop


def views(image_BCHW: Tensor, generator: torch.Generator, count: int, blurred: bool) -> Tensor:
    """`count` views of each uint8 image, float32 in [0, 1], [V, B, C, H, W].

    They are made together, because hundreds of operations on few numbers cost more than the numbers. What is
    drawn, and so each view, is the same as if they were made one after the other.
    """
    size, channels, height, width = image_BCHW.shape
    view_NCHW = torch.empty((count * size, channels, height, width), device=image_BCHW.device)
    # Half of the cost of a small operation is what autograd would need to know of it.
    with torch.inference_mode():
        drawn = [_draw(size, generator, image_BCHW.device, blurred) for _ in range(count)]
        shapes, places, flips, colours, *blurs = (torch.cat(draws, -1) for draws in zip(*drawn, strict=True))
        box_N4 = crop.random_boxes(shapes, places, height, width)
        y_NH, x_NW = crop.box_positions(box_N4, flips[0] < 0.5, height, width)
        plan = colour.plan(colours)
        order_N, groups = colour.groups(plan)
        plan = colour.Plan(*(part.index_select(0, order_N) for part in plan))
        sigma_N = colour.sigmas(blurs[0])[order_N] if blurred else None
        index_N, y_NH, x_NW = order_N % size, y_NH.index_select(0, order_N), x_NW.index_select(0, order_N)
        float_BCHW = colour.to_float(image_BCHW)
        made_NCHW = torch.empty_like(view_NCHW)
        for group in groups:
            rows = group.rows
            part_GCHW = crop.sample(float_BCHW.index_select(0, index_N[rows]), y_NH[rows], x_NW[rows])
            part_GCHW = colour.greyed(colour.jitter(part_GCHW, plan, group), plan, group)
            if sigma_N is not None:
                part_GCHW = colour.blur(part_GCHW, sigma_N[rows], colour.blur_width(image_BCHW))
            torch.clamp(part_GCHW, 0, 1, out=made_NCHW[rows])  # Rounding may have left it by 1e-7.
        torch.index_select(made_NCHW, 0, order_N.argsort(), out=view_NCHW)
    return view_NCHW.view(count, *image_BCHW.shape)


def _draw(size: int, generator: torch.Generator, device: torch.device, blurred: bool) -> list[Tensor]:
    """Numbers in [0, 1), images along the last dimension: for the crop, the flip, the colours, the blur."""
    draws = [
        *crop.draw_boxes(size, generator, device),
        crop.uniform(generator, device, 1, size),
        crop.uniform(generator, device, colour.DRAWS, size),
    ]
    if blurred:
        draws.append(crop.uniform(generator, device, 2, size))
    return draws
