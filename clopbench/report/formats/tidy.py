"""Tables as tidy data, a row for each cell × metric, and as text to be pasted: `bench export`."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clopbench.identity import flatten
from clopbench.report.formats import csv_file, markdown, sheets
from clopbench.report.formats.latex import to_latex
from clopbench.report.formats.markdown import fill, joined
from clopbench.report.observations import Number, Observation
from clopbench.report.tables import Table

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
Contents = Mapping[str, Mapping[str, Any]]
"""Cell id → what its record.json holds."""


def rows(tables: Sequence[Table], contents: Contents) -> list[Row]:
    """What a row is of, its value and status, then every setting of its cell, by dotted key.

    Metrics are as they were recorded (accuracies as fractions; None where a diverged cell has none). n: the
    cells of that entry of the table which have the metric. A setting that is a list is JSON. A cell that
    several tables show is in each of them.
    """
    found = [
        row
        for table in tables
        for number in table.numbers
        for cell in number.cells
        for row in _of_cell(table, number, cell, contents[cell.id]["config"])
    ]
    settings = sorted({key for row in found for key in row["settings"]})
    return [
        {key: value for key, value in row.items() if key != "settings"}
        | {key: row["settings"].get(key) for key in settings}
        for row in found
    ]


def _of_cell(table: Table, number: Number, cell: Observation, config: Mapping[str, Any]) -> Iterator[Row]:
    column = table.declaration.columns
    settings = {
        key: json.dumps(value) if isinstance(value, list) else value
        for key, value in flatten(config).items()
        if key != "seed"
    }
    declared = [one.metric for one in table.declaration.columns_of_metrics]
    for metric in cell.metrics or declared:
        yield {
            "table": table.name,
            "scale": table.scale.name,
            "row": table.label(number.coordinates),
            "column": table.point_label(number.coordinates[column]) if column else None,
            "point": " ".join(f"{axis}={point}" for axis, point in number.coordinates.items()),
            "cell": cell.id,
            "seed": cell.seed,
            "status": cell.status,
            "metric": metric,
            "value": cell.metrics.get(metric),
            "n": sum(one.metrics.get(metric) is not None for one in number.cells),
            "settings": settings,
        }


def frame(some: Sequence[Row]) -> "pd.DataFrame":
    """The rows with a type for each column: numbers are numbers; what is of several kinds is text."""
    import pandas as pd

    columns = {}
    for key in some[0]:
        values = [row[key] for row in some]
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            values = [None if value is None else str(value) for value in values]
        columns[key] = pd.Series(values, dtype=_column_type(kinds))
    return pd.DataFrame(columns)


def _column_type(kinds: set[type]) -> Any:
    """Of numbers and truth values one that also has room for nothing."""
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64"
    return "float64" if kinds and kinds <= {int, float} else "object"


def to_csv(tables: Sequence[Table], contents: Contents) -> bytes:
    escaped = [
        {key: csv_file.escape(value) if isinstance(value, str) else value for key, value in row.items()}
        for row in rows(tables, contents)
    ]
    return frame(escaped).to_csv(index=False, lineterminator="\n").encode()


def to_parquet(tables: Sequence[Table], contents: Contents) -> bytes:
    buffer = io.BytesIO()
    frame(rows(tables, contents)).to_parquet(buffer, index=False)
    return buffer.getvalue()


def to_json(tables: Sequence[Table], contents: Contents) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows(tables, contents))
    text = ",\n ".join(lines)
    return f"[{text}]\n".encode()


def to_markdown(tables: Sequence[Table], contents: Contents = {}) -> bytes:
    parts = []
    for table in tables:
        for title, head, body in sheets.titled(table):
            parts += [fill("**{}**\n", title), fill("{}\n", markdown.table(head, body))]
    return joined("\n", parts).encode()


def _latex(tables: Sequence[Table], contents: Contents) -> bytes:
    return to_latex(list(tables), by="bench export").encode()


FORMATS: Mapping[str, Callable[[Sequence[Table], Contents], bytes]] = {
    "csv": to_csv,
    "parquet": to_parquet,
    "latex": _latex,
    "markdown": to_markdown,
    "json": to_json,
}
