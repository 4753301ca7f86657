"""How long cells will take: measured, declared by their scale, or counted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clopbench.cell import Cell
from clopbench.suite.declarations import ScaleDeclaration
from clopbench.suite.operations import counted_seconds


@dataclass(frozen=True)
class Estimate:
    """Seconds of one worker's time for the cells that remain (None: not known), and what they rest on.

    counted: not measured anywhere, but computed for a GPU.
    """

    seconds: float | None
    basis: str
    counted: bool = False

    def wall(self, workers: int, cells: int) -> float | None:
        """Seconds by the clock with so many workers."""
        if self.seconds is None:
            return None
        return round(self.seconds / cells * math.ceil(cells / workers), 1) if cells else 0.0

    def text(self, workers: int, cells: int) -> str:
        """'about 3.0 min'; 'about 290 GPU-hours, 12 days' where it is counted; 'time not known'."""
        counted = self.counted and self.seconds is not None
        return about(self.wall(workers, cells), f"{_digits((self.seconds or 0) / 3600)} GPU-hours, " * counted)


def estimate(
    cells: Iterable[tuple[str, ScaleDeclaration, Cell]], measured: Mapping[str, Sequence[float]]
) -> Estimate:
    """The time of these cells, each with its kind and scale.

    measured: seconds of finished cells by kind. A kind without any costs what the scale declares; where it
    declares nothing, the operations of training are counted for the device that it names.
    """
    total, notes, counted = 0.0, set[str](), False
    costs: dict[str, float | None] = {}  # To count one reads what the data set is.
    for kind, scale, cell in cells:
        if seconds := measured.get(kind):
            total += sum(seconds) / len(seconds)
        elif scale.seconds_per_cell is not None:
            total += scale.seconds_per_cell
            notes.add(f"scale {scale.name}: {scale.seconds_per_cell:g} s a cell on {scale.measured_on}")
        else:
            if kind not in costs:
                costs[kind] = _counted(scale, cell)
            cost = costs[kind]
            if scale.counted_on is None or cost is None:
                return Estimate(None, "no cell of this kind has finished yet")
            total, counted = total + cost, True
            notes.add(
                f"counted, not measured: the operations of training, at {100 * scale.counted_on.share:.0f} % "
                f"of the {scale.counted_on.peak_tflops:g} TFLOP/s of one {scale.counted_on.name}"
            )
    return Estimate(total, "; ".join(sorted(notes)) or "finished cells of the same kind", counted)


def about(seconds: float | None, total: str = "") -> str:
    """A time by the clock in words; total: what stands before it."""
    if seconds is None:
        return "time not known"
    for unit, size in (("days", 86_400), ("h", 3600)):
        if seconds >= 2 * size:
            return f"about {total}{seconds / size:.1f} {unit}"
    return f"about {total}{seconds / 60:.1f} min"


def _counted(scale: ScaleDeclaration, cell: Cell) -> float | None:
    if scale.counted_on is None or cell.study is not None:
        return None
    return counted_seconds(cell, scale.counted_on)


def _digits(hours: float) -> str:
    """Two digits that count: 290, 12, 1.4."""
    if hours <= 0:
        return "0"
    return f"{round(hours, 1 - math.floor(math.log10(hours))):,g}"
