"""`bench list`: the benchmarks that the suite declares."""

from clopbench.cli.options import Json, SuiteDir
from clopbench.cli.terminal import print_json, say
from clopbench.errors import UserError


def list_benchmarks(*, suite: SuiteDir = None, as_json: Json = False) -> None:
    """Show the benchmarks, their axes and the scales."""
    from clopbench.suite.suite import Suite

    found = Suite.locate(suite)
    first = found.scale_names()[0]
    if problems := found.problems([first]):
        raise UserError(*problems)
    rows = []
    for name in found.benchmark_names():
        benchmark = found.benchmark(name, first)
        rows.append(
            {
                "name": name,
                "title": benchmark.title,
                "axes": benchmark.declared_axes,
                "scales": found.scales_of(name),
            }
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        axes = " × ".join(f"{axis} ({', '.join(points)})" for axis, points in row["axes"].items())
        say(f"{row['name']}  {row['title']}")
        say(f"    {axes}")
        say(f"    scales: {', '.join(row['scales'])}")
