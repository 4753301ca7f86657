"""`bench list`: the benchmarks that the suite declares, what each costs, and how far it has come."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clopbench.cli.options import DEFAULT_SEEDS, Json, Results, Scale, SuiteDir
from clopbench.cli.terminal import print_json, say
from clopbench.errors import UserError, quantity, unknown

if TYPE_CHECKING:
    from clopbench.results.index import Entries
    from clopbench.suite.suite import Suite


def list_benchmarks(
    *,
    suite: SuiteDir = None,
    scale: Scale = "laptop",
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Show the benchmarks, their axes and scales, and at one scale their cells, time and what is done."""
    from clopbench.results.index import scan
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite

    found = Suite.locate(suite)
    if scale not in found.scale_names():
        raise unknown("scale", scale, found.scale_names())
    if problems := found.problems([scale]):
        raise UserError(*problems)
    store = Store(results)
    entries = scan(store)
    rows = [_row(found, name, scale, store, entries) for name in found.benchmark_names()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        axes = " × ".join(f"{axis} ({', '.join(points)})" for axis, points in row["axes"].items())
        say(f"{row['name']}  {row['title']}")
        say(f"    {axes}")
        say(f"    scales: {', '.join(row['scales'])}")
        say(f"    {_state(row)}")


def _row(suite: "Suite", name: str, scale: str, store: Any, entries: "Entries") -> dict[str, Any]:
    """One benchmark. seconds: of one worker, for all of its cells; None where it is not known."""
    from clopbench.results.plan import make_plan, parse_seeds

    benchmark = suite.benchmark(name, scale)
    plan = make_plan([benchmark], parse_seeds(DEFAULT_SEEDS), store, entries)
    return {
        "name": name,
        "title": benchmark.title,
        "axes": benchmark.declared_axes,
        "scales": suite.scales_of(name),
        "scale": scale,
        "seeds": int(DEFAULT_SEEDS),
        "cells": len(plan.cells),
        "seconds": plan.estimate(plan.cells).seconds if plan.cells else None,
        "done": plan.count("done"),
        "not_run": list(benchmark.skip_reasons) if not plan.cells else [],
    }


def _state(row: dict[str, Any]) -> str:
    """'laptop, 10 seeds: 20 cells, about 3.0 min of one worker; 7 of 20 done'."""
    from clopbench.results.times import about

    head = f"{row['scale']}, {quantity(row['seeds'], 'seed')}"
    if not row["cells"]:
        return f"{head}: not run: {'; '.join(row['not_run'])}"
    time = about(row["seconds"]) + (" of one worker" if row["seconds"] is not None else "")
    return f"{head}: {quantity(row['cells'], 'cell')}, {time}; {row['done']} of {row['cells']} done"
