"""Trying a method out: read, imported and built once, in a process of its own.

Whatever its file does (raise, exit, print, never come to an end) happens there, and comes back as one line.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import TYPE_CHECKING, Any

from clopbench.errors import UserError, in_words, print_anything

if TYPE_CHECKING:
    from clopbench.suite.plugins import Plugin

PATIENCE = 60.0
"""Seconds that an import and a constructor may take together."""
SIZES = {"dim": 128, "num_classes": 10, "features": 256}
"""What a method is built for."""


PRELOAD = ["clopbench.cli.main", "clopbench.suite.plugins", "clopbench.data.augment", "clopbench.method"]


def warm_up() -> None:
    """Begin to import, in a process beside this one, what all methods need; `rows` waits for it."""
    context = _context()
    context.set_forkserver_preload(PRELOAD)
    if context.get_start_method() == "forkserver":
        forkserver.ensure_running()


def rows(plugins: "Iterable[Plugin]") -> list[dict[str, Any]]:
    """Name, file, and version, summary and parameters of each, or its `problem`."""
    warm_up()
    context = _context()
    return [{"name": one.name, "file": str(one.path), "problem": None} | _try(one, context) for one in plugins]


def _try(plugin: "Plugin", context: ForkServerContext | SpawnContext) -> dict[str, Any]:
    from clopbench.suite.plugins import Plugin

    fresh = Plugin(plugin.name, plugin.path, plugin.module, plugin.problem)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tried, args=(fresh, theirs))
    process.start()
    theirs.close()
    try:
        if ours.poll(PATIENCE):
            return ours.recv()
        problem = f"is not imported and built within {PATIENCE:g} s"
    except EOFError:
        process.join(PATIENCE)
        problem = f"ends the process that imports and builds it ({_ending(process.exitcode)})"
    finally:
        process.kill()
        process.join()
    return {"problem": f"method file {plugin.path} {problem}"}


def _ending(code: int | None) -> str:
    return f"status {code}" if code is None or code >= 0 else signal.Signals(-code).name


def _tried(plugin: "Plugin", answer: Connection) -> None:
    """In the other process: what it prints is nobody's business."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    print_anything()
    try:
        signature = plugin.signature
        found = {"version": signature.version, "summary": signature.summary, "parameters": plugin.listing()}
        build(plugin)
        answer.send(found)
    except UserError as error:
        answer.send({"problem": "; ".join(error.problems)})


def build(plugin: "Plugin") -> None:
    """Build the method with its defaults. Raises UserError where that fails, or what was built is no method.

    One with parameters that have no default is only imported.
    """
    import inspect

    import torch

    from clopbench.data.augment import view_recipes
    from clopbench.method import Method

    loaded, where = plugin.load(), f"method file {plugin.path}"
    if loaded.loss is Method.loss:
        raise UserError(f"{where}: defines no loss()")
    try:
        view_recipes(loaded.views, "none")
    except UserError as error:
        raise UserError(f"{where}: views: {error}") from None
    _check_momentum(loaded.teacher_momentum, where)
    if any(default is ... for _, default in plugin.signature.parameters.values()):
        return
    wanted = inspect.signature(loaded).parameters
    sizes = {name: size for name, size in SIZES.items() if name in wanted}
    try:
        built = loaded(**sizes, generator=torch.Generator(), **plugin.resolve({}))
    except (Exception, SystemExit) as error:
        given = ", ".join(f"{name}={size}" for name, size in sizes.items())
        raise UserError(f"{where} cannot be built with its defaults and {given}: {in_words(error)}") from error
    _check_momentum(built.teacher_momentum, where)


def _check_momentum(momentum: Any, where: str) -> None:
    if momentum is not None and not (isinstance(momentum, int | float) and 0 <= momentum < 1):
        raise UserError(f"{where}: teacher_momentum must be from 0 to below 1 (got {momentum!r})")


def _context() -> ForkServerContext | SpawnContext:
    # As in clopbench.launch: a fork of a process that has used Apple's libraries may crash.
    return multiprocessing.get_context("spawn" if sys.platform == "darwin" else "forkserver")
