"""Arguments and options that several verbs share, and their shell completion."""

from pathlib import Path
from typing import Annotated

import typer


def _complete_table(incomplete: str) -> list[str]:
    from clopbench.suite.suite import Suite

    return [name for name in Suite.locate().benchmark_names() if name.startswith(incomplete)]


def _complete_scale(incomplete: str) -> list[str]:
    from clopbench.suite.suite import Suite

    return [name for name in Suite.locate().scale_names() if name.startswith(incomplete)]


Tables = Annotated[
    list[str],
    typer.Argument(
        metavar="TABLE… [key=value …]",
        help="Tables, and overrides in Hydra's grammar (training.epochs=5 method.weight=0.5).",
        autocompletion=_complete_table,
    ),
]
Seeds = Annotated[str, typer.Option(help="A count (10), a range (0-9) or a list (0,3,7).")]
Scale = Annotated[
    str, typer.Option(help="How big: a file in benchmarks/scale/.", autocompletion=_complete_scale)
]
SuiteDir = Annotated[Path | None, typer.Option("--suite", help="Folder of declarations, else $BENCH_SUITE.")]
MethodsDirs = Annotated[list[Path], typer.Option("--methods-dir", help="More folders with method files.")]
Methods = Annotated[list[str], typer.Option("--method", help="Add a row for this method (repeatable).")]
Only = Annotated[list[str], typer.Option(help="Keep some points of an axis: --only prototypes=random.")]
Results = Annotated[Path, typer.Option(envvar="BENCH_RESULTS", help="Folder of records.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Cells at once; default: as many as fit the cores.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[str, typer.Option(help="auto (GPUs where there are any), cpu or cuda.")]
PerGpu = Annotated[int, typer.Option(min=1, help="Cells at once on each GPU.")]
