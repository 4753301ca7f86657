"""What goes back to the shell: lines, JSON, a console for tables and bars, and the exit statuses."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

EXIT_FAILED, EXIT_USAGE, EXIT_INCOMPLETE, EXIT_INTERRUPTED = 1, 2, 3, 130


def say(line: str) -> None:
    """Print a line as it is and at once: who reads a pipe sees it before the work goes on."""
    print(line, flush=True)


def warn(line: str) -> None:
    """Print a line on stderr, where it spoils no JSON."""
    print(line, file=sys.stderr, flush=True)


def say_damages(damages: Iterable[str], as_json: bool = False) -> None:
    """Name the records that could not be used, each once. Raises Exit where there are any."""
    import typer

    for line in (lines := dict.fromkeys(damages)):
        (warn if as_json else say)(line)
    if lines:
        raise typer.Exit(EXIT_FAILED)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def console(width: int = 120) -> "Console":
    """A console for what is more than lines. Without a terminal to ask, so wide; lines are never cut."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else width)
