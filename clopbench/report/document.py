"""RESULTS.md and the folder of each table: which files there are, and what stands in them.

Documents hold nothing but what the records say (no dates, no paths), so that equal records give equal bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clopbench.errors import unknown
from clopbench.report import amounts, layout
from clopbench.report.claims.kinds import kind_of
from clopbench.report.figures.attachments import Attachments
from clopbench.report.figures.pictures import BESIDE_A_PAGE, Files, Picture, Some, pictures
from clopbench.report.formats import markdown, sheets, sign_sheets, threshold_wording, wording
from clopbench.report.formats.csv_file import to_csv
from clopbench.report.formats.latex import to_latex
from clopbench.report.formats.markdown import Markdown, code, fill, image, joined, link
from clopbench.report.front_page import front_page
from clopbench.report.observations import Arms, Number
from clopbench.report.remarks import problems, provenance, skipped
from clopbench.report.results_page import results_page
from clopbench.report.summary import NO_WORDS, own_words, scales
from clopbench.report.tables import Table, family_at, judged
from clopbench.report.threshold_lines import Line
from clopbench.results.looks import RecordedLook
from clopbench.results.records import write_atomic
from clopbench.suite.declarations import Coordinates, TableDeclaration
from clopbench.suite.suite import DEFAULT_SCALE, Suite


@dataclass(frozen=True)
class Document:
    """Files to write, by path relative to the output folder. Pictures are not compared by `--check`."""

    texts: dict[str, str]
    pictures: Mapping[str, bytes]
    shown: Mapping[str, str] = field(default_factory=dict)
    """Path of a picture, without its ending → what it shows, in words."""

    def of_tables(self, names: Sequence[str]) -> "Document":
        """What lies in the folders of some tables."""
        folders = tuple(f"{layout.folder(name)}/" for name in names)
        texts = {name: text for name, text in self.texts.items() if name.startswith(folders)}
        return Document(texts, Some(self.pictures, folders), self.shown)

    def write(self, folder: Path) -> list[Path]:
        """Write all files that changed. Returns their paths."""
        written = []
        contents = {**{name: text.encode() for name, text in self.texts.items()}, **self.pictures}
        for name, content in contents.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, content)
                written.append(path)
        return written

    def drift(self, folder: Path) -> list[str]:
        """Names of the texts that differ from the files, and of the pictures that are missing."""
        names = [
            name
            for name, text in self.texts.items()
            if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
        ]
        return names + [name for name in self.pictures if not (folder / name).is_file()]


def collect(
    suite: Suite,
    arms_by_scale: dict[str, Arms],
    looks: Sequence[RecordedLook] = (),
    note: Callable[[RecordedLook], object] = lambda _: None,
) -> dict[str, list[Table]]:
    """Each declared table at each scale for which there are records.

    All claims at one scale are corrected together. looks: those that were taken at them; note: hears of the
    ones that this report is. Raises UserError where a table does not fit its benchmark.
    """
    tables: dict[str, list[Table]] = {name: [] for name in suite.table_names()}
    for scale, arms in arms_by_scale.items():
        filled, now = judged(family_at(suite, scale, arms), looks)
        if now is not None:
            note(now)
        for table in filled:
            if table.cells:
                tables[table.name].append(table)
    return tables


def report(
    suite: Suite,
    arms_by_scale: dict[str, Arms],
    attachments: Attachments | None = None,
    looks: Sequence[RecordedLook] = (),
    note: Callable[[RecordedLook], object] = lambda _: None,
    names: Sequence[str] = (),
) -> Document:
    """The whole report on some records, with the paragraph that people wrote.

    attachments: where their spectra and embeddings are found; None: where the published ones are. looks, note:
    as of `collect`. names: only the folders of these tables, whose verdicts are those of the whole report.
    Raises UserError for a table that does not exist.
    """
    if strange := [name for name in names if name not in suite.table_names()]:
        raise unknown("table", strange[0], suite.table_names())
    document = make_document(suite, collect(suite, arms_by_scale, looks, note), own_words(suite), attachments)
    return document.of_tables(names) if names else document


def make_document(
    suite: Suite,
    tables: dict[str, list[Table]],
    words: Markdown = NO_WORDS,
    attachments: Attachments | None = None,
    endings: Sequence[str] = BESIDE_A_PAGE,
) -> Document:
    """RESULTS.md, the answer on the front page, and for every table its page, CSV, LaTeX and figures.

    endings: the formats of the figures.
    """
    attachments = attachments or Attachments(suite)
    drawn = {name: pictures(at, attachments) if at else [] for name, at in tables.items()}
    texts: dict[str, str] = {}
    for name, at_scales in tables.items():
        folder = layout.folder(name)
        texts[layout.page(name)] = _table_page(suite, name, at_scales, drawn[name])
        texts[f"{folder}/{layout.CSV}"] = to_csv(at_scales)
        texts[f"{folder}/{layout.LATEX}"] = to_latex(at_scales)
    texts[layout.RESULTS] = results_page(suite, tables, words, drawn, partial(not_run, suite))
    if (front := front_page(suite, tables)) is not None:
        texts[layout.FRONT] = front
    by_folder = {layout.folder(name): some for name, some in drawn.items()}
    shown = {f"{folder}/{picture.name}": picture.alt for folder, some in by_folder.items() for picture in some}
    return Document(texts, Files(by_folder, endings), shown)


def not_run(suite: Suite, name: str) -> Markdown:
    """How to run it, and at which scales it cannot be run, and why."""
    benchmarks = {scale: suite.benchmark(suite.table(name).benchmark, scale) for scale in scales(suite)}
    possible = [scale for scale, benchmark in benchmarks.items() if benchmark.entries]
    option = f" --scale {possible[0]}" if possible and possible[0] != DEFAULT_SCALE else ""
    command = code(f"bench run {suite.table(name).benchmark} --seeds 10{option}")
    lines = [fill("Not run. {} runs it.", command)]
    lines += [
        fill("Scale {}: {}.", scale, reason)
        for scale, benchmark in benchmarks.items()
        for reason in benchmark.skip_reasons
        if not benchmark.entries
    ]
    return joined(" ", lines)


def _table_page(suite: Suite, name: str, at_scales: list[Table], drawn: Sequence[Picture]) -> Markdown:
    declaration = suite.table(name)
    parts = [
        fill("# {}\n", declaration.title),
        fill(
            "Regenerated by `bench report`; do not edit. Back to {}. The same as {} and {}.\n",
            link("all results", f"../../{layout.RESULTS}"),
            link("CSV", layout.CSV),
            link("LaTeX", layout.LATEX),
        ),
        fill("The paper's numbers: {}; {}.\n", declaration.paper.source, declaration.paper.setting),
        *(fill("{}\n", sentence) for sentence in margins(declaration)),
        *map(_figure, drawn),
    ]
    if not at_scales:
        parts.append(fill("{}\n", not_run(suite, name)))
    for table in at_scales:
        parts.append(_section(table))
        if comparisons := sheets.comparison_rows(table):
            parts.append(fill("### Every comparison of the claims\n"))
            parts.append(fill("{}\n", markdown.table(sheets.COMPARISON_HEADINGS, comparisons)))
        if table.thresholds:
            parts.append(fill("### Thresholds, seed by seed\n"))
            parts.extend(_brackets(table, line) for line in table.thresholds)
        parts.append(fill("### Cells behind each number\n"))
        parts.extend(_cells(table, number) for number in table.numbers)
    return joined("\n", parts)


def _figure(picture: Picture) -> Markdown:
    """A figure with its caption, and in a line each what it should show and does not."""
    parts = [fill("{}\n", sentence) for sentence in picture.missing]
    if picture.draw is not None:
        shown = fill("{}\n", image(picture.alt, f"{picture.name}.png"))
        parts = [shown, fill("{} ({})\n", picture.caption, link("PDF", f"{picture.name}.pdf")), *parts]
    return joined("\n", parts)


def margins(declaration: TableDeclaration) -> list[str]:
    """The margins that verdicts rest on, each with its reason."""
    margins = []
    if declaration.paper.margin is not None:
        amount = amounts.with_unit(declaration.format, declaration.paper.margin)
        margins.append(f"Reproduced means within ±{amount}: {declaration.paper.margin_reason}.")
    for claim in declaration.claims:
        kind = kind_of(claim, declaration)
        if (bound := kind.bound) is not None:
            amount = amounts.with_unit(kind.format, bound.amount)
            margins.append(f"{bound.word} of '{claim.text}': {amount}, {bound.reason}.")
    return margins


def _section(table: Table) -> Markdown:
    """One table at one scale, on its own page."""
    parts = [fill("### Scale {}: {}\n", table.at, table.scale.summary)]
    if not table.scale.is_paper:
        parts.append(fill("Absolute values are **not comparable** with the paper's (another scale).\n"))
    for sheet in [*sheets.sheets(table), *sheets.further_sheets(table)]:
        if sheet.title:
            parts.append(fill("{}:\n", wording.sentence(sheet.title)))
        parts.append(fill("{}\n", markdown.table(sheet.head, sheet.linked(_linker(table)))))
    parts.extend(fill("{}\n", sentence) for sentence in [*sign_sheets.limits(table), *skipped(table)])
    if table.claims:
        claims = [
            [*line, claim.declaration.evidence]
            for line, claim in zip(sheets.claim_rows(table), table.claims, strict=True)
        ]
        head = [*sheets.CLAIM_HEADINGS, "the paper"]
        parts.append(fill("{}:\n", sheets.claims_title(table)))
        parts.append(fill("{}\n", markdown.table(head, claims)))
        parts.extend(fill("{}\n", sentence) for sentence in problems(table))
    parts.append(fill("{}\n", provenance(table.cells)))
    return joined("\n", parts)


def _linker(table: Table) -> Callable[[str, Coordinates], str]:
    return lambda text, point: link(text, f"#{wording.anchor(table, point)}")


def _cells(table: Table, number: Number) -> Markdown:
    kind = table.declaration.format
    listing = [
        fill(
            "seed {} {}{}{}",
            cell.seed,
            code(cell.id),
            Markdown(f" {amounts.value(kind, number.values[cell.seed])}" if cell.seed in number.values else ""),
            fill(" ({})", cell.status) if cell.status != "done" else "",
        )
        for cell in number.cells
    ]
    place, label = wording.anchor(table, number.coordinates), wording.name(table, number.coordinates)
    return _listed(place, label, listing or ["no cells"])


def _listed(place: str, label: str, entries: Sequence[str]) -> Markdown:
    return fill("{}**{}**: {}.\n", markdown.anchor(place), label, joined(", ", entries))


def _brackets(table: Table, line: Line) -> Markdown:
    """Between which points of the grid each seed's threshold lies, with the estimate inside."""
    listing = [f"seed {s} {threshold_wording.one_seed(one)}" for s, one in line.brackets.items()]
    label = f"{line.declaration.text}: {sheets.threshold_name(table, line)}"
    return _listed(wording.anchor(table, sheets.threshold_point(line)), label, listing or ["no seeds"])
