"""A table laid out as sheets of texts, for whatever format."""

from collections.abc import Sequence
from itertools import product

from clopbench.report import amounts
from clopbench.report.formats import (
    choice_sheets,
    endings,
    sign_sheets,
    threshold_wording,
    variance_wording,
    wording,
)
from clopbench.report.formats.sheet import Sheet
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.report.threshold_lines import Line
from clopbench.report.variance_parts import breakdowns
from clopbench.statistics.summaries import Summary, summarise
from clopbench.suite.claims import Format
from clopbench.suite.declarations import Coordinates
from clopbench.suite.metrics import bounds

CLAIM_HEADINGS = ["claim", "effect [95 % interval]", "p", "adjusted p", "seeds in favour", "verdict"]
COMPARISON_HEADINGS = [
    *("claim", "comparison", "effect [95 % interval]", "standardised effect", "correlation of rows", "n", "p"),
    "adjusted p",
]


def headings(table: Table) -> list[str]:
    """Column headings of the flat table of numbers."""
    metric = amounts.titled(table.declaration.metric_title, table.declaration.format)
    others = [amounts.titled(column.title, column.format) for column in table.also]
    return ["row", metric, *others, "n", "paper", "difference", "verdict"]


def rows(table: Table, numbers: Sequence[Number] | None = None) -> list[list[str]]:
    """The flat table of numbers, one list of texts per number."""
    return [
        [
            wording.name(table, number.coordinates),
            _mean(table, number),
            *(_other(number, column.metric, column.format) for column in table.also),
            wording.count(number),
            wording.paper(table, number.paper),
            wording.difference(table, number),
            wording.verdict(number),
        ]
        for number in (table.numbers if numbers is None else numbers)
    ]


def sheets(table: Table) -> list[Sheet]:
    """The numbers: one flat sheet, or rows × columns and then the entries that the paper gives.

    Where seeds collapsed or diverged, a last sheet says how many, and what the others came to.
    """
    return [*_of_numbers(table), *endings.sheets(table)]


def _of_numbers(table: Table) -> list[Sheet]:
    if table.declaration.metrics_across:
        return _across(table)
    if table.declaration.columns is None:
        return [_flat(table, "", table.numbers)]
    found = [
        _grid(table, metric, title, kind, rest)
        for metric, title, kind in _metrics(table)
        for rest in _other_axes(table)
    ]
    known = [number for number in table.numbers if number.paper is not None]
    return [*found, _flat(table, "Against the paper's numbers", known)] if known else found


def claims_title(table: Table) -> str:
    """'Claims (corrected over 35 claims)'."""
    return f"Claims ({_joined(wording.family(table.family), wording.looks(table.looks))})"


def claim_rows(table: Table) -> list[list[str]]:
    return [
        [
            claim.declaration.text,
            wording.effect(table, claim),
            wording.p_value(claim.verdict.p),
            wording.p_value(claim.verdict.adjusted),
            wording.in_favour(claim),
            claim.text,
        ]
        for claim in table.claims
    ]


def comparison_rows(table: Table) -> list[list[str]]:
    """Every comparison of the claims that were run."""
    return [
        [
            claim.declaration.text,
            wording.pair_name(table, pair),
            claim.kind.effect(effect) if effect else wording.NOT_RUN,
            wording.coefficient(effect.standardised if effect else None),
            wording.coefficient(effect.correlation if effect else None),
            str(effect.n if effect else 0),
            wording.p_value(found.p if found else None),
            wording.p_value(found.adjusted if found else None),
        ]
        for claim in table.claims
        if any(claim.effects)
        for pair, effect, found in zip(claim.pairs, claim.effects, claim.found, strict=True)
    ]


def threshold_sheets(table: Table) -> list[Sheet]:
    """One sheet for each declared threshold: a line for each combination of the other axes."""
    found = []
    for declaration in table.declaration.thresholds:
        lines = [line for line in table.thresholds if line.declaration == declaration]
        body = [threshold_wording.row(line, threshold_name(table, line)) for line in lines]
        links = {(row, 1): threshold_point(line) for row, line in enumerate(lines) if line.brackets}
        found.append(Sheet(declaration.text, threshold_wording.headings(declaration), body, links))
    return found


def variance_sheets(table: Table) -> list[Sheet]:
    """One sheet for each metric and row whose variance is taken apart."""
    return [
        Sheet(
            variance_wording.title(table, one),
            variance_wording.headings(one),
            variance_wording.rows(table, one),
        )
        for one in breakdowns(table)
    ]


def threshold_name(table: Table, line: Line) -> str:
    """The points of the axes that the threshold does not lie on."""
    return ", ".join(map(table.point_label, line.coordinates.values())) or "all"


def threshold_point(line: Line) -> Coordinates:
    """Where the seeds behind a line are listed: coordinates that no number has."""
    return {"threshold": line.declaration.name} | line.coordinates


