"""One epoch of SimCLR on 5120 images with scale cpu's network, batch 256, float32: our loop and lightly's.

Same encoder, same size of head, same optimiser and the same number of threads. lightly as its documentation has
it: its transform and loss, a DataLoader with two workers, one forward pass per view.
"""

import engine
import torch
from pil_images import loader

from clopbench.training.encoders import build_encoder, build_head

OVERRIDES = ("training.precision=fp32", "training.epochs=1", "training.warmup_epochs=0")
ROUNDS = 6


def describe(benchmark, contender, images):
    benchmark.extra_info.update(work="epoch", contender=contender, units=2 * len(images))


def test_clopbench(benchmark, rounds, images, threads):
    trainer = engine.trainer(engine.cell("simclr", *OVERRIDES), images)

    def rewind():
        trainer.epoch = 0

    def epoch():
        trainer.run(lambda _: None, lambda _: None)

    describe(benchmark, "clop-bench", images)
    with engine.as_in_a_cell(threads):
        benchmark.pedantic(epoch, setup=rewind, rounds=rounds(ROUNDS), warmup_rounds=1)
    assert trainer.diverged is None


def test_lightly(benchmark, rounds, pixels, peer):
    losses, transforms = peer("lightly.loss"), peer("lightly.transforms")
    cell = engine.cell("simclr", *OVERRIDES)
    encoder, features = build_encoder(cell.encoder, channels=3)
    network = torch.nn.Sequential(encoder, build_head(cell.projection, features)).train()
    # Its documentation asks for half the strength of colours, and no blur, where images are small.
    transform = transforms.SimCLRTransform(input_size=32, cj_strength=0.5, gaussian_blur=0.0)
    batches = loader(pixels, transform, cell.training.batch_size)
    criterion = losses.NTXentLoss(temperature=0.2)
    settings = cell.training
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )

    def epoch():
        total = torch.zeros(())
        for first_BCHW, second_BCHW in batches:
            loss = criterion(network(first_BCHW), network(second_BCHW))
            total += loss.detach()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        assert total.isfinite()

    describe(benchmark, "lightly", pixels)
    benchmark.pedantic(epoch, rounds=rounds(ROUNDS), warmup_rounds=1)
