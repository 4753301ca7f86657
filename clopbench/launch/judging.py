"""The status of a cell that came to its end: done, collapsed or diverged, with the reason."""

import math
from dataclasses import replace

from clopbench.cell import Cell
from clopbench.geometry import NotFiniteError
from clopbench.results.records import Record


def judge(cell: Cell, diverged: str | None, metrics: dict[str, float | None]) -> tuple[str, dict[str, str]]:
    """Status and notes. diverged: what was not finite in training or after it, if anything was."""
    rank = metrics.get("effective_rank")
    if diverged:
        return "diverged", {"diverged": diverged}
    if rank is not None and rank < cell.evaluation.collapse_rank:
        rule = f"effective rank {rank:.3f} < evaluation.collapse_rank = {cell.evaluation.collapse_rank:g}"
        return "collapsed", {"collapsed": rule}
    return "done", {}


def what_diverged(error: ArithmeticError) -> str:
    """'loss not finite', or what Python says of a float that is too large or divided by zero."""
    return f"{error} not finite" if isinstance(error, NotFiniteError) else f"{type(error).__name__}: {error}"


def finite(record: Record) -> Record:
    """The record, in which a metric that is not finite has no value, and the run has diverged."""
    lost = [name for name, value in record.metrics.items() if value is not None and not math.isfinite(value)]
    sound = all(map(math.isfinite, record.spectrum))
    if not lost and sound:
        return record
    words = f"{', '.join([*lost, *([] if sound else ['spectrum'])])}: not finite"
    return replace(
        record,
        status="diverged",
        metrics=record.metrics | dict.fromkeys(lost),
        notes={"diverged": words} | {key: text for key, text in record.notes.items() if key == "diverged"},
        spectrum=record.spectrum if sound else (),
    )
