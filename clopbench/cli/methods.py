"""`bench methods`: the methods that can be run."""

from typing import Any

import typer

from clopbench.cli.options import Json, MethodsDirs, SuiteDir
from clopbench.cli.terminal import EXIT_FAILED, print_json, say


def methods(*, suite: SuiteDir = None, methods_dir: MethodsDirs = [], as_json: Json = False) -> None:
    """Show the methods, their parameters, and what is wrong with those that cannot be loaded."""
    from clopbench.suite import trial
    from clopbench.suite.suite import Suite

    plugins = Suite.locate(suite, methods_dir).plugins
    rows = trial.rows(plugins.get(name) for name in plugins.names())
    if as_json:
        print_json(rows)
    else:
        _say(rows)
    if any(row["problem"] for row in rows):
        raise typer.Exit(EXIT_FAILED)


def _say(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["problem"]:
            say(f"{row['name']}  cannot be used: {row['problem']}")
            continue
        say(f"{row['name']}  version {row['version']}  {row['summary']}")
        for name, parameter in row["parameters"].items():
            say(f"    method.{name}={parameter['default']}  ({parameter['type']})")
