"""SimCLR's views of images of CIFAR's size: one pass over 5120 images, two views each, in shuffled batches.

Every contender crops 8–100 % of the area, flips, jitters colours by 0.4, 0.4, 0.4, 0.1 with probability 0.8
and greys with 0.2, each view with its own parameters, and ends with float32 in [0, 1].
Shapes: B images, C channels, H × W pixels.
"""

import engine
import pytest
import torch
from pil_images import loader

from clopbench.data import augment

BATCHES = (256, 512)
JITTER = (0.4, 0.4, 0.4, 0.1)


def describe(benchmark, contender, batch_size, images):
    benchmark.extra_info.update(work="views", contender=contender, size=batch_size, units=2 * len(images))


def batches(images, batch_size):
    for index_B in torch.randperm(len(images)).split(batch_size):
        # Brackets took 15 times as long, which would count against us and against kornia.
        yield images.index_select(0, index_B)


@pytest.mark.parametrize("batch_size", BATCHES)
def test_clopbench(benchmark, rounds, images, threads, batch_size):
    generator = torch.Generator()
    generator.manual_seed(0)
    view = augment.recipe("simclr")

    def one_pass():
        for image_BCHW in batches(images, batch_size):
            augment.views(image_BCHW, [view, view], generator)

    describe(benchmark, "clop-bench", batch_size, images)
    with engine.as_in_a_cell(threads):
        benchmark.pedantic(one_pass, rounds=rounds(90), warmup_rounds=5)


@pytest.mark.parametrize("batch_size", BATCHES)
def test_kornia(benchmark, rounds, images, batch_size, peer):
    kornia = peer("kornia.augmentation")
    # Of kornia's two ways to crop, "resample" was the faster one: the default cuts image by image.
    # Both views at once, as ours are: one after the other took it as long, within the noise.
    # A plain sequence does the same as AugmentationSequential with less around it.
    augment = torch.nn.Sequential(
        kornia.RandomResizedCrop((32, 32), (0.08, 1.0), same_on_batch=False, cropping_mode="resample"),
        kornia.RandomHorizontalFlip(same_on_batch=False),
        kornia.ColorJitter(*JITTER, p=0.8, same_on_batch=False),
        kornia.RandomGrayscale(p=0.2, same_on_batch=False),
    )

    @torch.no_grad()
    def one_pass():
        for image_BCHW in batches(images, batch_size):
            augment(torch.cat([image_BCHW, image_BCHW]).float().div_(255))

    describe(benchmark, "kornia", batch_size, images)
    benchmark.pedantic(one_pass, rounds=rounds(8), warmup_rounds=1)


@pytest.mark.parametrize("batch_size", BATCHES)
def test_torchvision(benchmark, rounds, pixels, batch_size):
    from torchvision import transforms

    augment = transforms.Compose(
        [
            transforms.RandomResizedCrop(32, (0.08, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(*JITTER)], 0.8),
            transforms.RandomGrayscale(0.2),
            transforms.ToTensor(),
        ]
    )
    pairs = loader(pixels, lambda image: (augment(image), augment(image)), batch_size)

    def one_pass():
        for _ in pairs:
            pass

    describe(benchmark, "torchvision", batch_size, pixels)
    benchmark.pedantic(one_pass, rounds=rounds(8), warmup_rounds=1)
