"""Rules of the house: who may import whom, what stays free of torch, no strays."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from code_read import PACKAGE, imports, modules

# Floors of the house, from the top. A module imports only from floors below its own, or its own room.
FLOORS = [
    {"torchrun"},
    {"cli"},
    {"cli_data", "cli_report", "cli_slurm"},
    {"cli_options"},
    {"retrying"},
    {"slurm_cli"},
    {"request", "showing", "doctor", "importing"},
    {"data_cli"},
    {"launch", "report"},
    {"plan", "training"},
    {"index", "suite"},
    {"overrides", "scales", "grid"},
    {"records", "claims", "declarations", "plugins"},
    {"declared_figures"},
    {"declared_claims", "declared_thresholds"},
    {"data", "method"},
    {"cell"},
    {"studies"},
    {"contrastive", "prototypes", "seeds", "parameters"},
    {"errors"},
]
HEIGHT = {room: -number for number, floor in enumerate(FLOORS) for room in floor}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("clopbench.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    own = room_of(path)
    for room in rooms_imported(path) - {own}:
        # Two exceptions: a plug-in is checked against the contract, and the launcher starts training.
        if (own, room) in {("plugins", "method"), ("launch", "training")}:
            continue
        assert HEIGHT[room] < HEIGHT[own], f"{own} imports {room}"


def test_every_room_has_its_floor():
    assert {room_of(path) for path in modules()} == HEIGHT.keys()


def test_training_and_report_do_not_know_each_other():
    for path in (PACKAGE / "training").glob("*.py"):
        assert "report" not in rooms_imported(path)
    for path in (PACKAGE / "report").glob("*.py"):
        assert not {"training", "launch", "contrastive", "prototypes", "method"} & rooms_imported(path)
        assert not any(name.split(".")[0] == "torch" for name in imports(path))


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
    "arguments", [["--help"], ["plan", "table7"], ["list"], ["show", "table7"], ["power", "table7"]]
)
def test_light_verbs_do_not_import_torch(arguments, environment):
    script = (
        "import sys\nfrom clopbench import cli\n"
        f"try: cli.main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        "print('heavy:', sorted({'torch', 'sklearn'} & set(sys.modules)))"
    )
    assert run_python(script, environment).splitlines()[-1] == "heavy: []"


def test_the_launcher_itself_does_not_import_torch(environment):
    script = "import sys, clopbench.launch.local, clopbench.cli.request; print('torch' in sys.modules)"
    assert run_python(script, environment).strip() == "False"


def test_modules_are_small_and_say_what_they_are():
    for path in modules():
        text = path.read_text()
        assert text.count("\n") <= 300, f"{path} is no longer one room"
        assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
    assert not list(ROOT.rglob("clopbench/**/utils.py"))
    assert not (ROOT / "tests" / "__init__.py").exists()


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
