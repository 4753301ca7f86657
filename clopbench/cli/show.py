"""What `bench show` and `bench methods` print."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from clopbench.cell import flatten
from clopbench.errors import UserError
from clopbench.results.records import DamagedRecord, Store
from clopbench.suite import trial
from clopbench.suite.plugins import Plugins


def cell_content(results: Path, prefix: str) -> dict[str, Any]:
    """The record of the one cell whose id starts with `prefix`. Raises UserError for none or several."""
    store = Store(results)
    ids = store.find(prefix)
    if len(ids) != 1:
        found = f"{len(ids)} cells ({', '.join(ids[:5])} …)" if ids else "no table and no cell"
        raise UserError(f"'{prefix}': {found} of that name in {results}")
    try:
        record = store.read(ids[0])
    except DamagedRecord as damage:
        raise UserError(f"{store.record_path(ids[0])}: {damage}") from None
    if record is None:
        raise UserError(f"cell {ids[0]} has not ended yet; its log is {store.folder(ids[0]) / 'run.log'}")
    return record.to_json()


def print_cell(console: Console, results: Path, content: Mapping[str, Any]) -> None:
    """Status, metrics, configuration and provenance, one value per line."""
    console.print(f"cell {content['id']}  {content['status']}", markup=False)
    sections = {
        "notes": content["notes"],
        "failure": content["failure"] or {},
        "metrics": content["metrics"],
        "config": flatten(content["config"]),
        "provenance": content["provenance"],
    }
    for title, values in sections.items():
        if values:
            console.print(f"{title}:", markup=False)
        for key, value in values.items():
            text = f"{value:.6g}" if isinstance(value, float) else str(value)
            console.print(f"  {key}: {text}", markup=False)
    console.print(f"folder: {Store(results).folder(content['id'])}", markup=False)


def method_rows(plugins: Plugins) -> list[dict[str, Any]]:
    """Each method with its parameters; one that cannot be read or imported carries its problem."""
    return trial.rows(plugins.get(name) for name in plugins.names())


def print_methods(console: Console, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["problem"]:
            console.print(f"{row['name']}  cannot be used: {row['problem']}", markup=False)
            continue
        console.print(f"{row['name']}  version {row['version']}  {row['summary']}", markup=False)
        for name, parameter in row["parameters"].items():
            console.print(f"    method.{name}={parameter['default']}  ({parameter['type']})", markup=False)
