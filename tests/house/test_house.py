"""Rules of the house: who may import whom, what stays free of torch, no strays."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import pytest
from checkout import ROOT
from code_read import PACKAGE, dotted, imports, modules

# Floors of the house, from the top. A module imports only from its own room and from floors below it.
FLOORS = [
    {"cli"},
    {"slurm"},
    {"launch"},
    {"evaluation", "studies"},
    {"training", "report"},
    {"results"},
    {"suite"},
    {"data"},
    {"cell"},
    {"study", "method"},
    {"parameters", "prototypes"},
    {"contrastive", "geometry", "seeds", "identity", "statistics", "errors"},
]
HEIGHT = {room: -number for number, floor in enumerate(FLOORS) for room in floor}
PATHS = pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("clopbench.")}


def test_there_are_at_most_thirteen_floors_and_every_room_stands_on_one():
    assert len(FLOORS) <= 13
    assert {room_of(path) for path in modules()} == HEIGHT.keys()


@PATHS
def test_imports_only_go_down(path):
    own = room_of(path)
    for room in rooms_imported(path) - {own}:
        assert HEIGHT[room] < HEIGHT[own], f"{own} imports {room}"


def test_no_files_import_each_other_in_a_circle():
    """Imports inside functions count too: they hide a circle, they do not undo it."""
    found = {dotted(path): path for path in modules()}
    arrows = {name: imports(path) & found.keys() for name, path in found.items()}
    TopologicalSorter(arrows).prepare()


def test_the_circle_of_files_would_be_seen():
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_report_and_statistics_are_free_of_torch():
    for room in ("report", "statistics"):
        for path in (PACKAGE / room).rglob("*.py"):
            assert not any(name.split(".")[0] in ("torch", "torchvision") for name in imports(path)), path


def test_statistics_knows_no_table_and_no_file():
    for path in (PACKAGE / "statistics").rglob("*.py"):
        assert rooms_imported(path) <= {"statistics", "errors"}, path


def test_report_does_not_reach_what_imports_torch():
    heavy = {"training", "evaluation", "launch", "contrastive", "prototypes", "method", "geometry"}
    for path in (PACKAGE / "report").rglob("*.py"):
        assert not heavy & rooms_imported(path), path


@pytest.mark.parametrize("room", ["training", "evaluation"])
def test_random_numbers_grow_from_the_seed_of_their_stream(room):
    """`cell.seed` itself would follow the seed also where another stream alone is to vary."""
    for path in (PACKAGE / room).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        taken = [
            node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "seed"
        ]
        assert not taken, f"{path}:{taken}: say cell.seed_of(stream)"
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) > 1]
        for call in calls:
            seed, stream = call.args[:2]
            if (
                isinstance(seed, ast.Call)
                and isinstance(seed.func, ast.Attribute)
                and seed.func.attr == "seed_of"
            ):
                assert ast.unparse(seed.args[0]) == ast.unparse(stream), f"{path}:{call.lineno}"


def test_few_doors():
    """At the top: words that everybody uses and what a plug-in may import. The stages are folders."""
    files = [path for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]
    folders = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(files) <= 11
    assert len(folders) <= 12


@pytest.mark.parametrize("path", sorted((ROOT / "methods").glob("*.py")), ids=lambda path: path.stem)
def test_methods_import_only_the_contract_and_the_losses(path):
    assert rooms_imported(path) <= {"method", "contrastive", "prototypes"}


def run_python(script: str, environment) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env=environment | {"BENCH_SUITE": str(ROOT)},
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["plan", "table7"], ["list"], ["show", "table7"], ["power", "table7"], ["doctor"]],
)
def test_light_verbs_do_not_import_torch(arguments, environment):
    script = (
        "import sys\nfrom clopbench.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        "print('heavy:', sorted({'torch', 'sklearn'} & set(sys.modules)))"
    )
    assert run_python(script, environment).splitlines()[-1] == "heavy: []"


def test_the_launcher_itself_does_not_import_torch(environment):
    script = "import sys, clopbench.launch.local, clopbench.cli.request; print('torch' in sys.modules)"
    assert run_python(script, environment).strip() == "False"


def test_modules_are_small_and_say_what_they_are():
    lengths = []
    for path in modules():
        text = path.read_text(encoding="utf-8")
        lengths.append(text.count("\n"))
        assert lengths[-1] <= 280, f"{path} is no longer one room"
        assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
    assert median(lengths) < 140
    assert not list(ROOT.rglob("clopbench/**/utils.py"))


def test_tests_mirror_the_rooms():
    """So that whoever changes a room finds its tests: `uv run pytest tests/statistics`."""
    rooms = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - {"__pycache__"}
    assert rooms - {"support", "documents", "house", "vocabulary"} <= HEIGHT.keys()
    assert not list((ROOT / "tests").glob("test_*.py"))
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_shell_completion_offers_tables_and_scales(environment):
    for words, expected in (("bench run ta", "table7"), ("bench run table7 --scale la", "laptop")):
        done = subprocess.run(
            [sys.executable, "-c", "from clopbench.cli.main import main; main()"],
            check=False, capture_output=True, text=True,
            env=environment | {
                "BENCH_SUITE": str(ROOT), "_BENCH_COMPLETE": "complete_bash",
                "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1),
            },
        )  # fmt: skip
        assert expected in done.stdout.split(), done.stderr


def test_progress_bar_on_a_terminal(tmp_path, suite):
    """Cells done, cells per minute, time left and the best so far, drawn on a (recorded) terminal."""
    import io

    from rich.console import Console
    from synthetic import record

    from clopbench.cli.progress import Reporter
    from clopbench.results.plan import make_plan
    from clopbench.results.records import Store

    store = Store(tmp_path)
    planned = make_plan([suite.benchmark("table7")], [0, 1], store).cells
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200, color_system=None)
    with Reporter(console, store, len(planned), "probe_top1") as reporter:
        for cell, top1 in zip(planned[:3], (0.91, 0.93, 0.92), strict=True):
            reporter.finished(cell, record(cell.cell, top1), None)
        reporter.finished(planned[3], None, "error: [brackets] are no markup")
        reporter.tick(1, 0)
    shown = screen.getvalue()
    assert "4/4 cells" in shown
    assert "cells/min" in shown
    assert f"best 0.9300 ({planned[1].label})" in shown
    assert "error: [brackets] are no markup" in shown
    assert f"{planned[3].cell.id}/run.log" in shown.replace("\n", "")


@PATHS
def test_no_file_is_read_or_written_in_an_encoding_of_the_locale(path):
    """Text of files and other programs is UTF-8 by name, or bytes."""
    calls = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        texts = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
        modes = [text for text in texts if isinstance(text, str) and text and set(text) <= set("rwabx+t")]
        opens = name == "open" and any("b" not in mode for mode in modes)
        where = f"{path}, line {call.lineno}"
        if opens or name in ("read_text", "write_text"):
            assert "encoding" in named, where
        assert "text" not in named or name not in ("run", "Popen", "check_output") or "encoding" in named, where
        assert "universal_newlines" not in named, where
