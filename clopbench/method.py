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
Their annotations are checked before a run starts, and so are defaults; use int, float, bool, str, Literal[...]
and the names from `clopbench.parameters` (Positive, NonNegative, Fraction, Momentum, Count, Whole), with
literal defaults, so that planning can read them without importing torch.

A constructor that also names `features` among its positional arguments is given F, the size of the
encoder's features (say, for a classifier on them).

Shapes: V views, B images, F features, D embedding dimensions, K classes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from clopbench.errors import visible
from clopbench.parameters import Count, Fraction, Momentum, NonNegative, Positive, Whole

__all__ = [
    "Count",
    "Embedded",
    "Fraction",
    "LossError",
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


class LossError(TypeError):
    """A method's loss() returned something that cannot be minimised or logged."""


class Method(nn.Module):
    """Base class of all methods. Parameters are trained with the encoder; buffers are checkpointed.

    A method draws random numbers only from the `generator` that it is given (the `prototypes` stream, the
    same for every method at one seed) and must accept batches in which no image is labelled. A buffer
    named `prototype_KD`, if there is one, is used to report cosines of embeddings to prototypes.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised when the mathematics changes: it makes this method's earlier records stale, and no others."""
    added: ClassVar[tuple[str, ...]] = ()
    """Parameters that came after the first records: at their default they are left out of a cell's identity, so
    that earlier records stay what they are. Such a default is never changed."""
    views: ClassVar[tuple[str, ...] | None] = None
    """Augmentation recipe of each view, by name; "strong" is the benchmark's own, "weak" its weak counterpart.
    None: the benchmark's twice."""
    teacher_momentum: float | None = None
    """Momentum of an exponential moving average of encoder and head, given to `loss` as `batch.teacher`; of
    the class, or set by its constructor from a parameter."""

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        """Scalars to log by name, the same names at each step; "total" is the one that is minimised."""
        raise TypeError(f"{type(self).__name__} defines no loss()")


def scalars(method: Method, losses: Any) -> dict[str, Tensor]:
    """What loss() returned, if it is what it must be: scalar tensors by name, "total" with a gradient.

    Raises LossError naming the method and the rule.
    """

    def wrong(what: str) -> LossError:
        rule = 'must return a dict of scalar tensors by name, with "total" among them'
        return LossError(f"method {method.name}: loss() {rule}; {what}")

    if not isinstance(losses, dict):
        raise wrong(f"it returned {_kind(losses)}")
    for name, value in losses.items():
        if not isinstance(name, str) or not name.isprintable():
            raise wrong(f"{visible(repr(name))} is no name")
        if not isinstance(value, Tensor):
            raise wrong(f"'{name}' is {_kind(value)}")
        if value.ndim or not value.is_floating_point():
            raise wrong(f"'{name}' is {_kind(value)}")
    if "total" not in losses:
        raise wrong(f"it returned {', '.join(losses) or 'an empty one'}")
    if not losses["total"].requires_grad:
        raise wrong("'total' has no gradient: it was detached, or does not depend on the embeddings")
    return losses


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and type {value.dtype}"
    return "None" if value is None else f"a value of type {type(value).__name__}"
