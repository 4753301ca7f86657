"""`bench doctor`: what could spoil a run on this machine."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clopbench.cli import data
from clopbench.cli.options import Folders, Json
from clopbench.cli.terminal import EXIT_FAILED, print_json, say
from clopbench.errors import UserError

if TYPE_CHECKING:
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report. `ok` False: a run would suffer; the text says what to do."""

    check: str
    ok: bool
    text: str


def doctor(*, folders: Folders, as_json: Json = False) -> None:
    """Check this machine and the suite; exit 1 if a run would suffer."""
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite

    findings = list(_examine(Suite.locate(folders.suite, folders.methods_dir), Store(folders.results)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{'ok ' if finding.ok else 'BAD'} {finding.check}: {finding.text}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _examine(suite: "Suite", store: "Store") -> Iterator[Finding]:
    """Yield findings one by one; the slow one (importing torch) comes last."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.platform()}")
    yield Finding("cores", True, f"{os.cpu_count()}")
    yield Finding("precision", True, _bfloat16())
    yield Finding("suite", True, f"{suite.root}: {', '.join(suite.benchmark_names())}")
    problems = suite.problems()
    for problem in problems:
        yield Finding("declarations", False, problem)
    if not problems:
        yield Finding(
            "declarations", True, f"{len(suite.table_names())} tables fit their benchmarks at all scales"
        )
    yield from _attempt("results", lambda: _results(store))
    for row in data.rows():
        how = f"; `{row['how']}`" if "how" in row else ""
        yield Finding(
            f"data {row['name']}", row["state"] != "damaged", f"{row['state']}: {row['summary']}{how}"
        )
    from clopbench.suite import trial

    for row in trial.rows(map(suite.plugins.get, suite.plugins.names())):
        good = row["problem"] is None
        text = f"version {row['version']} from {row['file']}" if good else row["problem"]
        yield Finding(f"method {row['name']}", good, text)
    yield Finding("torch", True, _torch())


def _attempt(check: str, action) -> Iterator[Finding]:
    try:
        yield Finding(check, True, action())
    except UserError as error:
        yield Finding(check, False, str(error))


def _results(store: "Store") -> str:
    store.ensure_writable()
    free = shutil.disk_usage(store.root).free
    return f"{store.root} is writable, {free / 2**30:.1f} GiB free"


def _torch() -> str:
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{torch.__version__}, GPUs: {', '.join(gpus) or 'none'}"


def _bfloat16() -> str:
    """Whether training.precision=bf16 pays on this CPU, from the kernel's list of its instructions."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return "not known whether this CPU has bfloat16 instructions"
    if flags & {"amx_bf16", "avx512_bf16", "bf16"}:
        return "this CPU has bfloat16 instructions: training.precision=bf16 is faster here than fp32"
    return "this CPU has no bfloat16 instructions: training.precision=bf16 is slower here than fp32"
