"""One table at one scale as HTML: its sheets, claims and comparisons, with buttons that open the cells.

Texts are those of RESULTS.md; what is added is what a click needs: the groups of cells behind numbers and
claims, and the values that columns are sorted by.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from clopbench.report import layout
from clopbench.report.claims.tested import Claim
from clopbench.report.formats import sheets, sign_sheets, wording
from clopbench.report.formats.sheet import Sheet
from clopbench.report.html.markup import Child, append, element
from clopbench.report.observations import BROKEN, Number
from clopbench.report.paper_numbers import NOT_COMPARABLE, NOT_KNOWN
from clopbench.report.remarks import problems, provenance, skipped
from clopbench.report.summary import SYMBOLS
from clopbench.report.tables import Table
from clopbench.statistics.replication import DIFFERS_INSIDE, OPEN, OUTSIDE, REPRODUCED

# The first number of a text such as '96.75 ± 0.56', '< 0.001', '3 of 10' or 'ratio of sd 1.34 [0.64, 2.82]'.
_LEADING = re.compile(r"(?:ratio of sd |< )?([+−-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|∞))")

CHIPS = SYMBOLS | {
    **{REPRODUCED: "✔", DIFFERS_INSIDE: "≈", OUTSIDE: "✘", OPEN: "?"},
    **{NOT_COMPARABLE: "≠", NOT_KNOWN: "–"},
}


@dataclass
class Groups:
    """What opens on a click: key → title, the metrics to show, and the cells with their labels."""

    content: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_number(self, table: Table, number: Number) -> str:
        """The key under which a number's cells open."""
        label = wording.name(table, number.coordinates)
        key = f"{layout.anchor(table.name)}-{wording.anchor(table, number.coordinates)}"
        axes = [f"{axis} {table.point_label(point)}" for axis, point in number.coordinates.items()]
        cells = {cell.id: label for cell in number.cells}
        return self._add(key, table, label, cells, [number.metric], ", ".join(axes).replace("_", " "))

    def add_claim(self, table: Table, claim: Claim) -> str:
        """The key under which a claim's cells open."""
        # A chosen point has the cells of another one, which stands first.
        places = {cell.id: number for number in reversed(table.numbers) for cell in number.cells}
        cells = {cell.id: wording.name(table, places[cell.id].coordinates) for cell in claim.cells}
        key = claim_key(table, claim)
        return self._add(key, table, claim.declaration.text, cells, [claim.metric])

    def _add(
        self, key: str, table: Table, title: str, cells: Mapping[str, str], metrics: list[str], point: str = ""
    ) -> str:
        own = table.declaration
        known = {own.metric: (own.metric_title, own.format)}
        known |= {column.metric: (column.title, column.format) for column in table.also}
        shown = dict.fromkeys([*metrics, *known])
        self.content[key] = {
            "title": title,
            "where": f"{own.title}, scale {table.scale.name}{': ' if point else ''}{point}",
            "metrics": [[metric, *known.get(metric, (metric, "number"))] for metric in shown],
            "cells": list(cells.items()),
        }
        return key


def at_scale(table: Table, groups: Groups) -> Element:
    """A table at one scale: every sheet, then its claims."""
    anchor = place(table.name, table.scale.name)
    made = element("section", class_="scale", id_=anchor, data_scale=table.scale.name)
    append(made, element("h3", "Scale ", table.at, element("small", table.scale.summary)))
    if not table.scale.is_paper:
        append(
            made,
            element("p", "Absolute values are not comparable with the paper’s: another scale.", class_="note"),
        )
    for sheet in sheets.sheets(table):
        append(made, _sheet(table, sheet, groups))
    for sheet in sheets.further_sheets(table):
        lines = [[grid_entry(text) for text in line] for line in sheet.body]
        append(made, grid(sheet.title, sheet.head, lines))
    for sentence in [*sign_sheets.limits(table), *skipped(table)]:
        append(made, element("p", sentence, class_="note"))
    if table.claims:
        append(made, _claims(table, groups), _problems(table))
    if comparisons := sheets.comparison_rows(table):
        lines = [[grid_entry(text) for text in line] for line in comparisons]
        count = f"Every comparison of the claims ({len(lines)})"
        append(made, element("details", element("summary", count), grid("", sheets.COMPARISON_HEADINGS, lines)))
    append(made, element("p", provenance(table.cells), class_="provenance"))
    return made


def place(table: str, scale: str) -> str:
    """The id of a table at a scale."""
    return f"{layout.anchor(table)}-{layout.anchor(scale)}"


