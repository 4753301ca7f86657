"""The links of a Markdown text, as a Markdown parser finds them, and what they may lead to."""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

from markdown_it import MarkdownIt

PARSER = MarkdownIt("commonmark").enable("table")


def links(text: str) -> Iterator[str]:
    """Where links and pictures lead, but not those to other sites."""
    for block in PARSER.parse(text):
        for token in block.children or ():
            target = token.attrGet("href") or token.attrGet("src")
            if target and not re.match(r"[a-z]+:", str(target)):
                yield unquote(str(target))


def anchors(text: str) -> list[str]:
    return re.findall(r'<a id="([^"]+)">', text)


def resolved(page: str, target: str) -> tuple[str, str]:
    """A link on a page as (path from the same root as the page's, anchor or '')."""
    file, _, anchor = target.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), file)) if file else page, anchor
