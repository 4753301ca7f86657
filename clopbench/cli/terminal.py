"""What goes back to the shell: lines, JSON, a console for tables and bars, and the exit statuses."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from clopbench.errors import encodable, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

EXIT_FAILED, EXIT_USAGE, EXIT_INCOMPLETE, EXIT_INTERRUPTED = 1, 2, 3, 130


def printable(text: object, stream: TextIO | None = None) -> str:
    """A text in one line of signs that `stream` (default: stdout) has and that steer no terminal."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return encodable("\t".join(map(visible, str(text).split("\t"))), encoding)


def say(line: str) -> None:
    """Print one line at once: who reads a pipe sees it before the work goes on."""
    print(printable(line), flush=True)


def warn(line: str) -> None:
    """Print a line on stderr, where it spoils no JSON."""
    print(printable(line, sys.stderr), file=sys.stderr, flush=True)


def say_damages(damages: Iterable[str], as_json: bool = False) -> None:
    """Name the records that could not be used, each once. Raises Exit where there are any."""
    import typer

    for line in (lines := dict.fromkeys(damages)):
        (warn if as_json else say)(line)
    if lines:
        raise typer.Exit(EXIT_FAILED)


def print_json(value: Any, indent: int | None = 1) -> None:
    """JSON in signs that stdout has; what steers a terminal can stand in texts alone, and there is escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    encoding = sys.stdout.encoding or "utf-8"
    if not text.isprintable() or encodable(text, encoding) != text:
        text = "".join(s if s == "\n" or _plain(s, encoding) else json.dumps(s)[1:-1] for s in text)
    print(text, flush=True)


def _plain(sign: str, encoding: str) -> bool:
    return sign.isprintable() and encodable(sign, encoding) == sign


def console(width: int = 120) -> "Console":
    """A console for what is more than lines. Without a terminal to ask, so wide; lines are never cut.

    It reads no markup: what is styled is a rich.text.Text.
    """
    from rich.console import Console

    wide = None if sys.stdout.isatty() else width
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=True, width=wide)


def grid(head: Sequence[str], body: Iterable[Sequence[str]], title: str = "") -> "Grid":
    """A table for a console; every text is shown as it is."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heading = Text(printable(title), style="table.title") if title else None
    made = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    for text in head:
        made.add_column(_text(text))
    for line in body:
        made.add_row(*map(_text, line))
    return made


def _text(words: str) -> Any:
    from rich.text import Text

    return Text(printable(words))
