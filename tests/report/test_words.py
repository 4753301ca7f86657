"""What a text says is never read as markup: parsed back, pages have the structure of tame words."""

import csv
import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from drawing import ALL, CURVE, DOTS, SPECTRUM, fill_store, make_records, make_tables
from hostile import TAME, TEXTS, Read, shown, suite_saying
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib import pyplot as plt

from clopbench.report import layout
from clopbench.report.document import make_document
from clopbench.report.figures import canvas
from clopbench.report.figures.attachments import LocalAttachments
from clopbench.report.figures.pictures import pictures
from clopbench.report.formats import csv_file, latex_signs, markdown
from clopbench.report.formats.csv_file import to_csv
from clopbench.report.formats.latex import to_latex
from clopbench.report.html import page

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SAMPLED = st.text(st.sampled_from(list("[]()!*_`~<>#&|\\$-+=:;.,1 2ax/\n\t\"'{}^@%é中\x1b")), max_size=16)
EACH = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def read(text: str) -> Read:
    return Read(MARKDOWN.render(text))


def documents(folder, text):
    suite = suite_saying(folder, text, figures=[DOTS])
    tables = make_tables(suite, make_records(suite, seeds=2))
    return suite, tables, make_document(suite, {"rates": tables}).texts


@pytest.fixture(scope="module")
def tame(tmp_path_factory):
    return documents(tmp_path_factory.mktemp("tame"), TAME)


@EACH
def test_markdown_csv_and_latex_have_the_structure_of_tame_words(tmp_path, tame, text):
    _, tables, texts = documents(tmp_path, text)
    for name in ("RESULTS.md", "tables/rates/README.md"):
        found, expected = read(texts[name]), read(tame[2][name])
        assert found.tags == expected.tags, name
        assert found.words.casefold() == expected.words.casefold().replace(TAME, shown(text).casefold())
    rows = list(csv.reader(io.StringIO(to_csv(tables), newline="")))
    assert [len(row) for row in rows] == [len(row) for row in csv.reader(io.StringIO(to_csv(tame[1])))]
    for entry in {entry for row in rows for entry in row}:
        assert not entry.startswith(("=", "+", "-", "@", "\t")) or float(entry) is not None
    latex = to_latex(tables)
    assert latex.isascii()
    assert latex.count("\\begin{") == latex.count("\\end{")
    for preamble, body in re.findall(r"\\begin\{tabular\}\{@\{\}\n(.*?)@\{\}\}\n(.*?)\\end", latex, re.DOTALL):
        lines = [line for line in body.splitlines() if re.search(r"\\\\(?: \\addlinespace)?$", line)]
        assert lines and all(len(re.findall(r"(?<!\\)&", line)) == preamble.count("p{") - 1 for line in lines)
        assert not any(line.lstrip().startswith(("[", "*")) for line in lines)
    bare = re.sub(r"\\[\\{}$%&#_]", "", latex)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0


@EACH
def test_the_html_page_has_the_structure_of_tame_words(tmp_path, text):
    def made(suite):
        return Read(page.report(suite, {"laptop": make_records(suite, seeds=2)}))

    found, expected = (
        made(suite_saying(tmp_path, text, figures=[])),
        made(suite_saying(tmp_path / "tame", TAME, figures=[])),
    )
    assert found.tags == expected.tags
    assert shown(text) in found.words
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "".join(found.pieces))


@given(SAMPLED)
def test_any_words_come_back_from_markdown(text):
    words = shown(text)
    for made, tags in (
        (markdown.fill("{}\n", text), ["p"] if words else []),
        (markdown.fill("# {}\n", text), ["h1"]),
        (markdown.fill("{}\n", markdown.link(text, "a b/(c)#d")), ["p", "a"]),
    ):
        found = read(made)
        assert ([tag for tag, *_ in found.tags], found.words) == (tags, words)
    table = read(markdown.table(["head", text], [[text, "entry"]]))
    assert [tag for tag, *_ in table.tags].count("td") == 2
    assert " ".join(table.words.split()) == " ".join(f"head {words} {words} entry".split())