def further_sheets(table: Table) -> list[Sheet]:
    """All that is shown below the numbers and is none of the claims."""
    return [
        *threshold_sheets(table),
        *variance_sheets(table),
        *choice_sheets.sheets(table),
        *sign_sheets.sheets(table),
    ]


def titled(table: Table) -> list[tuple[str, list[str], list[list[str]]]]:
    """Every sheet, and the claims, as title, headings and body: for `bench run` and `bench show`."""
    title = f"{table.declaration.title}, scale {table.at}"
    shown = [*sheets(table), *further_sheets(table)]
    parts = [(_joined(title, sheet.title), sheet.head, sheet.body) for sheet in shown]
    if table.claims:
        parts.append((claims_title(table), CLAIM_HEADINGS, claim_rows(table)))
    return parts


def _flat(table: Table, title: str, numbers: Sequence[Number]) -> Sheet:
    links = {(row, 1): number.coordinates for row, number in enumerate(numbers) if number.cells}
    return Sheet(title, headings(table), rows(table, numbers), links)


def _across(table: Table) -> list[Sheet]:
    """Rows × metrics, then the entries that the paper gives."""
    titles = {metric: title for metric, title, _ in _metrics(table)}
    titles |= {column.metric: column.title for column in table.declaration.also}
    kind = table.declaration.format
    head = ["row", "n", *(amounts.titled(title, kind) for _, title, _ in _metrics(table))]
    body = [
        [
            wording.name(table, number.coordinates),
            wording.count(number),
            wording.mean(number.summary, kind),
            *(_other(number, column.metric, kind) for column in table.also),
        ]
        for number in table.numbers
    ]
    links = {(row, 2): number.coordinates for row, number in enumerate(table.numbers) if number.summary}
    known = [number for number in table.all_numbers if number.paper is not None]
    against = [
        [
            wording.name(table, number.coordinates),
            titles[number.metric],
            wording.mean(number.summary, kind),
            wording.paper(table, number.paper),
            wording.difference(table, number),
            wording.verdict(number),
        ]
        for number in known
    ]
    found = [Sheet("", head, body, links)]
    if known:
        heads = ["row", "metric", f"here,{amounts.unit(kind)}", "paper", "difference", "verdict"]
        found.append(Sheet("Against the paper's numbers", heads, against))
    return found


def _metrics(table: Table) -> list[tuple[str, str, Format]]:
    declaration = table.declaration
    own = (declaration.metric, declaration.metric_title, declaration.format)
    return [own, *((column.metric, column.title, column.format) for column in table.also)]


def _other_axes(table: Table) -> list[Coordinates]:
    """The points of the axes that run neither down nor across: one sheet for each."""
    shown = (table.declaration.rows, table.declaration.columns)
    names = [axis for axis in table.axes if axis not in shown]
    return [dict(zip(names, choice, strict=True)) for choice in product(*(table.axes[n] for n in names))]


def _grid(table: Table, metric: str, title: str, kind: Format, rest: Coordinates) -> Sheet:
    """Rows × columns of 'mean ± half-width (n)'."""
    down, across = table.declaration.rows, table.declaration.columns
    assert across is not None
    by_place = {frozenset(number.coordinates.items()): number for number in table.numbers}
    body, links = [], {}
    for row, point in enumerate(table.axes[down]):
        line = [table.point_label(point)]
        for column, other in enumerate(table.axes[across], 1):
            number = by_place.get(frozenset((rest | {down: point, across: other}).items()))
            line.append(_entry(table, number, metric, kind))
            if number is not None and number.cells:
                links[row, column] = number.coordinates
        body.append(line)
    places = ", ".join(table.point_label(point) for point in rest.values())
    heading = _joined(f"{amounts.titled(title, kind)} (n)", places)
    return Sheet(heading, [down.replace("_", " "), *map(table.point_label, table.axes[across])], body, links)


def _entry(table: Table, number: Number | None, metric: str, kind: Format) -> str:
    if number is None or not number.cells:
        return wording.NOT_RUN
    if metric == table.declaration.metric:
        return f"{_mean(table, number)} ({wording.count(number)})"
    return _other(number, metric, kind)


def _mean(table: Table, number: Number) -> str:
    if number.cells and number.summary is None:
        return "no value"
    return wording.mean(number.summary, table.declaration.format)


def _other(number: Number, metric: str, kind: Format) -> str:
    summary = _summary(number, metric)
    if summary is None:
        return wording.NOTHING
    n = "" if number.summary and summary.n == number.summary.n else f" (n {summary.n})"
    return wording.mean(summary, kind) + n


def _summary(number: Number, metric: str) -> Summary | None:
    values = list(number.values_of(metric).values())
    return summarise(values, bounds(metric)) if values else None


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
