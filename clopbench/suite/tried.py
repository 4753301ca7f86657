"""Which method files were built well before, so that `bench doctor` need not import torch to say so again.

A file is tried anew once its bytes, the engine's, or the versions of Python or torch are others. What failed is
never remembered, nor is a method of an installed package, whose other files may have changed.
"""

import hashlib
import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from clopbench.suite.plugins import Plugin

MOST = 1000
"""Files that are remembered, the newest."""


def path() -> Path:
    """Where it is kept: a line of SHA-256 (hex) for each."""
    return user_cache_path("clop-bench") / "tried-methods.txt"


class Tried:
    """What is remembered on this machine. engine: a hash of the engine's files."""

    def __init__(self, engine: str):
        self.circumstances = f"{engine} {platform.python_version()} {importlib.metadata.version('torch')}"
        self.lines = _read()

    def knows(self, plugin: "Plugin") -> bool:
        """Whether the file as it is now was built well before."""
        return self._line(plugin) in self.lines

    def note(self, plugins: "Iterable[Plugin]") -> None:
        """Remember files that were built well. A cache that cannot be written only costs time."""
        new = [line for plugin in plugins if (line := self._line(plugin)) and line not in self.lines]
        if not new:
            return
        self.lines = [*self.lines, *new][-MOST:]
        with suppress(OSError):
            path().parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path().parent, prefix=f".{path().name}-")
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.writelines(f"{line}\n" for line in self.lines)
            Path(temporary).replace(path())

    def _line(self, plugin: "Plugin") -> str | None:
        if plugin.module is not None or plugin.problem is not None or not plugin.path.is_file():
            return None
        try:
            content = plugin.path.read_bytes()
        except OSError:
            return None
        return hashlib.sha256(f"{self.circumstances} {plugin.name}\0".encode() + content).hexdigest()


def _read() -> list[str]:
    try:
        return path().read_text(encoding="ascii").split()[-MOST:] if path().is_file() else []
    except (OSError, ValueError):
        return []
