"""Markdown pages, of words and of markup: what a text says is never read as markup.

A page consists of Markdown, and only `fill`, `link`, `code` and `table` make some: they escape every text that
is not Markdown yet. Templates are literals, which pyright checks, so that no text gets in by another door.
"""

import re
from collections.abc import Iterable, Sequence
from typing import LiteralString
from urllib.parse import quote

from clopbench.errors import visible


class Markdown(str):
    """Text in which signs are markup. Any other str is words."""

    __slots__ = ()


_ALWAYS = r"[\\`*~#$|]"
_ALONE = r"(?<![^\W_])_|_(?![^\W_])"
"""An underscore that is not inside of a word."""
_TAG = r"<(?! )|&(?=[#\w])"
_INTERVAL = r"(?<!!)\[[\d+−-][^\[\]\\`*<&|]*\](?![(\[:])"
"""Brackets that no link can be made of. They stay as they are, because reports are full of them."""
_MARKUP = re.compile(rf"(?P<interval>{_INTERVAL})|(?:{_ALWAYS}|{_ALONE}|{_TAG}|\[)")
_OF_A_LINK = re.compile(rf"(?P<interval>(?!))|(?:{_ALWAYS}|{_ALONE}|{_TAG}|[\[\]])")
_AT_START = re.compile(r"(\d{1,9}(?=[.)](?: |$))|(?=[>=:]|[-+](?:[ -]|$)))")
"""What would make a list, a quotation or a rule of a line."""


def escape(text: str, markup: re.Pattern[str] = _MARKUP) -> Markdown:
    """Words as Markdown that shows them, in one line, of which they are not the start."""
    return Markdown(markup.sub(_escaped, visible(" ".join(text.split()))))


def _escaped(found: re.Match[str]) -> str:
    if found["interval"]:
        return re.sub(_ALONE, r"\\_", found["interval"])
    return f"\\{found[0]}"


def fill(template: LiteralString, *texts: object) -> Markdown:
    """The template with its {} filled: by Markdown as it is, by anything else as words."""
    return Markdown(template.format(*map(_begun, texts)))


def _begun(text: object) -> Markdown:
    """A text that may stand at the start of a line."""
    if isinstance(text, Markdown):
        return text
    line = escape(str(text))
    begin = _AT_START.match(line)
    return Markdown(f"{line[: begin.end()]}\\{line[begin.end() :]}") if begin else line


def link(text: str, target: str) -> Markdown:
    """A link to a path, with an anchor perhaps."""
    return Markdown(f"[{escape(text, _OF_A_LINK)}]({quote(target, safe='/#~')})")


def image(text: str, target: str) -> Markdown:
    """A picture; `text`: what it shows."""
    return Markdown(f"!{link(text, target)}")


def anchor(name: str) -> Markdown:
    """A place that links may lead to; its name as `layout.anchor` makes it."""
    return Markdown(f'<a id="{quote(name, safe="~")}"></a>')


def code(text: str) -> Markdown:
    """Words as they are typed."""
    line = visible(" ".join(text.split())).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if "`" in line else ""
    return Markdown(f"{fence}{space}{line}{space}{fence}")


def joined(separator: LiteralString, parts: Iterable[str]) -> Markdown:
    """Several pieces in a row."""
    return Markdown(separator.join(map(_joining, parts)))


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Markdown:
    """A table of texts, words or Markdown."""
    lines = [head, [Markdown("---")] * len(head), *body]
    return Markdown("\n".join(f"| {joined(' | ', line)} |" for line in lines))


def _joining(text: object) -> Markdown:
    return text if isinstance(text, Markdown) else escape(str(text))
