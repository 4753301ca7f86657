"""Exchanges among the ranks of a cell, with one error for a rank that is gone."""

import contextlib
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor

from clopbench.training.place import PeerLost


@contextlib.contextmanager
def peers() -> Iterator[None]:
    """Around whatever waits for other ranks: an error there says that one of them is gone."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise PeerLost(f"another rank is gone: {str(error).splitlines()[0]}") from error


def gathered(own: Tensor) -> list[Tensor]:
    """The tensor of every rank, in their order; all have one shape."""
    own = own.contiguous()
    found = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    with peers():
        dist.all_gather(found, own)
    return found
