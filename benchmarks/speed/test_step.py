"""The time of one training step at scale cpu: what CLOP's term adds to it, and how it grows with the batch."""

from itertools import cycle

import engine
import numpy as np
import pytest

ROUNDS = 160
TURNS = ("simclr", "clop", "clop", "simclr")
"""Neighbours are compared, and neither method always goes first."""


class Steps:
    """Steps of one method, each on the next batch of the images."""

    def __init__(self, method, images, *overrides):
        self.images = images
        self.trainer = engine.trainer(engine.cell(method, *overrides), images)
        self.size = self.trainer.cell.training.batch_size

    def take(self, number):
        # The last step of an epoch measures geometry too: it is left out.
        step = number % (self.trainer.steps_per_epoch - 1)
        self.trainer.step = step
        positions = np.arange(step * self.size, (step + 1) * self.size)
        self.trainer._step(self.images[positions], positions)


def test_clop_term(benchmark, rounds, images, threads):
    """One benchmark, in which the methods take turns: the machine's drift is larger than the difference.

    The times in its JSON belong to the methods that extra_info names in the same order.
    """
    methods = {name: Steps(name, images) for name in ("simclr", "clop")}
    turns, taken = cycle(TURNS), []
    count = rounds(ROUNDS)

    def turn():
        taken.append(next(turns))
        return (taken[-1], (len(taken) - 1) // 2), {}

    def step(name, number):
        methods[name].take(number)

    with engine.as_in_a_cell(threads):
        benchmark.pedantic(step, setup=turn, rounds=count, warmup_rounds=4)
    benchmark.extra_info.update(work="clop term", turns=taken[-count:])


@pytest.mark.parametrize("batch_size", [64, 128, 256, 512, 1024])
def test_growth(benchmark, rounds, images, threads, batch_size):
    steps = Steps("simclr", images, f"training.batch_size={batch_size}")
    benchmark.extra_info.update(work="step", contender="clop-bench", size=batch_size)
    with engine.as_in_a_cell(threads):
        benchmark.pedantic(steps.take, args=(0,), rounds=rounds(8), warmup_rounds=2)
