"""InfoNCE and SupCon, forward and backward, for N = 256 to 16384 embeddings of 128 dimensions.

N = 2048 (1024 images, two views) is what the table compares; the other sizes show the growth. First of all, the
contenders must compute the same thing. Shapes: V views, B images, N = V·B, D embedding dimensions.
"""

import pytest
import torch
from loss_contenders import (
    CONTENDERS,
    Contender,
    dense_formula,
    forward_backward,
    image_numbers,
    make_inputs,
)

from clopbench.studies.peak_memory import peak_bytes

TABLE_ROWS = 2048
SIZES = (256, 512, 1024, TABLE_ROWS, 4096, 8192, 16384)
AGREEMENT = 1e-4

sized = [
    pytest.param(contender, rows, id=f"{contender}-{rows}")
    for rows in SIZES
    for contender in CONTENDERS
    if rows <= contender.most
]


@pytest.mark.parametrize("contender", CONTENDERS, ids=str)
def test_same_mathematics(contender: Contender, peer):
    """Value and gradient agree with the formula in double precision."""
    rows = min(TABLE_ROWS, contender.most)
    z_VBD, y_B = make_inputs(rows)
    exact_VBD = z_VBD.detach().double().requires_grad_()
    group_N = image_numbers(z_VBD) if contender.work == "InfoNCE" else y_B.repeat(2)
    expected, slope_VBD = forward_backward(lambda z, _: dense_formula(z, group_N), exact_VBD, y_B)
    loss = contender.build(contender.module and peer(contender.module))
    value, grad_VBD = forward_backward(loss, z_VBD, y_B)
    assert value.item() == pytest.approx(expected.item(), rel=AGREEMENT)
    assert torch.dist(grad_VBD.double(), slope_VBD) < AGREEMENT * slope_VBD.norm()


@pytest.mark.parametrize(("contender", "rows"), sized)
def test_time_and_memory(benchmark, rounds, peer, contender: Contender, rows):
    loss = contender.build(contender.module and peer(contender.module))
    z_VBD, y_B = make_inputs(rows)

    def work():
        forward_backward(loss, z_VBD, y_B)

    benchmark.extra_info.update(
        work=contender.work, contender=contender.name, size=rows, peak_bytes=peak_bytes(work)
    )
    # What takes seconds is there to show the growth only.
    fast = rows <= TABLE_ROWS <= contender.most
    benchmark.pedantic(work, rounds=rounds(40 if fast else 3), warmup_rounds=3 if fast else 1)