@given(SAMPLED)
def test_any_words_come_back_from_csv_and_are_no_formula(text):
    entry = csv_file.escape(text)
    assert entry.removeprefix("'") == shown(text).removeprefix("'")
    assert entry[:1] not in ("=", "@", "\t", "\r")
    if entry[:1] in ("+", "-"):
        float(entry)


def test_a_negative_number_is_a_number_in_csv():
    assert [csv_file.escape(text) for text in ("-1.5e-3", "+2", "-1", "-1-1", "−1")] == [
        *("-1.5e-3", "+2", "-1", "'-1-1", "−1"),
    ]


WRITTEN = {
    "$x$": r"\$x\$",
    "a--b---c": "a-{}-b-{}-{}-c",
    "''": "'{}'",
    "[x]": "{}[x]",
    "*": "{}*",
    "é ñ Å ß": r"\'{e} \~{n} \r{A} \ss{}",
    "Λλ": r"$\Lambda$$\lambda$",
    "中\x1b\n\nb": r"{}[U+4E2D]\textbackslash{}x1b b",
    "`a|b`": r"\`{}a$|$b\`{}",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_signs_of_latex(text):
    assert latex_signs.escape(text) == WRITTEN[text]


@pytest.mark.parametrize("name", ["mathtext", "underscore", "latex", "steering", "letters", "template", "html"])
def test_figures_draw_words_as_they_are(tmp_path, name):
    """SVG keeps texts as they are drawn; formulas would be paths and pieces."""
    text = TEXTS[name]
    suite = suite_saying(tmp_path, text, figures=[DOTS, CURVE | {"label": f"{text} axis"}, SPECTRUM])
    records = make_records(suite, seeds=2)
    store = fill_store(tmp_path / "results", records)
    for picture in pictures(make_tables(suite, records), LocalAttachments(store)):
        assert picture.draw is not None
        drawn = io.BytesIO()
        with canvas.theme(), mpl.rc_context({"svg.fonttype": "none"}):
            figure = picture.draw()
            canvas.as_words(figure)
            figure.savefig(drawn, format="svg")
            plt.close(figure)
        texts = [
            "".join(one.itertext()) for one in ElementTree.fromstring(drawn.getvalue()).findall(".//{*}text")
        ]
        for method in range(3):
            expected = canvas.words(f"{text} {method}").replace(r"\$", "$")
            assert expected in texts, (picture.name, method)


def test_all_kinds_of_figures_are_drawn_with_a_hostile_text(tmp_path):
    suite = suite_saying(tmp_path, TEXTS["mathtext"], figures=list(ALL))
    records = make_records(suite)
    attachments = LocalAttachments(fill_store(tmp_path / "results", records))
    document = make_document(suite, {"rates": make_tables(suite, records)}, attachments=attachments)
    assert all(document.pictures[name] for name in document.pictures)


def test_no_two_places_of_a_page_have_one_id():
    names = [("a", "b"), ("a-b",), ("A", "b"), ("a b",), ("a", "b", ""), ("main",), ("data",), ("a_b",), ("λ",)]
    ids = [layout.anchor(*parts) for parts in names]
    assert len(set(ids)) == len(names)
    assert not set(ids) & layout.FRAME
    assert all(re.fullmatch(r"[a-z0-9_.~-]+", one) for one in ids)
    assert layout.anchor("laptop", "clop_10", "0.1") == "laptop-clop_10-0.1"


def test_a_table_may_be_called_as_a_part_of_the_page_is(tame):
    """The page's own ids are those of layout.FRAME."""
    written = page.report(tame[0], {"laptop": make_records(tame[0], seeds=1)})
    frame = {one for one in re.findall(r'\bid="([^"]*)"', written) if not one.startswith("rates")}
    assert frame - {"cells-title"} == layout.FRAME
