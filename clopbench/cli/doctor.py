"""`bench doctor`: what could spoil a run on this machine."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from clopbench.cli import data
from clopbench.cli.options import Everything, Folders, Json
from clopbench.cli.terminal import EXIT_FAILED, print_json, say
from clopbench.errors import UserError

if TYPE_CHECKING:
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite


MOST_LINES = 25
"""Of what is folded; --all shows everything."""
METHODS = "methods that can be built"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report. `ok` False: a run would suffer; the text says what to do.

    kind: of which several that are well become one line; item: its name in that line.
    """

    check: str
    ok: bool
    text: str
    kind: str = ""
    item: str = ""


def doctor(
    *,
    folders: Folders,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """Check this machine and the suite; exit 1 if a run would suffer."""
    from clopbench.suite import trial, tried

    in_full = everything or as_json
    if in_full or not tried.path().exists():
        trial.warm_up()  # First of all: it takes longest.
    from clopbench.results.records import Store
    from clopbench.suite.suite import Suite

    suite = Suite.locate(folders.suite, folders.methods_dir)
    findings = list(_examine(suite, Store(folders.results), in_full))
    if as_json:
        print_json([{"check": one.check, "ok": one.ok, "text": one.text} for one in findings])
    else:
        for line in map(_line, findings) if in_full else _folded(findings):
            say(line)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _line(finding: Finding) -> str:
    return f"{'ok ' if finding.ok else 'BAD'} {finding.check}: {finding.text}"


def _folded(findings: Sequence[Finding]) -> list[str]:
    """The same in a few lines: what is well of one kind in one, and what is not as far as there is room."""
    items: dict[str, list[str]] = {}
    for one in findings:
        if one.ok and one.kind:
            items.setdefault(one.kind, []).append(one.item)
    well = [_line(one) for one in findings if one.ok and not one.kind]
    well += [f"ok  {kind}: {', '.join(names)}" for kind, names in items.items()]
    bad = [_line(one) for one in findings if not one.ok]
    room = MOST_LINES - len(well)
    if len(bad) > room:
        bad = [*bad[: room - 1], f"BAD … and {len(bad) - room + 1} more (--all shows them)"]
    return [*well, *bad]


def _examine(suite: "Suite", store: "Store", in_full: bool) -> Iterator[Finding]:
    """Yield findings one by one. The slow one, building methods, begins first, in other processes.

    in_full: all methods are built, also those that were built well before.
    """
    from clopbench.launch.checkout import package_folder, sha256_of
    from clopbench.launch.taking import take
    from clopbench.suite import trial
    from clopbench.suite.tried import Tried

    with ThreadPoolExecutor(1) as beside:
        plugins = list(map(suite.plugins.get, suite.plugins.names()))
        before = Tried(sha256_of(package_folder()))
        known = [] if in_full else list(filter(before.knows, plugins))
        new = [plugin for plugin in plugins if plugin not in known]
        building = beside.submit(trial.rows, new) if new else None
        yield Finding("python", True, f"{platform.python_version()} on {platform.platform()}")
        yield Finding("cores", True, f"{os.cpu_count()}")
        yield Finding("precision", True, _bfloat16())
        yield Finding("suite", True, f"{suite.root}: {', '.join(suite.benchmark_names())}")
        problems = suite.problems()
        for problem in problems:
            yield Finding("declarations", False, problem)
        if not problems:
            tables = len(suite.table_names())
            yield Finding("declarations", True, f"{tables} tables fit their benchmarks at all scales")
        yield from _attempt("results", lambda: _results(store))
        yield from _data()
        rows = {row["name"]: row for row in (building.result() if building else [])}
    before.note(plugin for plugin in new if rows[plugin.name]["problem"] is None)
    yield from (_method(plugin.name, rows.get(plugin.name)) for plugin in plugins)
    taken = take()
    yield Finding("device", not taken.broken, f"--device auto takes {taken.words}")
    yield Finding("torch", True, _torch() if in_full else importlib.metadata.version("torch"))


def _method(name: str, row: dict[str, Any] | None) -> Finding:
    """row: of `trial.rows`, None where the file was built well before."""
    if row is None:
        return Finding(f"method {name}", True, "as tried before", METHODS, name)
    good = row["problem"] is None
    text = f"version {row['version']} from {row['file']}" if good else row["problem"]
    return Finding(f"method {name}", good, text, METHODS, name)


def _data() -> Iterator[Finding]:
    for row in data.rows():
        missing = "how" in row
        text = f"{row['state']}: {row['summary']}" + (f"; `{row['how']}`" if missing else "")
        kind = "data sets that are not prepared (`bench data list` says how)" if missing else "data sets"
        yield Finding(f"data {row['name']}", row["state"] != "damaged", text, kind, row["name"])


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
