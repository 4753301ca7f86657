"""Rows in which seeds collapsed or diverged: how often, and what the middle half of the seeds came to."""

from clopbench.report.amounts import value
from clopbench.report.formats import wording
from clopbench.report.formats.sheet import Sheet
from clopbench.report.observations import BROKEN, Number
from clopbench.report.tables import Table
from clopbench.statistics import intervals
from clopbench.statistics.intervals import Estimate
from clopbench.suite.claims import Format
from clopbench.suite.metrics import bounds

TITLE = "Seeds that collapsed or diverged"
HEADINGS = ["row", "collapsed", "diverged", "share, % [95 % interval]", "mean", "interquartile mean"]


def sheets(table: Table) -> list[Sheet]:
    """A sheet with a line for each number behind which a cell collapsed or diverged; none where none did.

    One seed in five that collapses moves the mean by a fifth of the fall. The interquartile mean says what the
    others came to (clopbench/statistics/intervals.py).
    """
    ended = [number for number in table.numbers if any(map(number.count, BROKEN))]
    return [Sheet(TITLE, HEADINGS, [_line(table, number) for number in ended])] if ended else []


def _line(table: Table, number: Number) -> list[str]:
    kind, seeds = table.declaration.format, len(number.cells)
    counts = [number.count(status) for status in BROKEN]
    values = list(number.values.values())
    middle = intervals.interquartile_mean(values, bounds(number.metric)) if values else None
    return [
        wording.name(table, number.coordinates),
        *(f"{count} of {seeds}" for count in counts),
        estimate("percent", intervals.share(sum(counts), seeds), 0),
        wording.mean(number.summary, kind) if values else "no value",
        estimate(kind, middle) if middle else wording.NOTHING,
    ]


def estimate(kind: Format, found: Estimate, digits: int = 2) -> str:
    """'0.62 [0.51, 0.73]', without the interval where there is none."""
    text = value(kind, found.value, digits)
    if found.low is None or found.high is None:
        return text
    return f"{text} [{value(kind, found.low, digits)}, {value(kind, found.high, digits)}]"