def claim_key(table: Table, claim: Claim) -> str:
    """The key under which a claim's cells open."""
    return f"{place(table.name, table.scale.name)}~claim-{claim.declaration.name}"


def grid(title: str, head: Sequence[str], lines: Sequence[Sequence[Element]]) -> Element:
    """A table whose columns can be sorted, in a frame that scrolls; the entries are td or th elements."""
    top = element("tr", *(_heading(text) for text in head))
    rows = [element("tr", *line) for line in lines]
    caption = element("caption", wording.sentence(title)) if title else None
    table = element("table", caption, element("thead", top), element("tbody", *rows), class_="sortable")
    label = title or f"table by {head[0]}"
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


def grid_entry(text: str, *content: Child, header: bool = False, **attributes: object) -> Element:
    """An entry of a grid that is sorted by the number its text begins with, if it does."""
    shown = content or (text,)
    if header:
        attributes |= {"scope": "row"}
    return element("th" if header else "td", *shown, data_value=leading_number(text), **attributes)


def leading_number(text: str) -> str | None:
    """The number that a text begins with, as JavaScript reads it; None for '–', 'not run' and the like."""
    found = _LEADING.match(text)
    return found[1].replace("−", "-").replace("∞", "Infinity").removeprefix("+") if found else None


def chip(verdict: str) -> Element:
    """A verdict with its symbol; colour is never the only sign."""
    kind = verdict.replace(" ", "-").replace("'", "")
    symbol = element("span", CHIPS.get(verdict, "·"), aria_hidden="true", class_="symbol")
    return element("span", symbol, verdict, class_=f"chip {kind}")


def _heading(text: str) -> Element:
    return element("th", element("button", text, type_="button", class_="sort"), scope="col")


def _opener(text: str, key: str) -> Element:
    """The button that a number is. Its value is not broken; what stands beside it in brackets may be."""
    value, bracket, aside = text.partition(" (")
    parts = [element("span", value, class_="value")]
    if bracket:
        parts += [" ", element("span", f"({aside}", class_="aside")]
    return element("button", *parts, type_="button", class_="number", data_opens=key, aria_haspopup="dialog")


def _verdict(verdict: str, text: str) -> Element:
    """An entry with a verdict, and its reason below."""
    reason = text.removeprefix(verdict).lstrip(" ,:;")
    if reason.startswith("("):
        reason = reason[1:-1]
    small = element("small", reason) if reason else None
    return grid_entry("", chip(verdict), small, class_="verdict")


def _sheet(table: Table, sheet: Sheet, groups: Groups) -> Element:
    by_place = {frozenset(number.coordinates.items()): number for number in table.numbers}
    lines = []
    for row, line in enumerate(sheet.body):
        entries = []
        for column, text in enumerate(line):
            point = sheet.links.get((row, column))
            if point is not None:
                number = by_place[frozenset(point.items())]
                opener = _opener(text, groups.add_number(table, number))
                entries.append(grid_entry(text, opener, class_=_endings(number)))
            elif sheet.head[column] == "verdict":
                verdict = next((word for word in CHIPS if text.startswith(word)), text)
                entries.append(_verdict(verdict, text))
            else:
                entries.append(grid_entry(text, header=column == 0))
        lines.append(entries)
    return grid(sheet.title, sheet.head, lines)


def _endings(number: Number) -> str | None:
    """Classes of an entry whose cells did not all end well."""
    ended = [status for status in BROKEN if number.count(status)]
    return " ".join(ended) or None


def _claims(table: Table, groups: Groups) -> Element:
    """The claims; verdicts stand in front, so that they are seen where the table is too wide."""
    lines = []
    for claim, texts in zip(table.claims, sheets.claim_rows(table), strict=True):
        text, effect, *others, verdict = texts
        key = groups.add_claim(table, claim) if claim.cells else None
        lines.append(
            [
                grid_entry("", text, header=True),
                _verdict(claim.verdict.verdict, verdict),
                grid_entry(effect, _opener(effect, key) if key else effect),
                *(grid_entry(other) for other in others),
                grid_entry("", claim.declaration.evidence, class_="evidence"),
            ]
        )
    text, *others, verdict = sheets.CLAIM_HEADINGS
    return grid(sheets.claims_title(table), [text, verdict, *others, "the paper"], lines)


def _problems(table: Table) -> Element | None:
    """Seeds that were not pairs, and seeds that had to be left out."""
    texts = list(problems(table))
    return element("ul", *(element("li", text) for text in texts), class_="problems") if texts else None
