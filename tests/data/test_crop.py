"""Boxes and shifts from draws that are written by hand, so that every rule decides at least one of them."""

import math

import pytest
import torch
from torchvision.transforms import v2 as tv

from clopbench.data import augment, crop

AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def area(share: float) -> float:
    """The draw that gives a box of this share of the image."""
    return (share - AREA[0]) / (AREA[1] - AREA[0])


def ratio(value: float) -> float:
    """The draw that gives a box of this width / height."""
    return math.log(value / RATIO[0]) / math.log(RATIO[1] / RATIO[0])


def box(
    candidates: list[tuple[float, float]], place: tuple[float, float], height: int, width: int
) -> list[int]:
    draws_2K1 = torch.tensor(candidates).T[:, :, None]
    return crop.random_boxes(draws_2K1, torch.tensor(place)[:, None], height, width)[0].tolist()


WHOLE = (area(1.0), ratio(1.0))
QUARTER = (area(0.25), ratio(1.0))
WIDE = (area(0.75), ratio(RATIO[1]))  # 24 × 32 in an image of 32 × 32.
TALL = (area(0.75), ratio(RATIO[0]))
TOO_WIDE = (area(1.0), ratio(RATIO[1]))  # 28 × 37.
TOO_TALL = (area(1.0), ratio(RATIO[0]))


@pytest.mark.parametrize(
    ("candidates", "place", "size", "expected"),
    [
        ([WHOLE, QUARTER], (0.5, 0.5), (32, 32), [0, 0, 32, 32]),  # As large as the image still fits.
        ([WIDE, QUARTER], (0.0, 0.0), (32, 32), [0, 0, 24, 32]),
        ([TALL, QUARTER], (0.0, 0.0), (32, 32), [0, 0, 32, 24]),
        ([TOO_WIDE, QUARTER, WHOLE], (0.0, 0.0), (32, 32), [0, 0, 16, 16]),  # The first that fits.
        ([TOO_TALL, QUARTER, WHOLE], (0.0, 0.0), (32, 32), [0, 0, 16, 16]),
        ([QUARTER, WHOLE], (0.25, 0.75), (32, 32), [4, 12, 16, 16]),  # The 5th and the 13th of 17 places.
        ([QUARTER], (0.9999, 0.9999), (32, 32), [16, 16, 16, 16]),
        ([QUARTER], (1.0, 1.0), (32, 32), [16, 16, 16, 16]),  # What rounding may make of the largest draw.
        ([QUARTER], (0.0, 0.9999), (16, 64), [0, 48, 16, 16]),
        ([QUARTER], (0.9999, 0.0), (64, 16), [48, 0, 16, 16]),
        ([WHOLE], (0.0, 0.9999), (16, 64), [0, 21, 16, 21]),  # None fits: centred, whatever the place.
        ([WHOLE], (0.9999, 0.0), (64, 16), [21, 0, 21, 16]),
        ([(0.0, ratio(4 / 3)), WHOLE], (0.0, 0.0), (2, 2), [0, 0, 2, 2]),  # One of height 0 does not fit.
        ([(0.0, ratio(3 / 4)), WHOLE], (0.0, 0.0), (2, 2), [0, 0, 2, 2]),
    ],
)
def test_boxes_by_hand(candidates, place, size, expected):
    assert box(candidates, place, *size) == expected


@pytest.mark.parametrize("size", [(32, 32), (16, 64), (64, 16), (24, 40), (7, 5), (1, 9), (30, 40), (40, 30)])
def test_where_nothing_fits_the_box_is_torchvisions(size):
    """Twice the image's area never fits: torchvision's fallback, which depends on no draw."""
    transform = tv.RandomResizedCrop(size, scale=(2.0, 2.0))
    params = transform.make_params([torch.zeros(3, *size)])
    draws = torch.rand(2, 10, 5), torch.rand(2, 5)
    boxes = crop.random_boxes(*draws, *size, scale=(2.0, 2.0))
    assert boxes.tolist() == [[params[name] for name in ("top", "left", "height", "width")]] * 5


def test_ten_candidates_are_drawn_for_each_image_and_one_place():
    draws, places = crop.draw_boxes(6, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert (draws.shape, places.shape) == ((2, 10, 6), (2, 6))
    again = torch.rand(2, 10, 6, generator=torch.Generator().manual_seed(0))
    assert draws.equal(again)


@pytest.mark.parametrize(("height", "width"), [(24, 40), (32, 32)])
def test_shifts_reach_as_far_as_each_side_allows(height, width):
    """An eighth of 24 rows is 3, of 40 columns 5; every whole number in between has the same share of draws."""
    steps = torch.linspace(0, 1, 1001)[:, None].expand(-1, 2)
    shifts = crop.random_shifts(steps, height, width, 1 / 8)
    for axis, side in enumerate((height, width)):
        reach = side // 8
        found, often = shifts[:-1, axis].unique(return_counts=True)
        assert found.tolist() == list(range(-reach, reach + 1))
        assert often.max() - often.min() <= 1
        assert shifts[-1, axis] == reach  # What rounding may make of the largest draw.


def test_a_weak_view_of_an_oblong_image_is_a_shift_of_it():
    """Down and right in the image's own axes: every view is found among torchvision's padded crops."""
    image = torch.arange(8 * 16, dtype=torch.uint8).reshape(1, 1, 8, 16)
    views = augment.crop_flip(image.expand(64, -1, -1, -1), torch.Generator().manual_seed(3)) * 255
    padded = tv.functional.pad(image[0], [2, 1])
    crops = [tv.functional.crop(padded, top, left, 8, 16) for top in range(3) for left in range(5)]
    known = {bytes(one.flatten().tolist()) for made in crops for one in (made, made.flip(-1))}
    found = {bytes(view.round().to(torch.uint8).flatten().tolist()) for view in views}
    assert found <= known
    assert len(found) > 20
