"""Single faults put into the code, one at a time, and the tests that should see them.

`uv run python tests/support/mutate.py clopbench/training/loop.py --most 20` works on a copy of the checkout:
comparisons are turned, statements dropped, neighbouring arguments exchanged, constants changed. Each fault is
run against the tests of its room until one fails, with `--near` only against those nearest to its file, which
decide in seconds. What lives is printed, to be read: some faults change nothing that anybody could see.
"""

import argparse
import ast
import copy
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "clopbench": ["tests/vocabulary", "tests/training", "tests/suite"],
    "clopbench/results": ["tests/results", "tests/launch/test_run.py"],
    "clopbench/training": ["tests/training", "tests/vocabulary", "tests/evaluation"],
    "clopbench/evaluation": ["tests/evaluation", "tests/training"],
    "clopbench/suite": ["tests/suite", "tests/vocabulary", "tests/cli", "tests/report"],
    "clopbench/report": ["tests/report", "tests/statistics"],
    "clopbench/launch": ["tests/launch", "tests/training"],
    "methods": ["tests/vocabulary"],
}
"""Folder → tests of its files and of the folders below it; others have the tests of their own name."""

NEAR = {
    "clopbench/cell.py": ["tests/vocabulary/test_cell.py"],
    "clopbench/contrastive.py": ["tests/vocabulary/test_contrastive.py"],
    "clopbench/geometry.py": ["tests/training/test_training.py", "-k=geometry or effective_rank"],
    "clopbench/identity.py": ["tests/vocabulary/test_cell.py"],
    "clopbench/prototypes.py": ["tests/vocabulary/test_prototypes.py"],
    "clopbench/seeds.py": ["tests/training/test_seeding.py"],
    "clopbench/data/dataset.py": ["tests/data/test_data.py", "tests/data/test_unlabelled.py"],
    "clopbench/data/imagefolder.py": ["tests/data/test_image_folders.py", "tests/data/test_unlabelled.py"],
    "clopbench/data/simclr.py": ["tests/data/test_augment.py"],
    "clopbench/data/crop.py": ["tests/data/test_crop.py", "tests/data/test_augment.py", "-k=crop or box"],
    "clopbench/data/store.py": ["tests/data/test_damage.py", "tests/data/test_data.py"],
    "clopbench/evaluation/keeping.py": ["tests/evaluation/test_measure.py", "-k=kept or keeping"],
    "clopbench/evaluation/measure.py": ["tests/evaluation/test_measure.py"],
    "clopbench/evaluation/probe.py": [
        "tests/training/test_training.py", "tests/evaluation/test_measure.py",
        "-k=probe or knn or top_k or vote or neighbour",
    ],
    "clopbench/evaluation/selection.py": [
        "tests/evaluation/test_selection.py", "tests/evaluation/test_measure.py",
    ],
    "clopbench/evaluation/trained_probe.py": ["tests/evaluation/test_trained_probe.py", "-k=not compiled"],
    "clopbench/launch/judging.py": ["tests/launch/test_numbers.py"],
    "clopbench/launch/outcomes.py": ["tests/launch/test_outcomes.py"],
    "clopbench/launch/run_cell.py": [
        "tests/evaluation/test_measure.py", "tests/launch/test_numbers.py",
        "tests/evaluation/test_selection.py",
    ],
    "clopbench/report/choosing.py": ["tests/report/test_choices.py"],
    "clopbench/report/claims": ["tests/report/test_claims.py", "tests/report/test_contrasts.py"],
    "clopbench/report/observations.py": ["tests/report/test_claims.py", "tests/report/test_metric_columns.py"],
    "clopbench/report/tables.py": [
        "tests/report/test_metric_columns.py", "tests/report/test_choices.py", "tests/report/test_claims.py",
        "tests/report/test_looking.py",
    ],
    "clopbench/results/looks.py": ["tests/results/test_looks.py", "tests/report/test_looking.py"],
    "clopbench/results/plan.py": ["tests/results/test_seeds_asked.py", "tests/results/test_records.py"],
    "clopbench/results/index.py": ["tests/results/test_records.py", "tests/results/test_damage.py"],
    "clopbench/results/published.py": ["tests/results/test_records.py", "tests/results/test_importing.py"],
    "clopbench/slurm/lanes.py": ["tests/slurm/test_handover.py", "-k=taken_once or full_queue or room"],
    "clopbench/slurm/options.py": ["tests/slurm/test_conflicts.py"],
    "clopbench/slurm/packing.py": ["tests/launch/test_ends.py", "-k=slurm"],
    "clopbench/slurm/submit.py": ["tests/slurm/test_submit.py", "-k=golden or share or turn or once"],
    "clopbench/slurm/task.py": ["tests/slurm/test_turns.py"],
    "clopbench/statistics/power.py": ["tests/report", "-k=power or seeds or needed"],
    "clopbench/statistics/scores.py": ["tests/statistics/test_comparisons.py"],
    "clopbench/suite/checks.py": ["tests/report/test_signs.py"],
    "clopbench/suite/choices.py": ["tests/report/test_choices.py"],
    "clopbench/suite": [
        "tests/suite/test_reading.py", "tests/suite/test_small_tables.py",
        "tests/suite/test_wrong_declarations.py", "tests/cli/test_overrides_named.py",
    ],
    "clopbench/training/assembly.py": ["tests/training/test_seeding.py", "tests/training/test_wiring.py"],
    "clopbench/training/checkpoint.py": ["tests/training/test_resume.py", "-k=checkpoint or disk or resumed"],
    "clopbench/training/lars.py": ["tests/training/test_optim.py"],
    "clopbench/training/loop.py": ["tests/training/test_wiring.py"],
    "clopbench/training/model.py": [
        "tests/training/test_wiring.py", "tests/training/test_resume.py", "-k=not signalled",
    ],
    "methods": ["tests/vocabulary/test_rivals.py", "tests/vocabulary/test_methods.py"],
}  # fmt: skip
"""File or folder → the arguments for pytest with `--near`. Others have the test file of their own name, or
those of ROOMS."""
LOADED = ["pytest", "torch", "scipy.optimize", "scipy.stats", "sklearn.linear_model"]
"""Imported once, before the first fault: most of a quick test's time."""

