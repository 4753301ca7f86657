"""Sources of variance in words. No layout, and no numbers are made here."""

from collections.abc import Callable, Iterator

from clopbench.report import amounts
from clopbench.report.formats.wording import NOT_RUN, NOTHING
from clopbench.report.tables import Table
from clopbench.report.variance_parts import Breakdown
from clopbench.statistics.intervals import Estimate
from clopbench.statistics.variance import Part

SUM = "sum of the single sources"


def title(table: Table, one: Breakdown) -> str:
    """'variance of linear probe top-1, SupCon'."""
    places = [table.point_label(point) for point in one.coordinates.values()]
    return ", ".join([f"where the variance of {one.metric.title} comes from", *places])


def headings(one: Breakdown) -> list[str]:
    deviation = "standard deviation, points" if one.metric.format == "percent" else "standard deviation"
    return ["varies", deviation, "share of the sum [95 %]", "variance / that of all together [95 %]", "n"]


def rows(table: Table, one: Breakdown) -> list[list[str]]:
    """The texts of a breakdown under `headings`, a line for each part."""
    n = str(one.parts.n if one.parts else 0) + (f" ({one.incomplete} incomplete)" if one.incomplete else "")
    if one.parts is None:
        return [[table.point_label(one.together), NOT_RUN, NOTHING, NOTHING, n]]
    return [
        [
            name,
            _amount(part.sd, lambda value: amounts.value(one.metric.format, value)),
            _amount(part.share, lambda value: f"{value * 100:.0f} %"),
            _amount(part.ratio, lambda value: f"{value:.2f}"),
            NOTHING if part is one.parts.test_set else n,
        ]
        for name, part in named(table, one)
    ]


def named(table: Table, one: Breakdown) -> Iterator[tuple[str, Part]]:
    """The parts with their labels: single sources, their sum, all together, the test set."""
    if one.parts is None:
        return
    for point, part in one.parts.sources.items():
        yield table.point_label(point), part
    yield SUM, one.parts.total
    yield table.point_label(one.together), one.parts.together
    if one.parts.test_set is not None:
        yield test_set(one), one.parts.test_set


def test_set(one: Breakdown) -> str:
    return f"other test images ({one.images}, binomial)"


def _amount(found: Estimate | None, words: Callable[[float], str]) -> str:
    """'0.55 [0.20, 1.50]', a dash for what is a part of nothing."""
    if found is None:
        return NOTHING
    if found.low is None or found.high is None:
        return words(found.value)
    return f"{words(found.value)} [{words(found.low)}, {words(found.high)}]"
