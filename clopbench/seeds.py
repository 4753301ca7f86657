"""Named, independent random streams grown from one seed.

A stream depends on the seed, its name and (where given) a position such as (epoch, step), and on
nothing else. So two methods with the same seed see the same labelled subset, initial weights, batches
and augmentations, and an interrupted run can draw step 1000's augmentation without drawing the first 999.
"""

from typing import Literal, get_args

import numpy as np

Stream = Literal[
    "init", "subset", "order", "augment", "prototypes", "evaluate", "probe", "detection", "validation"
]
STREAMS: tuple[Stream, ...] = get_args(Stream)
"""The position in this tuple is part of every published number: append, never reorder."""


def sequence(seed: int, stream: Stream, *position: int) -> np.random.SeedSequence:
    """The SeedSequence of a stream. Raises ValueError if the stream has no name in STREAMS."""
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream), *position))


def numpy_generator(seed: int, stream: Stream, *position: int) -> np.random.Generator:
    """A numpy generator for a stream."""
    return np.random.Generator(np.random.PCG64(sequence(seed, stream, *position)))


def integer(seed: int, stream: Stream, *position: int) -> int:
    """A 63-bit integer for generators that are seeded by one number, such as torch's."""
    return int(sequence(seed, stream, *position).generate_state(1, np.uint64)[0] >> 1)
