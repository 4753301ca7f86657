"""What verbs take: each shared option is declared once, and sets of them are taken whole.

A set is a parameter of a verb, `def plan(*, asked: Asked, …)`, and `spread` shows typer the options in it.
An option that belongs to a set is added here, and nowhere else.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer

from clopbench.cli.results_folder import announce

DEFAULT_SEEDS = "10"


def _complete_table(incomplete: str) -> list[str]:
    from clopbench.suite.suite import Suite

    return [name for name in Suite.locate().benchmark_names() if name.startswith(incomplete)]


def _complete_scale(incomplete: str) -> list[str]:
    from clopbench.suite.suite import Suite

    return [name for name in Suite.locate().scale_names() if name.startswith(incomplete)]


def complete_profile(incomplete: str) -> list[str]:
    from clopbench.slurm.profiles import profile_names
    from clopbench.suite.suite import Suite

    return [name for name in profile_names(Suite.locate().root) if name.startswith(incomplete)]


Tables = Annotated[
    list[str],
    typer.Argument(
        metavar="TABLE… [key=value …]",
        help="Tables, and overrides in Hydra's grammar (training.epochs=5 method.weight=0.5).",
        autocompletion=_complete_table,
    ),
]
Seeds = Annotated[str | None, typer.Option(help="A count (10, the default), a range (0-9) or a list (0-4,7).")]
Scale = Annotated[
    str, typer.Option(help="How big: a file in benchmarks/scale/.", autocompletion=_complete_scale)
]
SuiteDir = Annotated[
    Path | None,
    typer.Option("--suite", help="Folder of declarations, else $BENCH_SUITE, the nearest, the installed one."),
]
MethodsDirs = Annotated[
    list[Path],
    typer.Option("--methods-dir", help="More folders with method files, beside those in $BENCH_METHODS_DIR."),
]
Methods = Annotated[list[str], typer.Option("--method", help="Add a row for this method (repeatable).")]
Against = Annotated[
    list[str],
    typer.Option("--against", help="Compare the row of --method with this row or method (repeatable)."),
]
Only = Annotated[list[str], typer.Option(help="Keep some points of an axis: --only prototypes=random.")]
Results = Annotated[Path, typer.Option(envvar="BENCH_RESULTS", help="Folder of records.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Cells at once; default: as many as fit the cores.")]
Everything = Annotated[bool, typer.Option("--all", help="Fold nothing: each in a line of its own.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[str, typer.Option(help="auto (GPUs where there are any), cpu or cuda.")]
PerGpu = Annotated[int, typer.Option(min=1, help="Cells at once on each GPU.")]
SubmittedTables = Annotated[list[str] | None, typer.Argument(metavar="[TABLE…]", help="Default: all.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the sbatch text; submit nothing.")]
Live = Annotated[
    bool, typer.Option("--live", help="Tasks run the code as it is when they start, not a snapshot of now.")
]


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where declarations, methods and records are."""

    suite: SuiteDir = None
    methods_dir: MethodsDirs = field(default_factory=list)
    results: Results = Path("results")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which cells: tables × seeds at a scale. seeds None: all that are recorded, or `counted`."""

    tables: Tables
    seeds: Seeds = None
    scale: Scale = "laptop"
    only: Only = field(default_factory=list)
    method: Methods = field(default_factory=list)
    against: Against = field(default_factory=list)
    folders: Folders = Folders()

    @property
    def counted(self) -> "Asked":
        """With the seeds that verbs about cells take where none are given."""
        return self if self.seeds is not None else replace(self, seeds=DEFAULT_SEEDS)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How this machine runs cells."""

    workers: Workers = None
    device: Device = "auto"
    per_gpu: PerGpu = 1


def spread(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb as typer is to see it: an option for each field of the sets among its parameters.

    Each begins with a line on the results folder, where there is something to say of it.
    """
    parameters = inspect.signature(verb, eval_str=True).parameters.values()

    @wraps(verb)
    def call(**given: Any) -> None:
        announce(verb.__name__, given)
        verb(**{one.name: _taken(one.name, one.annotation, given) for one in parameters})

    shown = [flat for one in parameters for flat in _options(one)]
    call.__signature__ = inspect.Signature(shown)  # pyright: ignore[reportAttributeAccessIssue]
    return call


def _options(parameter: Parameter) -> Iterator[Parameter]:
    """The parameter itself, or what the set that it stands for consists of."""
    if not _is_set(parameter.annotation):
        yield parameter
        return
    for one in fields(parameter.annotation):
        default = one.default if one.default_factory is MISSING else one.default_factory()
        default = Parameter.empty if default is MISSING else default
        yield from _options(Parameter(one.name, Parameter.KEYWORD_ONLY, default=default, annotation=one.type))


def _taken(name: str, annotation: Any, given: Mapping[str, Any]) -> Any:
    """The value of a parameter: as it was given, or a set made of what was given."""
    if not _is_set(annotation):
        return given[name]
    return annotation(**{one.name: _taken(one.name, one.type, given) for one in fields(annotation)})


def _is_set(annotation: Any) -> bool:
    return is_dataclass(annotation)
