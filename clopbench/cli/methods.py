"""`bench methods`: the methods that can be run."""

from typing import TYPE_CHECKING, Any

import typer

from clopbench.cli.options import Json, MethodsDirs, SuiteDir
from clopbench.cli.terminal import EXIT_FAILED, print_json, say
from clopbench.errors import UserError

if TYPE_CHECKING:
    from clopbench.suite.plugins import Plugins


def methods(*, suite: SuiteDir = None, methods_dir: MethodsDirs = [], as_json: Json = False) -> None:
    """Show the methods, their parameters, and what is wrong with those that cannot be loaded."""
    from clopbench.suite.suite import Suite

    rows = _rows(Suite.locate(suite, methods_dir).plugins)
    if as_json:
        print_json(rows)
    else:
        _say(rows)
    if any(row["problem"] for row in rows):
        raise typer.Exit(EXIT_FAILED)


def _rows(plugins: "Plugins") -> list[dict[str, Any]]:
    """Each method with its parameters; one that cannot be read or imported carries its problem."""
    rows = []
    for name in plugins.names():
        plugin = plugins.get(name)
        row: dict[str, Any] = {"name": name, "file": str(plugin.path), "problem": None}
        try:
            signature = plugin.signature
            row |= {"version": signature.version, "summary": signature.summary, "parameters": plugin.listing()}
            plugin.load()
        except UserError as error:
            row["problem"] = str(error)
        rows.append(row)
    return rows


def _say(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["problem"]:
            say(f"{row['name']}  cannot be used: {row['problem']}")
            continue
        say(f"{row['name']}  version {row['version']}  {row['summary']}")
        for name, parameter in row["parameters"].items():
            say(f"    method.{name}={parameter['default']}  ({parameter['type']})")
