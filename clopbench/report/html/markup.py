"""HTML as a tree of elements: text and attributes are escaped when it is written, never by hand."""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from markdown_it import MarkdownIt

from clopbench.errors import visible
from clopbench.report import layout
from clopbench.report.formats.markdown import Markdown

Child = Element | str | None

# Raw HTML in prose stays text; what comes out is well-formed XML, so that it can join the tree.
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "xhtmlOut": True}).enable("table")


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """One element. class_ is the attribute 'class', aria_label 'aria-label'; None means: without it."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            made.set(name.rstrip("_").replace("_", "-"), "" if value is True else _readable(str(value)))
    return append(made, *children)


def append(parent: Element, *children: Child) -> Element:
    """Add elements and texts at the end of `parent`, and return it."""
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif child and len(parent):
            parent[-1].tail = (parent[-1].tail or "") + _readable(child)
        elif child:
            parent.text = (parent.text or "") + _readable(child)
    return parent


def prose(markdown: Markdown) -> Element:
    """Paragraphs, lists and tables, as a div."""
    return _parsed("div", _MARKDOWN.render(_readable(markdown)))


def inline(markdown: Markdown) -> Element:
    """A line of Markdown, as a span."""
    return _parsed("span", _MARKDOWN.renderInline(_readable(markdown)))


def to_text(made: Element) -> str:
    """The element as HTML."""
    return ElementTree.tostring(made, encoding="unicode", method="html")


def _readable(text: str) -> str:
    """What is not seen, and no XML may hold, as escapes; lines and spaces stay."""
    return re.sub(r"\S+", lambda word: visible(word[0]), re.sub(r"[^\S\n\t\u00a0]", " ", text))


def _parsed(tag: str, markup: str) -> Element:
    made = ElementTree.fromstring(f"<{tag}>{markup}</{tag}>")
    for link in made.iter("a"):
        _stay_on_the_page(link)
    return made


def _stay_on_the_page(link: Element) -> None:
    """Links between the Markdown files become links within the page, or mere text."""
    target = link.get("href", "")
    file, _, anchor = target.partition("#")
    table = layout.table_of(file)
    if target.startswith(("http:", "https:")):
        return
    if table is not None and file == layout.page(table):
        place = layout.anchor(table)
        link.set("href", f"#{place}-{anchor}" if anchor else f"#{place}")
    else:
        link.tag = "span"
        del link.attrib["href"]
