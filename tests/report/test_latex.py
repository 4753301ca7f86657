"""Tables as LaTeX: signs, columns that fit the page, and a real TeX where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from checkout import ROOT
from drawing import METHODS, RATES, make_records, make_suite, make_tables

from clopbench.report.formats import latex
from clopbench.report.formats.latex import to_latex
from clopbench.report.formats.latex_signs import escape
from clopbench.report.publication import arms_by_scale, published_records
from clopbench.suite.suite import Suite

CLAIMS = [
    {
        "name": "beats", "kind": "each_beats", "text": "CLOP beats SimCLR & SupCon at every rate (100 %)",
        "paper": "words", "each": {"method": "clop"}, "than": {"method": ["simclr", "supcon"]},
    },
    {
        "name": "stable", "kind": "equivalent", "text": "λ_1 is stable for η ≤ τ/2, at 0.1–1.5 × the rate",
        "paper": "words", "among": {"learning_rate": ["0.1", "0.5", "1"]}, "margin": 0.01, "margin_reason": "x",
    },
]  # fmt: skip
PAPER = {
    "source": "s",
    "setting": "x",
    "values": [{"at": {"method": "clop", "learning_rate": 0.1}, "mean": 0.743, "sd": 0.01, "n": 10}],
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> dict[str, str]:
    """Tables of several shapes: as a grid, turned round, flat, with many wide columns, and the published."""
    folder = tmp_path_factory.mktemp("suite")
    suite = make_suite(folder, claims=CLAIMS, paper=PAPER)
    records = make_records(suite)
    wide = {method: f"a method with a long name, {method}" for method in METHODS}
    shapes = {
        "grid": {"claims": CLAIMS, "paper": PAPER},
        "turned": {"rows": "learning_rate", "columns": "method", "labels": wide},
        "flat": {"columns": None, "labels": wide},
        "wide": {"labels": {rate: f"learning-rate-of-{rate}-times-256" for rate in RATES}},
    }
    found = {
        name: to_latex(make_tables(make_suite(folder, **changes), records)) for name, changes in shapes.items()
    }
    published = Suite(ROOT)
    from clopbench.report.document import collect

    for name, tables in collect(published, arms_by_scale(published_records(published))).items():
        found[f"published_{name}"] = to_latex(tables)
    return found


def test_a_table_too_wide_for_the_page_is_set_in_blocks(texts):
    """Of five columns of about 15 em two can stand beside each other on 40 em, after the first column."""
    first = texts["wide"].split("\\end{table}")[0]
    assert first.count("\\begin{tabular}") == 3
    assert re.findall(r"^method(.*?)\\\\", first, re.MULTILINE) == [
        "".join(f" & learning-rate-of-{rate}-times-256" for rate in rates) + " "
        for rates in (RATES[:2], RATES[2:4], RATES[4:])
    ]
    assert first.count("\nsimclr &") == 3
    assert texts["grid"].split("\\end{table}")[0].count("\\begin{tabular}") == 1


def test_rows_that_do_not_fit_a_page_go_on_in_another_float(texts):
    floats = [
        part
        for part in texts["flat"].split("\\begin{table}")[1:]
        if not re.search("Claims|collapsed or diverged", part)
    ]
    assert len(floats) > 1
    assert ["(Continued.)" in part for part in floats] == [False] + [True] * (len(floats) - 1)
    assert sum(part.count("a~method") + part.count("a method") for part in floats) == len(METHODS) * len(RATES)
    assert list(latex._pages([20, 20, 20, 50, 1])) == [[0, 1], [2], [3], [4]]


def test_widths_add_up_to_the_page_at_most(texts):
    for text in texts.values():
        for preamble in re.findall(r"\\begin\{tabular\}\{@\{\}\n(.*?)@\{\}\}", text, re.DOTALL):
            widths = [float(width) for width in re.findall(r"p\{([\d.]+)em\}", preamble)]
            assert sum(widths) + latex.GAP * (len(widths) - 1) <= latex.PAGE + 0.05


def test_columns_that_want_little_get_it_first():
    """Narrowest 1.16 em each; 'aaaa aaaa' wants more than 'aa aa'."""
    columns = [["aa aa"], ["aaaa " * 30]]
    small, large = latex._widths(columns)
    assert small == pytest.approx(latex._em("aa aa"))
    assert large == pytest.approx(latex.PAGE - latex.GAP - small)


def test_signs_are_escaped():
    assert escape("50 % of λ_1 ≤ {x} & ~\\") == (
        "50 \\% of $\\lambda$\\_1 $\\leq$ \\{x\\} \\& \\textasciitilde{}\\textbackslash{}"
    )


def test_every_sign_of_every_table_is_one_that_latex_knows(texts):
    """A capital made of a table's first letter is a sign too: η became Η, which no font has."""
    for name, text in texts.items():
        assert text.isascii(), (name, sorted({sign for sign in text if not sign.isascii()}))


@pytest.mark.skipif(not (shutil.which("pdflatex") or shutil.which("tectonic")), reason="no TeX in PATH")
def test_a_real_tex_sets_every_table_within_the_page(texts, tmp_path: Path):
    """No error, no sign that the font lacks, and no line that sticks out into the margin."""
    for name, text in texts.items():
        (tmp_path / f"{name}.tex").write_text(text)
    inputs = "\n\\clearpage\n".join(f"\\input{{{name}}}" for name in texts)
    document = (
        "\\documentclass{article}\n\\usepackage{array,booktabs}\n\\begin{document}\n"
        + inputs
        + "\n\\end{document}\n"
    )
    (tmp_path / "all.tex").write_text(document)
    if shutil.which("pdflatex"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    else:
        command = ["tectonic", "--only-cached", "--keep-logs", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert re.findall(r"^(?:Overfull|Missing character).*", log, re.MULTILINE) == []
    assert re.findall(r"^LaTeX Warning: Float too large.*", log, re.MULTILINE) == []
