"""A declared claim over the numbers of a table: sides are paired seed by seed, and tested."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from clopbench.report import points, threshold_lines
from clopbench.report.observations import Number, Observation
from clopbench.report.points import Axes, Pair, Side
from clopbench.statistics.comparisons import Comparison
from clopbench.statistics.verdicts import NOT_RUN, ClaimVerdict, Evidence
from clopbench.suite.claims import ClaimDeclaration, Format, HigherThresholdClaim
from clopbench.suite.declarations import TableDeclaration
from clopbench.suite.thresholds import ThresholdDeclaration

Places = Mapping[tuple[tuple[str, str], ...], Number]
"""Coordinates, as items, → the number there."""


@dataclass(frozen=True)
class Claim:
    """A claim with its comparisons and verdict, and what a reader must know about its pairs."""

    declaration: ClaimDeclaration
    pairs: Sequence[Pair]
    tested: Evidence
    metric: str
    format: Format
    cells: tuple[Observation, ...]
    unpaired: tuple[str, ...]
    """Seeds whose two cells did not share the labelled subset or the initial weights."""
    left_out: tuple[str, ...]
    """Seeds that ended without a value on one side."""
    verdict: ClaimVerdict = NOT_RUN

    @property
    def weakest(self) -> tuple[Pair, Comparison] | None:
        """The comparison that the claim hangs on."""
        position = self.tested.weakest
        found = None if position is None else self.tested.comparisons[position]
        return None if position is None or found is None else (self.pairs[position], found)


def compare(claim: ClaimDeclaration, table: TableDeclaration, axes: Axes, places: Places) -> Claim:
    """Test every pair of a claim, without a verdict: that depends on the other claims (Holm)."""
    metric, series = _what(claim, table)
    how, constant = points.hypothesis(claim), points.constant(claim)
    pairs = points.pairs(claim, axes, table.thresholds)
    comparisons: list[Comparison | None] = []
    cells: dict[str, Observation] = {}
    unpaired: dict[str, None] = {}
    left_out: dict[str, None] = {}
    for pair in pairs:
        first, second = (_numbers(side, places) for side in (pair.first, pair.second))
        one = series(first)
        other = series(second) if constant is None else dict.fromkeys(one, constant)
        seeds = sorted(one.keys() & other.keys())
        comparisons.append(how.compare([one[s] for s in seeds], [other[s] for s in seeds]) if seeds else None)
        paired = set(seeds)
        cells |= {cell.id: cell for number in (*first, *second) for cell in number.cells if cell.seed in paired}
        unpaired |= dict.fromkeys(_unpaired([*first, *second], seeds))
        left_out |= dict.fromkeys(_left_out([*first, *second], seeds))
    return Claim(
        claim, pairs, Evidence(how, comparisons, len(left_out)), metric, claim.format or table.format,
        tuple(cells.values()), tuple(unpaired), tuple(left_out),
    )  # fmt: skip


def _what(
    claim: ClaimDeclaration, table: TableDeclaration
) -> tuple[str, Callable[[Sequence[Number]], dict[int, float]]]:
    """The claim's metric, and what makes one value per seed of the numbers of a side."""
    if isinstance(claim, HigherThresholdClaim):
        threshold = points.threshold_of(claim, table.thresholds)
        return threshold.metric, partial(_positions, threshold)
    metric = claim.metric or table.metric
    higher = points.higher_is_better(claim, table.direction)
    return metric, partial(_series, metric=metric, higher=higher)


def _positions(threshold: ThresholdDeclaration, numbers: Sequence[Number]) -> dict[int, float]:
    """Seed → how many points of the grid lie before the threshold: all that the grid says for sure."""
    brackets = threshold_lines.by_seed(threshold, numbers)
    return {seed: float(bracket.position) for seed, bracket in brackets.items()}


def _numbers(side: Side, places: Places) -> list[Number]:
    """The numbers of a side; none where one of them is not in the table (a restricted run)."""
    found = [places.get(tuple(coordinates.items())) for coordinates in side]
    return [number for number in found if number is not None] if None not in found else []


def _series(numbers: Sequence[Number], metric: str, higher: bool) -> dict[int, float]:
    """Seed → value, signed so that higher is better; of several points, minus the range over them."""
    values = [number.values_of(metric) for number in numbers]
    if not values:
        return {}
    if len(values) == 1:
        return {seed: value if higher else -value for seed, value in values[0].items()}
    complete = set.intersection(*(set(one) for one in values))
    return {seed: min(one[seed] for one in values) - max(one[seed] for one in values) for seed in complete}


def _unpaired(numbers: Sequence[Number], seeds: Sequence[int]) -> Iterator[str]:
    words = {"subset": "labelled subsets", "init": "initial weights"}
    by_seed: dict[int, list[Observation]] = {seed: [] for seed in seeds}
    for number in numbers:
        for cell in number.cells:
            if cell.seed in by_seed:
                by_seed[cell.seed].append(cell)
    for seed, cells in by_seed.items():
        for key, word in words.items():
            if len({cell.pairing.get(key) for cell in cells}) > 1:
                yield f"seed {seed}: {word} differ"


def _left_out(numbers: Sequence[Number], seeds: Iterable[int]) -> Iterator[str]:
    paired = set(seeds)
    for number in numbers:
        for cell in number.cells:
            if cell.status == "diverged" and cell.seed not in paired:
                yield f"seed {cell.seed} diverged ({', '.join(number.coordinates.values())})"
