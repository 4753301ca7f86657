"""One comparison of a claim as data, before any test: two sides, and what each seed's values on them are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from clopbench.report.observations import Number, Observation
from clopbench.report.points import Pair
from clopbench.suite.claims import Direction

SHARED = {"subset": "labelled subsets", "init": "initial weights"}
"""What the two cells of a seed must have in common, in words."""


@dataclass(frozen=True)
class Contrast:
    """Two sides with the values that they have in each seed.

    margin: how much worse than the second side (or, where neither may be better, how far from it) the first
    may be: the null hypotheses lie there and not at 0.
    """

    pair: Pair
    first: Mapping[int, float]
    """Seed → value, as it was measured."""
    second: Mapping[int, float]
    direction: Direction
    """Which of two values is better."""
    margin: float
    numbers: tuple[Number, ...]
    """The entries of the table behind both sides."""

    @cached_property
    def seeds(self) -> list[int]:
        """Those that have a value on both sides."""
        return sorted(self.first.keys() & self.second.keys())

    @property
    def sign(self) -> int:
        return 1 if self.direction == "higher" else -1

    @property
    def signed(self) -> tuple[dict[int, float], dict[int, float]]:
        """Seed → value on either side, for `seeds`, signed so that higher is better."""
        first, second = (
            {seed: self.sign * side[seed] for seed in self.seeds} for side in (self.first, self.second)
        )
        return first, second

    def cells(self) -> Iterator[Observation]:
        """The cells of the seeds that are compared."""
        seeds = set(self.seeds)
        for number in self.numbers:
            yield from (cell for cell in number.cells if cell.seed in seeds)

    def unpaired(self) -> Iterator[str]:
        """In words, the seeds whose cells did not share the labelled subset or the initial weights."""
        by_seed: dict[int, list[Observation]] = {seed: [] for seed in self.seeds}
        for cell in self.cells():
            by_seed[cell.seed].append(cell)
        for seed, cells in by_seed.items():
            for key, word in SHARED.items():
                if len({cell.pairing.get(key) for cell in cells}) > 1:
                    yield f"seed {seed}: {word} differ"

    def left_out(self) -> Iterator[str]:
        """In words, the seeds that diverged on one side and have no value there."""
        for number in self.numbers:
            for cell in number.cells:
                if cell.status == "diverged" and cell.seed not in self.seeds:
                    yield f"seed {cell.seed} diverged ({', '.join(number.coordinates.values())})"
