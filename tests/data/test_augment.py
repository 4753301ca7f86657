"""Augmentation against torchvision's: the same distributions, and the same results for given factors."""

import ast
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from checkout import ROOT
from PIL import Image
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2 as tv

from clopbench.data import augment, colour, crop, policies
from clopbench.errors import UserError

SHEETS = ROOT.parent / "shared" / "data" / "cifar100" / "test"
NAMES = [name for name in augment.RECIPES if name not in ("digits", "none")]
# Seeds are fixed, so a test passes always or never; a wrong range gives p values far below this.
LEAST_P = 0.001


def likely(result: Any) -> bool:
    """Whether a test of scipy's finds nothing against the two being alike."""
    return result.pvalue > LEAST_P


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def boxes_of(count: int, generator: torch.Generator, height: int, width: int) -> Tensor:
    return crop.random_boxes(*crop.draw_boxes(count, generator, torch.device("cpu")), height, width)


def plan_of(count: int, generator: torch.Generator, *strength: Any, **chances: float) -> colour.Plan:
    return colour.plan(torch.rand(colour.DRAWS, count, generator=generator), *strength, **chances)


@cache
def pictures(count: int, height: int = 32, width: int = 32) -> Tensor:
    """CIFAR-100 test images where they are at hand and the size is theirs, else smooth coloured noise."""
    sheets = sorted(SHEETS.glob("*.webp"))
    if sheets and (height, width) == (32, 32):
        parts = []
        for sheet in sheets[: -(-count // 100)]:
            pixels = np.asarray(Image.open(sheet).convert("RGB"))
            parts.append(pixels.reshape(-1, 32, 20, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3))
        return torch.from_numpy(np.concatenate(parts)[:count].transpose(0, 3, 1, 2).copy())
    coarse = torch.rand(count, 3, 5, 5, generator=seeded())
    smooth = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return smooth.mul(255).round().to(torch.uint8)


def floats(count: int, height: int = 32, width: int = 32) -> Tensor:
    return pictures(count, height, width).float() / 255


def drawn(theirs: Callable[[], object], seed: int, count: int) -> list:
    """What torchvision draws from the global generator, which is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [theirs() for _ in range(count)]


# --- crops


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40), (16, 64)])
def test_boxes_are_distributed_as_in_random_resized_crop(height, width):
    image = torch.zeros(3, height, width)
    transform = tv.RandomResizedCrop((height, width))
    names = ("top", "left", "height", "width")
    params = drawn(lambda: transform.make_params([image]), 1, 4000)
    theirs = np.array([[param[name] for name in names] for param in params], dtype=float)
    ours = boxes_of(4000, seeded(2), height, width).double().numpy()
    assert (ours[:, 0] + ours[:, 2] <= height).all() and (ours[:, 1] + ours[:, 3] <= width).all()
    statistics = {
        "area": lambda box: box[:, 2] * box[:, 3],
        "log ratio": lambda box: np.log(box[:, 3] / box[:, 2]),
        "top": lambda box: box[:, 0] / np.maximum(height - box[:, 2], 1),
        "left": lambda box: box[:, 1] / np.maximum(width - box[:, 3], 1),
    }
    for name, statistic in statistics.items():
        assert likely(stats.ks_2samp(statistic(ours), statistic(theirs))), name
    # At 1:4 most candidates do not fit: the centred box is as frequent as there.
    centred = [np.mean((box[:, 2] == height) & (box[:, 0] == 0)) for box in (ours, theirs)]
    assert abs(centred[0] - centred[1]) < 0.04


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40)])
def test_resized_crop_is_torchvisions_antialiased_one(height, width):
    images = floats(200, height, width)
    boxes = boxes_of(200, seeded(3), height, width)
    edges = [
        [0, 0, height, width],
        [0, 0, 1, 1],
        [height - 1, width - 1, 1, 1],
        [3, 2, 1, 9],
        [0, width - 2, 5, 2],
    ]
    boxes[: len(edges)] = torch.tensor(edges)
    flip = torch.arange(200) % 3 == 0
    ours = crop.resized_crop(images, boxes, flip)
    for image, view, box, flipped in zip(images, ours, boxes.tolist(), flip.tolist(), strict=True):
        expected = tv.functional.resized_crop(image, *box, size=[height, width], antialias=True)
        torch.testing.assert_close(
            view, expected.flip(-1) if flipped else expected, atol=1e-5, rtol=0, msg=f"box {box}"
        )


def test_padded_crop_is_torchvisions_exactly():
    images = floats(81)
    shifts = torch.cartesian_prod(torch.arange(-4, 5), torch.arange(-4, 5))
    flip = torch.arange(81) % 2 == 0
    ours = crop.padded_crop(images, shifts, flip)
    for image, view, (down, right), flipped in zip(images, ours, shifts.tolist(), flip.tolist(), strict=True):
        expected = tv.functional.crop(tv.functional.pad(image, [4]), 4 - down, 4 - right, 32, 32)
        assert view.equal(expected.flip(-1) if flipped else expected)


def test_crop_flip_draws_every_shift_and_flip_equally_often():
    dot = torch.zeros(16200, 1, 32, 32, dtype=torch.uint8)
    dot[:, 0, 10, 10] = 255
    views = augment.crop_flip(dot, seeded(4))
    assert (views.sum((1, 2, 3)) == 1).all()
    places = Counter(views.flatten(1).argmax(1).tolist())
    columns = [*range(6, 15), *range(31 - 14, 31 - 5)]
    counts = [places[row * 32 + column] for row in range(6, 15) for column in columns]
    assert sum(counts) == 16200
    assert likely(stats.chisquare(counts))


def test_shift_draws_every_shift_equally_often_and_does_not_flip():
    dot = torch.zeros(8100, 1, 32, 32, dtype=torch.uint8)
    dot[:, 0, 10, 10] = 255
    places = Counter(augment.shift(dot, seeded(6)).flatten(1).argmax(1).tolist())
    counts = [places[row * 32 + column] for row in range(6, 15) for column in range(6, 15)]
    assert sum(counts) == 8100
    assert likely(stats.chisquare(counts))


def test_weak_and_strong_views_are_relative_to_the_benchmarks_recipe():
    named = augment.view_recipes
    assert named(None, "digits") == [augment.digits] * 2
    assert named(("weak", "strong"), "digits") == [augment.shift, augment.digits]
    assert named(("weak", "strong", "none"), "simclr") == [augment.crop_flip, augment.simclr, augment.none]
    with pytest.raises(UserError, match="unknown augmentation 'week'"):
        named(("week", "strong"), "simclr")


def test_simclr_flips_every_second_view():
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8).expand(4000, 3, 32, 32)
    views = augment.simclr(ramp, seeded(5))
    falling = (views[..., :16].mean((1, 2, 3)) > views[..., 16:].mean((1, 2, 3))).sum().item()
    assert likely(stats.binomtest(falling, 4000))


# --- colour, image by image with given factors

MIXES: dict[str, Callable[[Tensor], list[Tensor]]] = {
    "adjust_brightness": lambda f: [f, 0 * f, 0 * f],
    "adjust_contrast": lambda f: [f, 0 * f, 1 - f],
    "adjust_saturation": lambda f: [f, 1 - f, 0 * f],
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", MIXES)
def test_blends_are_torchvisions(name, channels):
    images = floats(100)[:, :channels]
    factors = torch.linspace(0, 2, 100)
    ours = colour.blend(images.clone(), torch.stack(MIXES[name](factors), 1))
    for image, view, factor in zip(images, ours, factors.tolist(), strict=True):
        expected = getattr(tv.functional, name)(image, factor)
        torch.testing.assert_close(view, expected, atol=1e-5, rtol=0)


def test_hue_is_torchvisions():
    images = floats(100)
    primaries = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3)  # all ties and greys
    images[0].flatten(1)[:, :27] = primaries.T
    images = images[:1].repeat(100, 1, 1, 1).where(torch.arange(100)[:, None, None, None] % 2 == 0, images)
    shifts = torch.linspace(-0.5, 0.5, 100)
    ours = colour.shift_hue(images, shifts)
    for image, view, shift in zip(images, ours, shifts.tolist(), strict=True):
        torch.testing.assert_close(view, tv.functional.adjust_hue(image, shift), atol=1e-4, rtol=0)
    assert colour.shift_hue(images[:, :1], shifts).equal(images[:, :1])


def test_grey_is_torchvisions():
    images = floats(20)
    expected = tv.functional.rgb_to_grayscale(images, num_output_channels=3)
    plan = colour.plan(torch.rand(colour.DRAWS, 20))._replace(grey_B=torch.arange(20) >= 13)
    for grey in (7, None):  # As on a CPU, and as on a GPU.
        group = colour.Group(slice(0, 20), range(0), False, range(0), grey)
        ours = colour.greyed(images.clone(), plan, group)
        torch.testing.assert_close(ours[13:], expected[13:], atol=1e-6, rtol=0)
        assert ours[:13].equal(images[:13])
    none = colour.Group(slice(0, 20), range(0), False, range(0), 0)
    assert colour.greyed(images.clone(), plan, none).equal(images)


@pytest.mark.parametrize(("side", "kernel"), [(32, 3), (64, 7), (224, 23)])
def test_blur_is_torchvisions(side, kernel):
    images = floats(4, side, side)
    sigma = torch.tensor([0.1, 0.7, 2.0, 1e-3])
    assert colour.blur_width(images) == kernel
    ours = colour.blur(images, sigma, kernel)
    for image, view, width in zip(images[:3], ours, sigma.tolist(), strict=False):
        expected = tv.functional.gaussian_blur(image, [kernel, kernel], [width, width])
        torch.testing.assert_close(view, expected, atol=1e-5, rtol=0)
    assert ours[3].equal(images[3])


def test_half_of_the_blurs_have_sigma_between_a_tenth_and_two():
    sigma = colour.sigmas(torch.rand(2, 4000, generator=seeded(6))).numpy()
    blurred = sigma[sigma > 0.01]
    assert likely(stats.binomtest(len(blurred), 4000))
    assert likely(stats.kstest(blurred, stats.uniform(0.1, 1.9).cdf))


def steps_of(plan: colour.Plan, image: int) -> list[tuple[str, float]]:
    """An image's operations in their order, read from the coefficients."""
    place = int(plan.place_B[image])
    if place < 0:
        return []
    steps = []
    for keep, grey, mean in plan.mix_BS3[image].tolist():
        name = "adjust_saturation" if grey else "adjust_contrast" if mean else "adjust_brightness"
        steps.append((name, keep))
    return [*steps[:place], ("adjust_hue", plan.shift_B[image].item()), *steps[place:]]


def test_jitter_does_each_images_operations_in_its_order():
    images = floats(600)
    plan = plan_of(600, seeded(7))
    order, groups = colour.groups(plan)
    assert [row for group in groups for row in range(600)[group.rows]] == list(range(600))
    sorted_plan = colour.Plan(*(part[order] for part in plan))
    for group in groups:
        grey, last = sorted_plan.grey_B[group.rows].tolist(), group.grey or 0
        assert grey == [False] * (len(grey) - last) + [True] * last
    assert sum(group.grey or 0 for group in groups) == plan.grey_B.sum() > 0
    parts = [colour.jitter(images[order][group.rows].clone(), sorted_plan, group) for group in groups]
    ours = torch.cat(parts)[order.argsort()]
    for number in range(0, 600, 3):
        expected = images[number]
        for name, factor in steps_of(plan, number):
            expected = getattr(tv.functional, name)(expected, factor)
        torch.testing.assert_close(ours[number], expected, atol=1e-4, rtol=0)
    # All blends on the whole batch, as on a GPU, come to the same.
    every = colour.Group(slice(0, 600), range(3), True, range(3), None)
    torch.testing.assert_close(colour.jitter(images.clone(), plan, every), ours, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("channels", "size"), [(3, 300), (1, 7), (3, 1)])
@pytest.mark.parametrize("name", ["simclr", "simclr_blur"])
def test_views_made_together_are_those_made_one_after_the_other(name, channels, size):
    images, recipe = pictures(size)[:, :channels], augment.recipe(name)
    generator = seeded(4)
    apart = [recipe(images, generator) for _ in range(3)]
    after = torch.rand(1, generator=generator)
    generator = seeded(4)
    assert augment.views(images, [recipe] * 3, generator).equal(torch.stack(apart))
    assert torch.rand(1, generator=generator).equal(after)
    generator = seeded(4)
    both = augment.views(images, [recipe, augment.none], generator)
    assert both[0].equal(apart[0]) and both[1].equal(images / 255)


def test_plan_draws_factors_orders_and_choices_as_color_jitter_does():
    size = 12000
    plan = plan_of(size, seeded(8))
    steps = [steps_of(plan, image) for image in range(size)]
    active = [step for step in steps if step]
    assert likely(stats.binomtest(len(active), size, 0.8))
    assert likely(stats.binomtest(int(plan.grey_B.sum()), size, 0.2))
    orders = Counter(tuple(name for name, _ in step) for step in active)
    assert len(orders) == 24
    assert likely(stats.chisquare(list(orders.values())))
    factors = {name: [dict(step)[name] for step in active] for name in (*MIXES, "adjust_hue")}
    for name in MIXES:
        assert likely(stats.kstest(factors[name], stats.uniform(0.6, 0.8).cdf)), name
    assert likely(stats.kstest(factors["adjust_hue"], stats.uniform(-0.1, 0.2).cdf))
    table = np.corrcoef(np.array([*factors.values(), plan.grey_B[plan.place_B >= 0].tolist()]))
    assert np.abs(table - np.eye(5)).max() < 4 / len(active) ** 0.5
    strong = plan_of(4000, seeded(9), (1.5, 0.0, 0.0, 0.0), jitter=1.0)
    assert strong.mix_BS3[..., 1:].count_nonzero() == 0  # brightness alone
    keep = strong.mix_BS3[..., 0][(strong.mix_BS3[..., 0] != 1)].numpy()
    assert likely(stats.kstest(keep, stats.uniform(0, 2.5).cdf))


# --- whole recipes


def two_sample(ours: Tensor, theirs: Tensor) -> None:
    """Views of the same images: channel means and variances (paired), one pixel of each view, colourfulness."""
    for name, statistic in {"mean": torch.mean, "variance": torch.var}.items():
        difference = (statistic(ours, (2, 3)) - statistic(theirs, (2, 3))).double()
        z = difference.mean(0) / difference.std(0) * len(ours) ** 0.5
        assert z.abs().max() < 3.9, (name, z)
    for row, column in ((0, 0), (16, 11), (31, 20)):
        for channel in range(3):
            first, second = (view[:, channel, row, column].numpy() for view in (ours, theirs))
            assert likely(stats.ks_2samp(first, second)), (row, column, channel)
    first, second = ((view.amax(1) - view.amin(1)).mean((1, 2)).numpy() for view in (ours, theirs))
    assert likely(stats.ks_2samp(first, second))


@pytest.mark.parametrize(("name", "count"), [("simclr", 2000), ("simclr_blur", 1000)])
def test_simclr_has_the_distribution_of_torchvisions_pipeline(name, count):
    blur = tv.RandomApply([tv.GaussianBlur(3, (0.1, 2.0))], p=0.5)
    transform = tv.Compose(
        [
            tv.RandomResizedCrop(32),
            tv.RandomHorizontalFlip(),
            tv.RandomApply([tv.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            tv.RandomGrayscale(0.2),
            *([blur] if name == "simclr_blur" else []),
        ]
    )
    images = iter(floats(count))
    theirs = torch.stack(drawn(lambda: transform(next(images)), 10, count))
    two_sample(augment.recipe(name)(pictures(count), seeded(11)), theirs)


@pytest.mark.parametrize("name", NAMES)
def test_recipe_is_determined_by_its_generator_and_gives_each_image_its_own_view(name):
    recipe, images = augment.recipe(name), pictures(40)
    before, state = images.clone(), torch.get_rng_state()
    view = recipe(images, seeded(12))
    assert view.equal(recipe(images, seeded(12)))
    assert not view.equal(recipe(images, seeded(13)))
    assert images.equal(before) and torch.get_rng_state().equal(state)
    assert view.dtype == torch.float32 and view.shape == images.shape and view.is_contiguous()
    assert view.min() >= 0 and view.max() <= 1
    generator = seeded(14)
    assert not recipe(images, generator).equal(recipe(images, generator))
    same = recipe(images[:1].expand(40, -1, -1, -1), seeded(15))
    assert len(same.flatten(1).unique(dim=0)) == 40 or name in ("crop_flip", "shift")
    assert len(same.flatten(1).unique(dim=0)) > (20 if name == "shift" else 30)
    assert recipe(images[:1], seeded(16)).shape == (1, 3, 32, 32)
    grey = recipe(images[:, :1], seeded(17))
    assert grey.shape == (40, 1, 32, 32) and grey.max() <= 1


@pytest.mark.parametrize("name", ["simclr", "simclr_blur", "crop_flip", "randaugment"])
def test_views_come_in_the_order_of_their_images(name):
    """Black stays black in these recipes, and a middle grey stays clear of it: each view shows whose it is."""
    lit = torch.rand(300, generator=seeded(25)) < 0.5
    images = (lit * 100).to(torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32)
    views = augment.recipe(name)(images, seeded(26))
    assert (views.amax((1, 2, 3)) > 0).equal(lit)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_makes_the_same_views_from_the_same_draws(name):
    recipe, images = augment.recipe(name), pictures(200)
    expected, view = recipe(images, seeded(18)), recipe(images.cuda(), seeded(18)).cpu()
    off = (view - expected).abs().flatten(1).amax(1) > 1e-4
    # Bytes may round the other way before a policy, which may turn one image of many into quite another.
    assert off.float().mean() <= (0 if name in ("simclr", "simclr_blur", "crop_flip") else 0.1)


# --- policies


def same_frequencies(ours: list[bytes], theirs: list[bytes]) -> None:
    """Distinct results occur equally often in both; those that are rare are counted together."""
    counts = [Counter(ours), Counter(theirs)]
    common = [key for key in counts[0] | counts[1] if counts[0][key] + counts[1][key] >= 10]
    table = np.array([[count[key] for key in common] for count in counts])
    rest = np.array([[len(ours)], [len(theirs)]]) - table.sum(1, keepdims=True)
    table = np.hstack([table, rest]) if rest.sum() else table
    assert likely(stats.chi2_contingency(table))
    assert len(common) > 3


def as_bytes(images: list[Tensor] | Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


@pytest.mark.parametrize(("operations", "magnitude"), [(1, 9), (1, 0), (1, 18), (1, 30), (2, 9)])
def test_randaugment_gives_torchvisions_results_equally_often(operations, magnitude):
    image = pictures(1, 24, 40)[0]
    transform = tv.RandAugment(operations, magnitude)
    theirs = drawn(lambda: transform(image), 19, 1500)
    ours = policies.randaugment(image.expand(1500, -1, -1, -1), seeded(20), operations, magnitude)
    same_frequencies(as_bytes(ours), as_bytes(theirs))
    if operations == 1:
        assert set(as_bytes(ours)) == set(as_bytes(theirs))


@pytest.mark.parametrize("policy", list(tv.AutoAugmentPolicy))
def test_autoaugment_gives_torchvisions_results_equally_often(policy):
    image = pictures(1)[0]
    transform = tv.AutoAugment(policy)
    theirs = drawn(lambda: transform(image), 21, 2500)
    ours = policies.autoaugment(image.expand(2500, -1, -1, -1), seeded(22), policy.value)
    same_frequencies(as_bytes(ours), as_bytes(theirs))


PLAIN: dict[tuple[str, float], Callable[[Tensor], Tensor]] = {
    ("Brightness", -0.9): lambda image: tv.functional.adjust_brightness(image, 0.1),
    ("Color", 0.5): lambda image: tv.functional.adjust_saturation(image, 1.5),
    ("Contrast", 0.5): lambda image: tv.functional.adjust_contrast(image, 1.5),
    ("Sharpness", 0.5): lambda image: tv.functional.adjust_sharpness(image, 1.5),
    ("Posterize", 4.0): lambda image: tv.functional.posterize(image, 4),
    ("Solarize", 0.2): lambda image: tv.functional.solarize(image, 51.0),
    ("AutoContrast", 0.0): tv.functional.autocontrast,
    ("Equalize", 0.0): tv.functional.equalize,
    ("Invert", 0.0): tv.functional.invert,
    ("Rotate", -30.0): lambda image: tv.functional.rotate(image, -30.0),
    ("TranslateX", 5.9): lambda image: tv.functional.pad(image, [5, 0, 0, 0])[..., :40],
    ("TranslateY", -5.9): lambda image: tv.functional.pad(image, [0, 0, 0, 5])[..., 5:, :],
}


@pytest.mark.parametrize("action", PLAIN, ids=str)
def test_an_operation_on_a_batch_is_torchvisions_on_each_image(action):
    images = pictures(20, 24, 40)
    ours = policies.apply(images, *action)
    assert all(view.equal(PLAIN[action](image)) for image, view in zip(images, ours, strict=True))


def test_shears_move_each_row_or_column_by_its_distance_from_the_corner():
    """PIL's affine map, x + slope · y, is what AutoAugment's authors used; single samples may round apart."""
    image = pictures(1, 64, 64)[0]
    for operation, matrix in {"ShearX": (1, 0.3, 0, 0, 1, 0), "ShearY": (1, 0, 0, 0.3, 1, 0)}.items():
        ours = policies.apply(image[None], operation, 0.3)[0]
        pil = tv.functional.to_pil_image(image).transform((64, 64), Image.Transform.AFFINE, matrix)
        theirs = tv.functional.pil_to_tensor(pil)
        assert (ours == theirs).float().mean() > 0.9, operation


def test_policy_recipes_crop_and_flip_first():
    """With a policy that does nothing, what is left is torchvision's crop and flip, in bytes."""
    transform = tv.Compose([tv.RandomResizedCrop(32), tv.RandomHorizontalFlip()])
    images = iter(floats(2000))
    theirs = torch.stack(drawn(lambda: transform(next(images)), 23, 2000))
    ours = augment.with_policy("nothing", lambda image, _: image)(pictures(2000), seeded(24))
    assert torch.allclose(ours * 255, (ours * 255).round(), atol=1e-4)
    two_sample(ours, theirs)


# --- errors and imports


def test_wrong_input_says_what_is_wrong():
    images = pictures(2)
    with pytest.raises(UserError, match="randaugment: magnitude must be 0 to 30, and it is 31"):
        policies.randaugment(images, seeded(), magnitude=31)
    with pytest.raises(UserError, match="randaugment: operations must be at least 0, and it is -1"):
        policies.randaugment(images, seeded(), operations=-1)
    for name in ("simclr", "simclr_blur", "randaugment"):
        with pytest.raises(
            UserError, match=f"augmentation '{name}': images must have 1 or 3 channels, .* have 2"
        ):
            augment.recipe(name)(images[:, :2], seeded())


def test_torchvision_is_imported_only_inside_functions():
    """Its import takes seconds, and cells without a policy have no need of it here."""
    for module in (augment, colour, crop, policies):
        for statement in ast.parse(Path(str(module.__file__)).read_text()).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                assert "torchvision" not in ast.unparse(statement)
