"""The contract of a method: what a file in methods/ must hold, and what it receives.

A method file defines one subclass of `Method` whose `name` is the file's stem:

    class Simclr(Method):
        name, version = "simclr", 1

        def __init__(self, dim: int, num_classes: int, *, temperature: Positive = 0.2,
                     generator: torch.Generator):
            super().__init__()
            self.temperature = temperature

        def loss(self, batch: Embedded) -> dict[str, Tensor]:
            return {"total": info_nce(batch.z_VBD, self.temperature)}

The keyword arguments are the method's parameters: `method.temperature=0.1` on the command line sets one.
Their annotations are checked before a run starts; use int, float, bool, str, Literal[...] and the names
from `clopbench.parameters` (Positive, NonNegative, Fraction, Momentum, Count, Whole), with literal
defaults, so that planning can read them without importing torch.

A constructor that also names `features` among its positional arguments is given F, the size of the
encoder's features (say, for a classifier on them).

Shapes: V views, B images, F features, D embedding dimensions, K classes.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from clopbench.parameters import Count, Fraction, Momentum, NonNegative, Positive, Whole

__all__ = [
    "Count",
    "Embedded",
    "Fraction",
    "Method",
    "Momentum",
    "NonNegative",
    "Positive",
    "Whole",
]


@dataclass
class Embedded:
    """One batch after encoder and projection head."""

    z_VBD: Tensor
    """Projected embeddings, not yet normalised."""
    h_VBF: Tensor
    """The encoder's features."""
    y_B: Tensor
    """Class numbers, -1 where unlabelled."""
    index_B: Tensor
    """Position of each image in the training set."""
    teacher: "Embedded | None" = None
    """The same batch through the moving average of encoder and head, where `teacher_momentum` is set."""


class Method(nn.Module):
    """Base class of all methods. Parameters are trained with the encoder; buffers are checkpointed.

    A method draws random numbers only from the `generator` that it is given (the `prototypes` stream, the
    same for every method at one seed) and must accept batches in which no image is labelled. A buffer
    named `prototype_KD`, if there is one, is used to report cosines of embeddings to prototypes.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised when the mathematics changes: it makes this method's earlier records stale, and no others."""
    views: ClassVar[tuple[str, ...] | None] = None
    """Augmentation recipe of each view; None: the benchmark's recipe twice."""
    teacher_momentum: ClassVar[float | None] = None
    """Momentum of an exponential moving average of encoder and head, given to `loss` as `batch.teacher`."""

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        """Scalars to log by name; "total" is the one that is minimised."""
        raise TypeError(f"{type(self).__name__} defines no loss()")
