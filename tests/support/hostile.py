"""Texts that some format would take for markup, and a suite that says them wherever a declaration has words."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from drawing import METHODS, RATES, make_suite

from clopbench.errors import visible
from clopbench.suite.suite import Suite

TAME = "ordinary words"
TEXTS = {
    "rich": "a [/y] b [red]x[/red] :warning:",
    "html": "<script>alert('1')</script><b>x</b> &amp; <!-- y --> \"q\"",
    "emphasis": "*a* __b__ _c_ ~~d~~ snake_case `code`",
    "link": "[a](http://b.c) ![d](e) ](f) [g]: h [1](i) <http://j.k>",
    "heading": "# a #",
    "list": "1. a",
    "item": "- a",
    "quotation": "> a",
    "rule": "---",
    "table": "a | b || c",
    "backslash": "a\\ \\* \\n b\\",
    "latex": "\\input{/etc/passwd} $x^2$ 50% {a} #1 ~ --x ''y'' `z`",
    "option": "[2cm] a",
    "star": "* a",
    "mathtext": "$\\alpha$ costs 5$ or \\$6",
    "underscore": "_hidden_",
    "formula": "=HYPERLINK(A1)",
    "plus": "+1+1",
    "minus": "-1+1",
    "at": "@SUM(A1)",
    "quotes": 'a"b\',\'c""',
    "lines": "a\nb\r\n\r\nc\td",
    "steering": "a\x1b[31mb\x07\x00\x9bc\u202ed",
    "letters": "é λ → 中 🎉 ­ﬁ",
    "template": "$title ${x} {} {0} %s",
}


def shown(text: str) -> str:
    """What a reader sees of a text: one line, without spaces at its ends, control signs as escapes."""
    return visible(" ".join(text.split()))


def suite_saying(folder: Path, text: str, **changes: Any) -> Suite:
    """A table, all of whose words hold the text."""
    points = [*METHODS, *RATES]
    claim = {"name": "beats", "kind": "better", "better": {"method": "clop"}, "than": {"method": "simclr"}}
    stable = {"name": "stable", "kind": "equivalent", "among": {"learning_rate": [0.1, 0.5]}, "margin": 0.01}
    words: dict[str, Any] = {
        "title": text,
        "metric_title": text,
        "labels": {point: f"{text} {number}" for number, point in enumerate(points)},
        "also": [{"metric": "effective_rank", "title": f"{text} rank", "format": "number"}],
        "paper": {
            "source": text,
            "setting": text,
            "values": [{"at": {"method": "clop", "learning_rate": 1}, "mean": 0.7}],
            "margin": 0.01,
            "margin_reason": text,
        },
        "claims": [
            claim | {"text": f"{text} claim", "paper": text},
            stable | {"text": f"{text} stable", "paper": text, "margin_reason": text},
        ],
    }
    return make_suite(folder, **(words | changes))


class Read(HTMLParser):
    """The tags of HTML with the names of their attributes, in order, and the words between them."""

    def __init__(self, markup: str):
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.pieces: list[str] = []
        self.feed(markup)
        self.close()

    @property
    def words(self) -> str:
        return " ".join("".join(self.pieces).split())

    def handle_starttag(self, tag, attrs):
        # Entries that begin with a number are sorted by it, whatever they are.
        self.tags.append((tag, *(name for name, _ in attrs if name != "data-value")))

    def handle_data(self, data):
        self.pieces.append(data)

    def handle_comment(self, data):
        self.tags.append(("comment", data))

    def handle_decl(self, decl):
        self.tags.append(("declaration", decl))

    def handle_pi(self, data):
        self.tags.append(("instruction", data))
