"""The cells behind the HTML report's numbers as compact JSON: what many cells share is written once."""

import base64
import csv
import io
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from clopbench.identity import canonical_json, flatten
from clopbench.report import origin
from clopbench.results.records import Record

T = TypeVar("T")

DIGITS = 6
CURVE_DIGITS = 3
MOST_POINTS = 25
"""Longer curves are thinned to so many points; the first and the last stay."""

LEFT_OUT = "singular_"
"""Columns of single singular values by epoch: a third of all data. The last epoch's whole spectrum is there."""

# Differ from cell to cell; the rest of the provenance is shared by whole runs.
OF_ONE_RUN = {
    *("started", "ended_unix", "seconds", "train_seconds", "views_per_second", "peak_memory_bytes", "resumed"),
}


class Pool:
    """Values that many cells share, each held once; cells hold their positions."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._positions: dict[str, int] = {}

    def put(self, value: Any) -> int:
        """The position of a JSON value, which is added if it is new."""
        position = self._positions.setdefault(canonical_json(value), len(self.values))
        if position == len(self.values):
            self.values.append(value)
        return position


def cells_data(records: Iterable[Record]) -> dict[str, Any]:
    """{"cells": {id: …}, and the pools that cells point into}, as page/cells.js reads it."""
    arms, names, pairings, origins, series = (Pool() for _ in range(5))
    cells = {}
    for record in sorted(records, key=lambda record: record.cell.id):
        config = flatten(record.cell.config())
        del config["seed"]
        shared = {key: value for key, value in record.provenance.items() if key not in OF_ONE_RUN}
        cells[record.cell.id] = {
            "seed": record.cell.seed,
            "status": record.status,
            "arm": arms.put(config),
            "metrics": [names.put(list(record.metrics)), [rounded(v) for v in record.metrics.values()]],
            "notes": list(record.notes.values()),
            "pairing": pairings.put(record.pairing),
            "origin": origins.put(shared),
            "run": {key: record.provenance[key] for key in sorted(OF_ONE_RUN & record.provenance.keys())},
            "curves": _curves(record, names, series),
        }
    return {
        "cells": cells,
        "arms": arms.values,
        "names": names.values,
        "pairings": pairings.values,
        "origins": origins.values,
        "code": [origin.code([shared]) for shared in origins.values],
        "series": series.values,
    }


def packed(data: Any) -> str:
    """JSON, deflated, in base64: it can stand in a <script> element and is a small part as long."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode()


def _curves(record: Record, names: Pool, series: Pool) -> list[Any]:
    """[titles, [x, y], [x, y], …] as positions in the pools: the columns of the history, and the spectrum."""
    columns = history_columns(record.history)
    epochs = columns.pop("epoch", None)
    curves: dict[str, tuple[Sequence[float | None] | None, Sequence[float | None]]]
    curves = {name: (epochs, values) for name, values in columns.items() if not name.startswith(LEFT_OUT)}
    if record.spectrum:
        curves["singular values"] = (None, record.spectrum)
    packed: list[Any] = [names.put(list(curves))]
    for x, y in curves.values():
        places = x or range(1, len(y) + 1)
        packed.append([series.put(thinned(places)), series.put([rounded(v, CURVE_DIGITS) for v in thinned(y)])])
    return packed


def history_columns(text: str) -> dict[str, list[float | None]]:
    """Column → values of a history.csv, None where one is missing or not finite; text columns are left out."""
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    return {name: values for name, values in columns.items() if any(v is not None for v in values)}


def thinned(values: Sequence[T], most: int = MOST_POINTS) -> list[T]:
    """At most `most` of the values, evenly spaced, with both ends."""
    last = len(values) - 1
    if last < most:
        return list(values)
    return [values[round(place * last / (most - 1))] for place in range(most)]


def rounded(value: float | None, digits: int = DIGITS) -> float | int | None:
    """To significant digits; a whole number loses its '.0', and what is not finite is None."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
