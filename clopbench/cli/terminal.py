"""What goes back to the shell: lines, JSON, a console for tables and bars, and the exit statuses."""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

EXIT_FAILED, EXIT_USAGE, EXIT_INCOMPLETE, EXIT_INTERRUPTED = 1, 2, 3, 130


def say(line: str) -> None:
    """Print a line as it is and at once: who reads a pipe sees it before the work goes on."""
    print(line, flush=True)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def console(width: int = 120) -> "Console":
    """A console for what is more than lines. Without a terminal to ask, so wide; lines are never cut."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else width)
