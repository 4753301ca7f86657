"""Where a process stands among those that train one cell together. Free of torch."""

from dataclasses import dataclass


class PeerLost(Exception):
    """A process that this one trains with is gone, or was not heard of in time."""


@dataclass(frozen=True)
class Place:
    """Rank `rank` of `size`: rank 0 writes, all of them train."""

    rank: int
    size: int
    store: str
    """Where ranks find each other: file:///path on one machine, else tcp://host:port, where rank 0 listens."""

    @property
    def first(self) -> bool:
        return self.rank == 0
