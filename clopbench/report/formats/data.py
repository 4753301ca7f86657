"""A table as plain data for `--json`: the texts that people read, and beside them the numbers, unrounded."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from clopbench.report import threshold_lines, variance_parts
from clopbench.report.claims.tested import Claim
from clopbench.report.formats import sheets
from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.statistics.comparisons import Comparison
from clopbench.statistics.family import Found
from clopbench.statistics.summaries import summarise
from clopbench.suite.metrics import bounds


def as_data(table: Table) -> dict[str, Any]:
    """Rows and claims under their headings; `numbers` of each: means as fractions, null where not known."""
    variance = [line for one in variance_parts.breakdowns(table) for line in variance_parts.as_data(one)]
    return {
        "table": table.name,
        "scale": table.scale.name,
        "overrides": list(table.overrides),
        "family": table.family,
        "rows": [
            dict(zip(sheets.headings(table), row, strict=True)) | {"numbers": number_data(table, number)}
            for row, number in zip(sheets.rows(table), table.numbers, strict=True)
        ],
        "claims": [
            dict(zip(sheets.CLAIM_HEADINGS, row, strict=True)) | {"numbers": claim_data(claim)}
            for row, claim in zip(sheets.claim_rows(table), table.claims, strict=True)
        ],
        "thresholds": [threshold_lines.as_data(line) for line in table.thresholds],
        "variance": variance,
    }


def number_data(table: Table, number: Number) -> dict[str, Any]:
    """Where an entry stands, its cells, and each metric of the table over the seeds."""
    metrics = dict.fromkeys([number.metric, *(column.metric for column in table.also)])
    theirs = number.paper
    return {
        "point": dict(number.coordinates),
        "planned": number.planned,
        "cells": {str(cell.seed): cell.id for cell in number.cells},
        "metrics": {metric: over_seeds(number.values_of(metric), metric) for metric in metrics},
        "paper": None if theirs is None else {"mean": theirs.mean, "sd": theirs.sd, "n": theirs.n},
    }


def over_seeds(values: Mapping[int, float], metric: str) -> dict[str, Any]:
    """n, mean, sd (ddof = 1), the ends of the 95 % t interval, and the value of each seed."""
    found = summarise(list(values.values()), bounds(metric)) if values else None
    return {
        "n": found.n if found else 0,
        "mean": found.mean if found else None,
        "sd": found.sd if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "values": {str(seed): value for seed, value in values.items()},
    }


def claim_data(claim: Claim) -> dict[str, Any]:
    """What a claim came to, and each of its comparisons; effects are positive in the claim's favour."""
    weakest = claim.weakest[1] if claim.weakest else None
    return {
        "name": claim.declaration.name,
        "kind": claim.declaration.kind,
        "metric": claim.metric,
        "verdict": claim.verdict.verdict,
        "reason": claim.verdict.reason,
        "p": claim.verdict.p,
        "adjusted_p": claim.verdict.adjusted,
        "undone_by": claim.undone_by,
        **_effect(weakest),
        "comparisons": [
            {"first": list(pair.first), "second": list(pair.second), **_effect(effect), **_tested(found)}
            for pair, effect, found in zip(claim.pairs, claim.effects, claim.found, strict=True)
        ],
    }


def _effect(found: Comparison | None) -> dict[str, Any]:
    names = ("n", "estimate", "sd", "low", "high", "in_favour")
    known = asdict(found) if found else {"n": 0}
    return {name: known.get(name) for name in names}


def _tested(found: Found | None) -> dict[str, Any]:
    return {"p": found.p if found else None, "adjusted_p": found.adjusted if found else None}
