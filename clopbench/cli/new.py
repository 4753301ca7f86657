"""`bench new` and `bench init`: files that work at once, and say in comments what to edit."""

import keyword
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clopbench.cli.options import MethodsDirs, SuiteDir
from clopbench.cli.terminal import say
from clopbench.errors import UserError, unknown

if TYPE_CHECKING:
    from clopbench.suite.suite import Suite

TEMPLATES = Path(__file__).parent / "templates"
WORD = re.compile(r"[a-z][a-z0-9_]*")
FIRST, MINE = "first", "mine"
"""What `bench init` calls its benchmark and table, and its method and profile."""

app = typer.Typer(help="Write a new file that works at once and says what to edit.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Small letters, digits and '_'.")]


@app.command()
def method(*, name: Name, suite: SuiteDir = None, methods_dir: MethodsDirs = []) -> None:
    """Write methods/NAME.py: a method that trains."""
    found = _own(suite, methods_dir)
    path = _place(found.root, "methods", name, ".py", found.plugins.names())
    _write({path: _method(name)}, lambda: _fresh(found).plugins.get(name).load())
    say(f"try it: bench run TABLE --method {name} --seeds 1")


@app.command()
def benchmark(*, name: Name, suite: SuiteDir = None) -> None:
    """Write benchmarks/NAME.yaml: two methods, a few epochs."""
    found = _own(suite)
    path = _place(found.root, "benchmarks", name, ".yaml", found.benchmark_names())
    text = _filled("benchmark.yaml", {"NAME": name, "POINT": "simclr"})
    _write({path: text}, lambda: _fresh(found).benchmark(name))
    say(f"try it: bench plan {name}; and show it in a table: bench new table {name}")


@app.command()
def table(
    *,
    name: Name,
    of: Annotated[str | None, typer.Option("--benchmark", help="Whose cells; default: NAME's.")] = None,
    suite: SuiteDir = None,
) -> None:
    """Write tables/NAME.yaml: a table of a benchmark that is there."""
    found, of = _own(suite), of or name
    path = _place(found.root, "tables", name, ".yaml", found.table_names())
    if of not in found.benchmark_names():
        raise UserError(f"--benchmark: {unknown('benchmark', of, found.benchmark_names())}")
    scale = next(iter(found.scales_of(of)), found.scale_names()[0])
    text = _table(name, of, next(iter(found.benchmark(of, scale).declared_axes)), _metric(found, of))
    _write({path: text}, lambda: _fresh(found).benchmark(of, scale))
    say(f"try it: bench run {of} --seeds 1")


@app.command()
def profile(*, name: Name, suite: SuiteDir = None) -> None:
    """Write slurm/NAME.yaml: a profile of a Slurm cluster."""
    from clopbench.slurm.profiles import load_profile, profile_names

    found = _own(suite)
    path = _place(found.root, "slurm", name, ".yaml", profile_names(found.root))
    _write({path: _filled("profile.yaml", {"NAME": name})}, lambda: load_profile(name, found.root))
    say(f"try it: bench submit TABLE --profile {name} --dry-run")


def init(*, folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")]) -> None:
    """Write a suite of one's own, which builds on the installed one: a benchmark, table, method and profile."""
    from clopbench.suite import manifest
    from clopbench.suite.suite import Suite

    root = folder.absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"DIR: {root} is there already and is no empty folder")
    _write(
        {
            root / manifest.NAME: _filled("suite.yaml", {}),
            root / "benchmarks" / f"{FIRST}.yaml": _filled("benchmark.yaml", {"NAME": FIRST, "POINT": MINE}),
            root / "tables" / f"{FIRST}.yaml": _table(FIRST, FIRST, "method", "probe_top1"),
            root / "methods" / f"{MINE}.py": _method(MINE),
            root / "slurm" / f"{MINE}.yaml": _filled("profile.yaml", {"NAME": MINE}),
        },
        lambda: Suite(root).benchmark(FIRST),
    )
    say(f"try it: cd {folder} && bench run {FIRST} --seeds 3")


def _own(suite: Path | None, methods_dirs: list[Path] = []) -> "Suite":
    """The suite to write into. Raises UserError for the one that came with the package."""
    from clopbench.suite.finding import is_part_of_package
    from clopbench.suite.suite import Suite

    found = Suite.locate(suite, methods_dirs)
    if is_part_of_package(found.root):
        raise UserError(f"{found.root} came with the package; make a suite of your own: bench init DIR")
    return found


def _fresh(suite: "Suite") -> "Suite":
    """The same, read again."""
    from clopbench.suite.suite import Suite

    return Suite(suite.root)


def _place(root: Path, folder: str, name: str, ending: str, known: list[str]) -> Path:
    if not WORD.fullmatch(name) or keyword.iskeyword(name):
        raise UserError(
            f"NAME: small letters, digits and '_', a letter first, no word of Python (got '{name}')"
        )
    path = root / folder / f"{name}{ending}"
    if name in known or path.exists():
        raise UserError(f"NAME: there is a '{name}' already (in use: {', '.join(known)})")
    return path


def _write(files: Mapping[Path, str], check: Callable[[], object]) -> None:
    """Write the files, all or none: they and their new folders go again where they do not work."""
    missing = {folder for path in files for folder in path.parents if not folder.exists()}
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        check()
    except (UserError, OSError) as error:
        with suppress(OSError):
            for path in files:
                path.unlink(missing_ok=True)
            for folder in sorted(missing, reverse=True):
                folder.rmdir()
        if isinstance(error, OSError):
            raise UserError(f"{error.filename}: cannot be written: {error.strerror}") from None
        raise
    for path in files:
        say(f"wrote {path}: its comments say what to edit")


def _filled(template: str, words: Mapping[str, str]) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for word, value in words.items():
        text = re.sub(rf"\b{word}\b", value, text)
    return text


def _method(name: str) -> str:
    return _filled("method.py.txt", {"NAME": name, "CLASS": "".join(part.title() for part in name.split("_"))})


def _table(name: str, of: str, rows: str, metric: str) -> str:
    return _filled("table.yaml", {"NAME": name, "BENCHMARK": of, "ROWS": rows, "METRIC": metric})


def _metric(suite: "Suite", benchmark: str) -> str:
    """That of another table of the benchmark, else the probe's."""
    tables = map(suite.table, suite.table_names())
    return next((one.metric for one in tables if one.benchmark == benchmark), "probe_top1")
