"""All scales of one table as CSV, in full precision: numbers, claims, and the comparisons behind claims."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from clopbench.errors import visible
from clopbench.report import threshold_lines, variance_parts
from clopbench.report.claims.tested import Claim
from clopbench.report.formats import threshold_wording, wording
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.report.threshold_lines import Line
from clopbench.statistics.comparisons import Comparison

FIELDS = [
    *("table", "scale", "kind", "row", "column", "point", "metric", "mean", "sd", "low_95", "high_95"),
    *("low_90", "high_90", "n", "planned", "collapsed", "diverged", "paper_mean", "paper_sd", "paper_n"),
    *("expected", "expected_low", "expected_high", "inside", "difference", "standardised_effect"),
    *("row_correlation", "p", "adjusted_p", "family", "in_favour"),
    *("verdict", "reason", "undone_by", "cells"),
]
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def to_csv(tables: list[Table]) -> str:
    """Metrics as fractions, cell ids separated by spaces; kind says what a line is.

    It is 'number', 'threshold', 'variance share', 'variance ratio', a claim's kind, or 'comparison'.

    mean of a threshold: the median, where it is known; its interval is under low_95 and high_95, an open end is
    empty, and reason says what lies beyond the grid. mean of a variance share or ratio: the variance of the
    source of that row over the sum of all single sources, or over that of all of them together; sd: its root.

    mean of a claim: its weakest comparison, positive in its favour (about standard deviations: their ratio;
    about thresholds: the share of the untied seeds in favour). p is two-sided, adjusted_p corrected over the
    `family` claims that were tested together. expected: the effect that the paper's numbers let us expect, with
    its 95 % prediction interval; inside: whether ours lies there. undone_by: how many single seeds, left out,
    would undo a verdict.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, FIELDS, lineterminator="\n")
    writer.writeheader()
    for line in _lines(tables):
        writer.writerow(
            {name: escape(value) if isinstance(value, str) else value for name, value in line.items()}
        )
    return buffer.getvalue()


def escape(text: str) -> str:
    """Words in one line, which no spreadsheet takes for a formula: an apostrophe before them says 'text'."""
    line = visible(" ".join(text.split()))
    return f"'{line}" if line.startswith(FORMULA) and not NUMBER.fullmatch(line) else line


def _lines(tables: list[Table]) -> Iterator[dict[str, Any]]:
    for table in tables:
        shared = {"table": table.name, "scale": table.scale.name}
        yield from (shared | _number(table, number) for number in table.all_numbers)
        yield from (shared | _threshold(line) for line in table.thresholds)
        yield from (shared | line for line in _variances(table))
        for claim in table.claims:
            yield shared | _claim(table, claim)
            yield from (shared | line for line in _comparisons(table, claim))


def _number(table: Table, number: Number) -> dict[str, Any]:
    summary, theirs, column = number.summary, number.paper, table.declaration.columns
    fields: dict[str, Any] = {
        "kind": "number",
        "row": number.coordinates[table.declaration.rows],
        "column": number.coordinates[column] if column else "",
        "point": " ".join(f"{axis}={point}" for axis, point in number.coordinates.items()),
        "metric": number.metric,
        "n": summary.n if summary else 0,
        "planned": number.planned,
        "collapsed": number.count("collapsed"),
        "diverged": number.count("diverged"),
        "difference": number.difference,
        "verdict": number.verdict.verdict,
        "reason": number.verdict.reason,
        "cells": " ".join(cell.id for cell in number.cells),
    }
    if summary:
        fields |= {"mean": summary.mean, "sd": summary.sd}
        fields |= {"low_95": summary.low, "high_95": summary.high}
    if theirs:
        fields |= {"paper_mean": theirs.mean, "paper_sd": theirs.sd, "paper_n": theirs.n}
    return fields


def _threshold(line: Line) -> dict[str, Any]:
    data = threshold_lines.as_data(line)
    low, high = data["interval"] or (None, None)
    beyond = threshold_wording.beyond(line)
    return {
        "kind": "threshold",
        "row": line.declaration.name,
        "point": " ".join(f"{axis}={point}" for axis, point in line.coordinates.items()),
        "metric": line.declaration.metric,
        "mean": data["median"],
        "low_95": low,
        "high_95": high,
        "n": data["n"],
        "reason": "" if beyond == wording.NOTHING else beyond,
    }


def _variances(table: Table) -> Iterator[dict[str, Any]]:
    """Two lines for each source that has them: its share of the sum, and its ratio to all together."""
    for one in variance_parts.breakdowns(table):
        for data in variance_parts.as_data(one):
            for kind in ("share", "ratio"):
                low, high = data[f"{kind}_interval"] or (None, None)
                if data[kind] is not None:
                    yield {
                        "kind": f"variance {kind}",
                        "row": data["source"],
                        "point": " ".join(f"{axis}={point}" for axis, point in one.coordinates.items()),
                        "metric": data["metric"],
                        "mean": data[kind],
                        "sd": data["sd"],
                        "low_95": low,
                        "high_95": high,
                        "n": data["n"],
                    }


def _claim(table: Table, claim: Claim) -> dict[str, Any]:
    verdict, weakest = claim.verdict, claim.weakest
    fields: dict[str, Any] = {
        "kind": claim.declaration.kind,
        "row": claim.declaration.name,
        "metric": claim.metric,
        "n": 0,
        "p": verdict.p,
        "adjusted_p": verdict.adjusted,
        "family": table.family,
        "undone_by": claim.undone_by,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "cells": " ".join(cell.id for cell in claim.cells),
    }
    if weakest:
        pair, found = weakest
        fields |= {"point": wording.pair_name(table, pair)} | _effect(claim, found)
    return fields


def _comparisons(table: Table, claim: Claim) -> Iterator[dict[str, Any]]:
    parts = zip(claim.pairs, claim.effects, claim.found, claim.expected, strict=True)
    for pair, effect, found, expected in parts:
        fields: dict[str, Any] = {
            "kind": "comparison",
            "row": claim.declaration.name,
            "point": wording.pair_name(table, pair),
            "metric": claim.metric,
            "n": 0,
        }
        if effect:
            fields |= _effect(claim, effect)
        if expected:
            fields |= {
                "expected": expected.effect,
                "expected_low": expected.low,
                "expected_high": expected.high,
                "inside": effect and effect.estimate is not None and expected.holds(effect.estimate),
            }
        if found:
            fields |= {"p": found.p, "adjusted_p": found.adjusted}
        yield fields


def _effect(claim: Claim, found: Comparison) -> dict[str, Any]:
    level = round(claim.kind.hypothesis.confidence * 100)
    return {
        "mean": found.estimate,
        "sd": found.sd,
        f"low_{level}": found.low,
        f"high_{level}": found.high,
        "standardised_effect": found.standardised,
        "row_correlation": found.correlation,
        "n": found.n,
        "in_favour": found.in_favour,
    }
