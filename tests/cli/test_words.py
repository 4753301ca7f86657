"""What is printed is words: no text of others is markup or steers the terminal, and any locale can show it."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from checkout import QUICK, suite_of
from drawing import make_records
from hostile import TEXTS, shown, suite_saying
from rich.console import Console
from synthetic import record

from clopbench.cli import terminal
from clopbench.cli.progress import Reporter
from clopbench.errors import SPELLED, encodable
from clopbench.results.plan import make_plan
from clopbench.results.records import Store

METHOD = """
import torch
from clopbench.method import Method

class Theirs(Method):
    name, version = "theirs", 1

    def __init__(self, dim: int, num_classes: int, *, generator: torch.Generator):
        super().__init__()
        print("λ 中 in the constructor")

    def loss(self, batch):
        print("λ 中 \\x1b[31m in the log")
        raise RuntimeError("[/red] \\x1b[2J λ ± 中\\nfailed: a line of ours\\r\\tend")
"""
MESSAGE = r"error: RuntimeError: [/red] \x1b[2J λ ± 中\nfailed: a line of ours\r\tend"
CONTROL = {chr(number) for number in (*range(9), *range(11, 32), *range(127, 160))}


def said(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_tables_say_what_is_declared(bench, tmp_path, monkeypatch, text):
    suite = suite_saying(tmp_path / "suite", text)
    store = Store(tmp_path / "results")
    for made in make_records(suite, seeds=2):
        store.write(made)
    monkeypatch.setenv("BENCH_SUITE", str(suite.root))
    for verb in ("show", "power"):
        done = bench(verb, "rates")
        assert (done.code, done.err) == (0, "")
        assert not CONTROL & set(done.out)
    out = bench("show", "rates").out
    words = terminal.printable(text).replace("\t", " ").split()
    assert all(word[:12] in said(out) for word in words)


@pytest.mark.parametrize("text", ["[/y]", "[red]x", ":smile:", "\x1b[31m", "a\tb"])
def test_a_grid_and_a_line_show_texts_as_they_are(capsys, text):
    terminal.console().print(terminal.grid([text], [[text]], title=text))
    terminal.say(text)
    terminal.warn(text)
    out, err = capsys.readouterr()
    assert out.count(shown(text).replace("\t", " ")[:4]) >= 3 or "a" in text
    assert "\x1b" not in out + err


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_shows_labels_and_messages_as_they_are(tmp_path, suite, is_terminal):
    store, screen = Store(tmp_path), io.StringIO()
    cells = make_plan([suite.benchmark("table7")], [0, 1], store).cells
    cells[0].places[0][1]["prototypes"] = "a [/y] \x1b[2J b"
    console = Console(file=screen, force_terminal=is_terminal, width=300, color_system=None)
    with Reporter(console, store, 2, "probe_top1") as reporter:
        reporter.finished(cells[0], record(cells[0].cell, 0.9), None)
        reporter.finished(cells[0], None, "error: [/red] \x1b[2J\nnext")
        reporter.tick(1, 0)
    written = screen.getvalue()
    assert r"error: [/red] \x1b[2J\nnext" in written
    assert "a [/y]" in written
    assert "\x1b[2J" not in written


def test_json_is_whole_and_in_signs_of_the_stream(monkeypatch):
    value = {"a": "λ\x9b[2J\u202e 🎉 é", "b": [1, "\x00\n"]}
    for encoding in ("utf-8", "latin-1", "ascii"):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        terminal.print_json(value)
        text = raw.getvalue().decode(encoding)
        assert json.loads(text) == value
        assert not CONTROL & set(text)


def test_what_an_encoding_lacks_is_spelled():
    assert encodable("1 ± 2 × λ → 中 é", "ascii") == r"1 +- 2 x lambda -> \u4e2d \xe9"
    assert encodable("1 ± 2 − é", "latin-1") == "1 ± 2 - é"
    assert "\udcff".encode("utf-8", SPELLED) == rb"\udcff"


@pytest.fixture(scope="module")
def latin(tmp_path_factory) -> Path | None:
    """A folder with the locale en_US.ISO-8859-1, where the system can make one."""
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1")]
    if not shutil.which("localedef") or subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    return folder


LOCALES = {
    "C": {"LC_ALL": "C"},
    "POSIX": {"LC_ALL": "POSIX"},
    "C.UTF-8": {"LC_ALL": "C.UTF-8"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "strict ascii": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii:strict"},
    "latin-1": {"LC_ALL": "en_US.ISO-8859-1"},
}
VERBS = """
import sys
from clopbench.cli.main import main
for line in {lines!a}:
    try:
        main(line)
    except SystemExit as end:
        print("status", end.code, *line[:1], flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCALES)
def test_verbs_work_in_any_locale(tmp_path, environment, latin, name):
    """With labels that no such encoding has; a method that prints and fails in them; files stay UTF-8."""
    suite = suite_of(tmp_path / "suite", "table7")
    path = suite.root / "tables" / "table7.yaml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    declared["labels"] = {"orthonormal": "λ ± 中", "random": "a [/y] b"}
    path.write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
    (suite.root / "tables" / "summary.md").write_text("Worte: λ ± 中", encoding="utf-8")
    (suite.root / "methods" / "theirs.py").write_text(METHOD, encoding="utf-8")
    run = ["run", "table7", "--seeds", "1", "--method", "theirs", *QUICK]
    lines = [["list"], ["doctor"], ["data", "list"], run]
    lines += [["plan", *run[1:], "--explain"], ["plan", *run[1:], "--json"], ["show", "table7"]]
    lines += [["power", "table7"], ["status"], ["report", "--local", "--out", "made"], ["report", "--check"]]
    lines += [["run", "täble7"], ["report", "--local", "--html"]]
    variables = environment | {"BENCH_SUITE": str(suite.root), **LOCALES[name]}
    if name == "latin-1":
        variables |= {"LOCPATH": str(latin)} if latin else {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [sys.executable, "-c", VERBS.format(lines=lines)], capture_output=True, env=variables, check=False
    )
    encoding = "latin-1" if name == "latin-1" else "ascii" if "ascii" in name else "utf-8"
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert done.returncode == 0, err
    assert "Traceback" not in out + err
    statuses = [line for line in out.splitlines() if line.startswith("status ")]
    assert statuses == [
        *("status 0 list", "status 0 doctor", "status 0 data", "status 1 run", "status 0 plan"),
        *("status 0 plan", "status 0 show", "status 0 power", "status 0 status", "status 0 report"),
        *("status 1 report", "status 2 run", "status 0 report"),
    ]
    assert encodable(f"failed: table7 theirs, seed 0: {MESSAGE}", encoding) in out.splitlines()
    assert not CONTROL & set(out)
    assert encodable("λ ± 中", encoding) in out
    assert "a [/y] b" in out
    assert "unknown table" in err
    assert "λ ± 中" in (tmp_path / "made" / "RESULTS.md").read_text(encoding="utf-8")
    assert "Worte: λ ± 中" in (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    logs = [path.read_text(encoding="utf-8") for path in Path("results").glob("??/*/run.log")]
    assert any("λ 中 \x1b[31m in the log" in log for log in logs)