TURNED: dict[type, Callable[[], ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
BODIES = ("body", "orelse", "handlers", "finalbody", "decorator_list")


@dataclass(frozen=True)
class Fault:
    """One changed statement: lines `first` to `last` (from 1) get another text."""

    path: Path
    first: int
    last: int
    text: str
    what: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.first}: {self.what}:\n{self.text}\n"


def faults(path: Path) -> Iterator[Fault]:
    """All single faults of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef):
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(one.lineno for one in decorators)])
            for what, changed in _faulted(node):
                lines = ast.unparse(changed).splitlines()
                text = "\n".join(" " * node.col_offset + line for line in lines)
                yield Fault(path, first, node.end_lineno or first, text, what)


def _faulted(statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Copies of a statement with one fault each; of a compound one, only the head is changed."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return  # A docstring.
    if isinstance(statement, ast.Expr | ast.AugAssign):
        yield "dropped", ast.Pass()
    for number, node in enumerate(_head(statement)):
        for what, change in _changes(node):
            changed = copy.deepcopy(statement)
            change(_head(changed)[number])
            yield what, changed


def _head(statement: ast.stmt) -> list[ast.AST]:
    """The nodes of a statement in a fixed order, without those of its body."""
    parts = [value for name, value in ast.iter_fields(statement) if name not in BODIES]
    listed = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    return [statement, *(node for one in listed if isinstance(one, ast.AST) for node in ast.walk(one))]


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[..., None]]]:
    """What may be changed in a node, and how, in place."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in TURNED:
            yield "comparison turned", lambda it: setattr(it, "ops", [TURNED[type(operator)]()])
        case ast.BoolOp(op=operator) | ast.BinOp(op=operator) if type(operator) in TURNED:
            yield "operator exchanged", lambda it: setattr(it, "op", TURNED[type(operator)]())
        case ast.If() | ast.IfExp():
            yield "condition turned", lambda it: setattr(it, "test", ast.UnaryOp(ast.Not(), it.test))
        case ast.Constant(value=bool(value)):
            yield f"{value} turned", lambda it: setattr(it, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield f"{value} changed", lambda it: setattr(it, "value", value + 1)
        case ast.Call(func=ast.Name(id="max" | "min")):
            return  # The order of their arguments changes nothing.
        case ast.Call(args=[first, second, *_]) if ast.dump(first) != ast.dump(second):
            yield "arguments exchanged", lambda it: it.args.__setitem__(slice(0, 2), it.args[1::-1])


def tests_of(path: Path, near: bool) -> list[str]:
    """The tests that guard a file: of its folder, or of the nearest folder above that has some."""
    file = path.relative_to(ROOT)
    namesake = Path("tests", *file.parts[1:-1], f"test_{file.stem}.py")
    if near and file.as_posix() not in NEAR and (ROOT / namesake).is_file():
        return [str(namesake)]
    for one in (file, *file.parents):
        own = Path("tests", *one.parts[1:])
        for table in (NEAR, ROOMS) if near else (ROOMS,):
            if one.as_posix() in table:
                return table[one.as_posix()]
        if one != file and (ROOT / own).is_dir():
            return [str(own)]
    raise ValueError(f"no tests for {path}")


def lives(checkout: Path, fault: Fault, seconds: float, near: bool) -> bool | None:
    """Whether the tests pass in a copy of the checkout that has this fault; None: they do not end in time."""
    target = checkout / fault.path.relative_to(ROOT)
    lines = fault.path.read_text(encoding="utf-8").splitlines()
    target.write_text("\n".join([*lines[: fault.first - 1], fault.text, *lines[fault.last :], ""]), "utf-8")
    try:
        return passes(checkout, tests_of(fault.path, near), seconds)
    finally:
        target.write_text("\n".join([*lines, ""]), "utf-8")


def passes(checkout: Path, tests: list[str], seconds: float) -> bool | None:
    """Whether these tests of a checkout pass; None where they do not end in time."""
    process = multiprocessing.get_context("forkserver").Process(target=tested, args=(checkout, tests))
    process.start()
    process.join(seconds)
    if process.exitcode is None and process.pid is not None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return None
    return process.exitcode == 0


def tested(checkout: Path, tests: list[str]) -> None:
    """Run the tests in a checkout, as a process of its own with all that it starts."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.chdir(checkout)
    os.environ["PYTHONPATH"] = str(checkout)
    sys.dont_write_bytecode = True
    sys.path[:] = [str(checkout), *(one for one in sys.path if one != str(Path(__file__).parent))]
    import pytest

    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests]))


def copied(folder: Path) -> Path:
    """The checkout as it is now, without its environment and history."""
    skipped = shutil.ignore_patterns(".venv", ".git", ".ruff_cache", ".pytest_cache", "__pycache__")
    return Path(shutil.copytree(ROOT, folder, ignore=skipped))


def main() -> int:
    """Print each fault that lives, and the count of those that were seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=20, help="faults tried of each file, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=900, help="a fault; longer ones are counted apart")
    parser.add_argument("--near", action="store_true", help="only the tests nearest to each file")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    multiprocessing.get_context("forkserver").set_forkserver_preload(LOADED)
    chosen: list[Fault] = []
    for path in options.files:
        every = list(faults(path.resolve()))
        chosen += random.Random(options.seed).sample(every, min(options.most, len(every)))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:

        def work(number: int) -> list[bool | None]:
            checkout = copied(Path(folder) / str(number))
            found = []
            for tests in {
                tuple(tests_of(fault.path, options.near)) for fault in chosen[number :: options.jobs]
            }:
                if not passes(checkout, [*tests], options.seconds):
                    sys.exit(f"these fail, or take too long, without any fault: {' '.join(tests)}")
            for fault in chosen[number :: options.jobs]:
                begin = time.monotonic()
                found.append(lives(checkout, fault, options.seconds, options.near))
                seconds = time.monotonic() - begin
                if found[-1] is not False:
                    print("" if found[-1] else f"not decided in {seconds:.0f} s: ", fault, sep="", flush=True)
                print(f"{seconds:.0f} s", file=sys.stderr, flush=True)
            return found

        found = [one for part in pool.map(work, range(options.jobs)) for one in part]
    print(f"{found.count(False)} of {len(chosen)} faults seen, {found.count(None)} not decided in time")
    return 1 if any(one is not False for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
