"""The report as one HTML file that needs nothing else: tables, verdicts, figures, and every cell behind them.

Like RESULTS.md it holds nothing but what the records say, so that equal records give equal bytes. The page's
own frame, style and scripts are the files in page/; a policy in its head forbids whatever else.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import PurePosixPath
from string import Template
from xml.etree.ElementTree import Element

from clopbench.report import layout, summary
from clopbench.report.document import Document, collect, make_document, margins, not_run
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.pictures import WITHIN_A_PAGE
from clopbench.report.formats.markdown import Markdown
from clopbench.report.html.cards import claim_cards
from clopbench.report.html.cells import cells_data, packed
from clopbench.report.html.markup import Child, append, element, inline, prose, to_text
from clopbench.report.html.tables import Groups, at_scale, chip, grid, grid_entry, place
from clopbench.report.publication import arms_by_scale
from clopbench.report.results_page import answers, by_importance
from clopbench.report.tables import Table
from clopbench.results.looks import RecordedLook
from clopbench.results.records import Record
from clopbench.suite.suite import Suite

SCRIPTS = ("sorting.js", "filters.js", "fitting.js", "curves.js", "cells.js", "start.js")
TITLE = "Contrastive learning with orthonormal prototypes: what was reproduced"
QUESTION = "Does the paper hold?"

ABOUT = Markdown("""\
The paper: *Semi-Supervised Contrastive Learning with Orthonormal Prototypes* (CLOP, arXiv 2512.07880).
Values are means over n seeds ± the half-width of the 95 % t interval. Claims are tested over paired seeds: a
seed fixes the labelled subset, the initial weights and the batches for all rows. Sign flips over these seeds
give p, and adjusted p, which is corrected over all claims that have records at the scale. A verdict is
*fragile* if leaving out a single seed undoes it. At any scale but the paper's, values are *not comparable*
with the paper's, and only claims get a verdict. **Every number opens the cells behind it**, with their
configuration, hardware and learning curves.
""")


def to_html(
    suite: Suite, tables: Mapping[str, Sequence[Table]], document: Document, records: Mapping[str, Record]
) -> str:
    """The page. `document`: for its pictures and their captions; `records`: cell id → what was recorded."""
    sizes = summary.scales(suite)
    tables = {
        name: sorted(at_scales, key=lambda table: sizes.index(table.scale.name))
        for name, at_scales in tables.items()
    }
    groups = Groups()
    pictures = _by_folder(document)
    tables = {name: tables[name] for name in by_importance(suite, tables)}
    contents = [
        _table(suite, name, at, pictures.get(layout.folder(name), []), groups) for name, at in tables.items()
    ]
    wanted = {cell.id for at in tables.values() for table in at for cell in table.cells}
    data = cells_data(records[cell_id] for cell_id in wanted) | {"groups": groups.content}
    style, script = _page("report.css"), "".join(_page(name) for name in SCRIPTS)
    return Template(_page("report.html")).substitute(
        title=TITLE,
        policy=_policy(style, script),
        style=style,
        toolbar=to_text(_toolbar(suite, tables)),
        contents=to_text(_contents(suite, tables)),
        main="\n".join(map(to_text, [*_summary(suite, tables), *contents])),
        data=packed(data),
        script=script,
    )


def report(
    suite: Suite,
    records_by_scale: Mapping[str, Sequence[Record]],
    attachments: Attachments | None = None,
    looks: Sequence[RecordedLook] = (),
    note: Callable[[RecordedLook], object] = lambda _: None,
) -> str:
    """The page on some records, as the other documents are made of them. looks, note: as of `collect`."""
    tables = collect(suite, arms_by_scale(records_by_scale), looks, note)
    by_id = {record.cell.id: record for records in records_by_scale.values() for record in records}
    return to_html(
        suite, tables, make_document(suite, tables, attachments=attachments, endings=WITHIN_A_PAGE), by_id
    )


def _page(name: str) -> str:
    return (files("clopbench.report.html") / "assets" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, and nothing may run but what this page was written with."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _scales_with_records(suite: Suite, tables: Mapping[str, Sequence[Table]]) -> list[str]:
    present = {table.scale.name for at_scales in tables.values() for table in at_scales}
    return [scale for scale in summary.scales(suite) if scale in present]


def _toolbar(suite: Suite, tables: Mapping[str, Sequence[Table]]) -> Element:
    toggles = [
        element("button", scale, type_="button", class_="toggle", data_toggles=scale, aria_pressed="true")
        for scale in _scales_with_records(suite, tables)
    ]
    search = element(
        "input", type_="search", id_="search", placeholder="name, claim, method …", aria_keyshortcuts="/"
    )
    return element(
        "div",
        element("label", "Find tables ", search),
        element("div", element("span", "Scales "), *toggles, role="group", aria_label="Scales shown"),
        element("output", id_="shown", role="status"),
        class_="tools",
    )


def _contents(suite: Suite, tables: Mapping[str, Sequence[Table]]) -> Element:
    """Links to every table; those without records are marked."""
    items = [element("li", element("a", "The answer", href="#summary"))]
    for name, at_scales in tables.items():
        link = element("a", suite.table(name).title, href=f"#{layout.anchor(name)}")
        items.append(element("li", link, class_=None if at_scales else "empty", data_of=name))
    return element("ul", *items)


def _summary(suite: Suite, tables: Mapping[str, Sequence[Table]]) -> list[Element]:
    """The answer with the claims as cards, and folded below it whatever else is said of all tables."""
    answer, _, more = summary.own_words(suite).partition("\n\n")
    made = element("section", element("h2", QUESTION), id_="summary")
    if answer:
        append(made, element("div", prose(Markdown(answer)), class_="answer"))
    append(made, *claim_cards(answers(suite, tables)))
    head = ["table", "known", *summary.NUMBER_VERDICTS]
    lines = [
        [_link_entry(name), *(grid_entry(count) for count in counts)]
        for name, *counts in summary.paper_numbers(suite, tables)
    ]
    folded = [
        _folded("All claims at each scale", _claim_matrix(suite, tables)),
        _folded(
            "What was run, and the paper's numbers",
            element("p", summary.counted(suite, tables)),
            grid("the paper's numbers, at its own scale", head, lines),
        ),
        _folded("In more words", prose(Markdown(more))) if more else None,
        _folded("How to read this page", prose(ABOUT)),
    ]
    return [append(made, *folded)]


def _folded(title: str, *content: Child) -> Element:
    return element("details", element("summary", title), *content, class_="more")


def _claim_matrix(suite: Suite, tables: Mapping[str, Sequence[Table]]) -> Element:
    """Claims × scales; each verdict leads to the table at that scale."""
    head = ["claim", "table", *summary.scales(suite)]
    lines = []
    for name, claim, found in summary.claim_verdicts(suite, tables):
        present = {table.scale.name for table in tables[name]}
        entries = []
        for scale, verdict in found.items():
            shown = chip(verdict.word)
            if verdict.fragile:
                append(shown, element("small", summary.FRAGILE))
            if scale in present:
                shown = element("a", shown, href=f"#{place(name, scale)}")
            entries.append(grid_entry("", shown, data_scale=scale))
        lines.append([grid_entry("", claim.text, header=True), _link_entry(name), *entries])
    made = grid("claims at each scale", head, lines)
    for heading, scale in zip(made.findall(".//thead//th")[2:], summary.scales(suite), strict=True):
        heading.set("data-scale", scale)
    return made


def _link_entry(name: str) -> Element:
    return grid_entry("", element("a", name, href=f"#{layout.anchor(name)}"))


def _table(
    suite: Suite, name: str, at_scales: Sequence[Table], pictures: Sequence[Element], groups: Groups
) -> Element:
    declaration = suite.table(name)
    heading, place = element("h2", declaration.title), layout.anchor(name)
    made = element("section", heading, class_="table", id_=place, data_name=name)
    source = f"The paper's numbers: {declaration.paper.source}; {declaration.paper.setting}."
    append(made, element("p", source, class_="note"))
    for margin in margins(declaration):
        append(made, element("p", margin, class_="note"))
    if not at_scales:
        append(made, element("p", inline(not_run(suite, name)), class_="not-run"))
    for table in at_scales:
        append(made, at_scale(table, groups))
    return append(made, *pictures)


def _by_folder(document: Document) -> dict[str, list[Element]]:
    """Folder of a table → the pictures that lie in it."""
    found: dict[str, list[Element]] = {}
    for path in map(PurePosixPath, document.pictures):
        if path.suffix in WITHIN_A_PAGE:
            shown = _figure(
                document.pictures[str(path)], document.shown.get(str(path.with_suffix("")), path.stem)
            )
            found.setdefault(str(path.parent), []).append(shown)
    return found


def _figure(webp: bytes, caption: str) -> Element:
    source = f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
    picture = element("img", src=source, alt=caption, loading="lazy", decoding="async")
    return element("figure", picture, element("figcaption", caption))
