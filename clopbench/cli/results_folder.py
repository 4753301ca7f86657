"""Which results folder a verb is about: said before anything else where one may be mistaken about it."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clopbench.cli.terminal import say, warn

DEFAULT = Path("results")
ONLY_WITH = {"report": ("publish", "local", "html")}
"""Verb → options without which it does not look into the results folder."""


def announce(verb: str, given: Mapping[str, Any]) -> None:
    """The first line of a verb, given its options; with --json on stderr."""
    results = given.get("results")
    if not isinstance(results, Path) or not any(given[name] for name in ONLY_WITH.get(verb, ["results"])):
        return
    line = about(results)
    if line is not None:
        (warn if given.get("as_json") else say)(line)


def about(results: Path) -> str | None:
    """A line on a results folder that is not the default one, or is empty where a parent folder's is not."""
    from clopbench.results.files import shown

    fuller = None if holds_anything(results) else _of_a_parent(results)
    if fuller is None and _absolute(results) == _absolute(DEFAULT):
        return None
    line = f"results folder: {shown(_absolute(results))}"
    if holds_anything(results):
        return line
    state = "empty" if os.path.lexists(results) else "not there"
    if fuller is None:
        return f"{line} ({state})"
    return f"{line} ({state}, and {shown(fuller)} is not: --results {shown(os.path.relpath(fuller))})"


def holds_anything(results: Path) -> bool:
    """Whether there is a cell or a submission; in a folder that cannot be looked into there may be some."""
    from clopbench.results.index import holds_cells
    from clopbench.results.records import PARTIAL
    from clopbench.slurm.submission import SUBMISSIONS

    if holds_cells(results):
        return True
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return any(not name.startswith((PARTIAL, "lease.")) for name in os.listdir(results / SUBMISSIONS))
    return False


def _of_a_parent(results: Path) -> Path | None:
    """The nearest folder of the same name, above where one stands, that holds something."""
    if results.is_absolute():
        return None
    folders = (parent / results for parent in Path.cwd().parents)
    return next((folder for folder in folders if _holds_for_sure(folder)), None)


def _holds_for_sure(folder: Path) -> bool:
    try:
        return holds_anything(folder)
    except OSError:  # Somebody else's.
        return False


def _absolute(path: Path) -> str:
    return os.path.realpath(path)
