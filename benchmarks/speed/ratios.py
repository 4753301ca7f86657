"""From the times of pytest-benchmark to the table: what is required, what was measured, does it hold.

A ratio is that of two medians, with a 95 % bootstrap interval over the rounds. Where the contenders took turns
(CLOP's term) it is the median of the ratios of neighbouring rounds. The median decides, not the interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

OURS = "clop-bench"
TABLE_ROWS = 2048
DRAWS = 4000


@dataclass(frozen=True)
class Sample:
    """One benchmark of the JSON: seconds of each round, in order, and what the suite wrote beside them.

    size: of the batch, or N of a loss; 0 where there is only one.
    """

    work: str
    contender: str
    size: int
    seconds: np.ndarray
    extra: dict[str, Any]

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))


@dataclass(frozen=True)
class Row:
    """One line of the table. `measured` is None where the other side is not there."""

    work: str
    against: str
    required: str
    measured: str | None
    holds: bool


def read_samples(report: dict[str, Any]) -> list[Sample]:
    """All benchmarks of a JSON that pytest-benchmark wrote."""
    samples = []
    for entry in report["benchmarks"]:
        extra = entry["extra_info"]
        seconds = np.array(entry["stats"]["data"])
        samples.append(
            Sample(extra["work"], extra.get("contender", OURS), extra.get("size", 0), seconds, extra)
        )
    return samples


def rows(samples: Sequence[Sample]) -> list[Row]:
    """The table. A requirement whose measurement is missing does not hold."""
    table = []
    for size in (256, 512):
        work = f"SimCLR views of 32×32 images, batch {size}"
        for peer, text, least in (
            ("torchvision", "torchvision, PIL, 2 loader workers", 10),
            ("kornia", "kornia, batched", 5),
        ):
            table.append(_faster(samples, "views", size, work, text, least, lambda s, p=peer: s.contender == p))
    for loss in ("InfoNCE", "SupCon"):
        work = f"{loss} forward + backward, 2048 × 128"
        table.append(_faster(samples, loss, TABLE_ROWS, f"{work}: time", "the fastest peer", 2, lambda s: True))
        table.append(_memory(samples, loss, f"{work}: peak memory"))
    work = "one training epoch, small network, float32"
    table.append(_faster(samples, "epoch", 0, work, "lightly's SimCLR", 2, lambda s: True))
    table.append(_term(samples))
    table += [_start(samples, data) for data in ("digits", "cifar100")]
    return table


def _find(samples: Sequence[Sample], work: str, size: int) -> tuple[Sample | None, list[Sample]]:
    """Ours, and the peers from the fastest to the slowest."""
    found = [sample for sample in samples if sample.work == work and sample.size == size]
    peers = sorted((s for s in found if s.contender != OURS), key=lambda s: s.median)
    return next((s for s in found if s.contender == OURS), None), peers


def _faster(
    samples: Sequence[Sample],
    work: str,
    size: int,
    text: str,
    against: str,
    least: float,
    wanted: Callable[[Sample], bool],
) -> Row:
    ours, peers = _find(samples, work, size)
    peer = next((sample for sample in peers if wanted(sample)), None)
    if ours is None or peer is None:
        return Row(text, against, f"{least}×", None, False)
    ratio = peer.median / ours.median
    low, high = interval(lambda a, b: np.median(a, -1) / np.median(b, -1), peer.seconds, ours.seconds)
    name = against if against != "the fastest peer" else f"the fastest peer: {peer.contender}"
    counts = f"n = {len(ours.seconds)} and {len(peer.seconds)}"
    return Row(text, name, f"{least}×", f"{ratio:.1f}× [{low:.1f}, {high:.1f}], {counts}", ratio >= least)


def _memory(samples: Sequence[Sample], loss: str, text: str) -> Row:
    """Against the leanest peer, which is stricter than against the fastest."""
    ours, peers = _find(samples, loss, TABLE_ROWS)
    if ours is None or not peers:
        return Row(text, "the leanest peer", "at most 1/2", None, False)
    leanest = min(peers, key=lambda sample: sample.extra["peak_bytes"])
    ratio = ours.extra["peak_bytes"] / leanest.extra["peak_bytes"]
    against = f"the leanest peer: {leanest.contender}"
    numbers = f"{ours.extra['peak_bytes'] / 1e6:.1f} of {leanest.extra['peak_bytes'] / 1e6:.1f} MB"
    return Row(text, against, "at most 0.50", f"{ratio:.2f} ({numbers}; the same in every run)", ratio <= 0.5)


def _term(samples: Sequence[Sample]) -> Row:
    text, against = "CLOP's term, in a step at scale cpu", "SimCLR's step"
    sample = next((s for s in samples if s.work == "clop term"), None)
    if sample is None:
        return Row(text, against, "at most +2 %", None, False)
    turns = np.array(sample.extra["turns"])
    # Neighbours are one pair, in either order, and each method has one turn of each pair.
    clop, simclr = sample.seconds[turns == "clop"], sample.seconds[turns == "simclr"]
    more = 100 * (clop / simclr - 1)
    low, high = interval(lambda values: np.median(values, -1), more)
    measured = f"{np.median(more):+.2f} % [{low:+.2f}, {high:+.2f}], n = {len(more)} pairs"
    return Row(text, against, "at most +2 %", measured, bool(np.median(more) <= 2))


def _start(samples: Sequence[Sample], data: str) -> Row:
    text = f"start of a cell, {data}: CPU time to its first step"
    found = {s.contender: s.extra for s in samples if s.work == "start"}
    if not {f"{data}, fresh", f"{data}, forked"} <= found.keys():
        return Row(text, "–", "at most 3 s", None, False)
    fresh, forked = (np.array(found[f"{data}, {mode}"]["begins"]) for mode in ("fresh", "forked"))
    done = np.median(found[f"{data}, fresh"]["done"])
    measured = f"fresh process {_spread(fresh)}, that step done at {done:.2f} s; forked {_spread(forked)}"
    return Row(text, "–", "at most 3 s", measured, bool(np.median(fresh) <= 3))


def _spread(seconds: np.ndarray) -> str:
    """Median, range and number."""
    low, high = seconds.min(), seconds.max()
    return f"{np.median(seconds):.2f} s ({low:.2f}–{high:.2f}, n = {len(seconds)})"


def interval(statistic: Callable[..., np.ndarray], *values: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval by percentiles; arrays are resampled each by itself, statistics along axis −1."""
    generator = np.random.default_rng(0)
    drawn = [each[generator.integers(len(each), size=(DRAWS, len(each)))] for each in values]
    low, high = np.quantile(statistic(*drawn), [0.025, 0.975])
    return float(low), float(high)
