"""Shared options are declared once: verbs show them alike and take them whole; describing them costs little."""

import io
import subprocess
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command

from clopbench.cli import terminal
from clopbench.cli.main import app
from clopbench.cli.options import Asked, Folders, Machine, spread

GROUPS = {
    "Look": ["list", "methods", "plan", "show", "status", "logs", "power", "diff"],
    "Run": ["run", "import"],
    "Cluster": ["submit", "retry", "cancel", "forget"],
    "Report": ["report", "export"],
    "Suite": ["init", "new", "doctor", "data"],
}
FOLDERS = ["--suite", "--methods-dir", "--results"]
ASKED = ["tables", "--seeds", "--scale", "--only", "--method", "--against", *FOLDERS]
MACHINE = ["--workers", "--device", "--per-gpu"]
ROOT: Any = get_command(app)


def commands(group: Any = ROOT, before: str = "") -> dict[str, Any]:
    """'plan' → its command, 'data list' → its command."""
    found = {}
    for name, command in group.commands.items():
        found |= commands(command, f"{name} ") if hasattr(command, "commands") else {before + name: command}
    return found


def written(parameter: Any) -> str:
    return parameter.name if parameter.param_type_name == "argument" else parameter.opts[0]


def shown(command: Any) -> dict[str, tuple[Any, ...]]:
    """Parameter → its line of help (type, limits, default, variable of the environment), and its rules."""
    context = typer.Context(command)
    return {
        written(one): (one.get_help_record(context), one.opts, one.default, one.required, one.multiple)
        for one in command.params
    }


def test_verbs_that_take_cells_show_the_same_set_in_the_same_order():
    plan, run, submit = (shown(commands()[verb]) for verb in ("plan", "run", "submit"))
    assert list(plan) == [*ASKED, *MACHINE, "--explain", "--json"]
    assert list(run) == [*ASKED, *MACHINE, "--until", "--max-seeds", "--budget", "--dry-run"]
    assert list(submit) == ["--profile", *ASKED, "--device", "--dry-run", "--live", "--wait"]
    assert {key: plan[key] for key in [*ASKED, *MACHINE]} == {key: run[key] for key in [*ASKED, *MACHINE]}
    assert {key: plan[key] for key in ASKED} == {key: submit[key] for key in ASKED}


def test_one_option_means_one_thing_whatever_the_verb():
    """Help, default, type and limits; what differs is listed here, and differs on purpose."""
    meant: dict[str, tuple[Any, ...]] = {}
    other = set()
    for verb, command in commands().items():
        for name, told in shown(command).items():
            if told != meant.setdefault(name, told):
                other.add((verb, name))
    assert other == {
        ("show", "--seeds"), ("power", "--seeds"),  # All that are recorded, instead of ten.
        ("status", "tables"), ("cancel", "tables"), ("forget", "words"),  # What was submitted.
        ("retry", "--profile"),  # The one that a cell had before.
        ("submit", "--dry-run"), ("retry", "--dry-run"), ("report", "names"), ("data verify", "names"),
        ("export", "tables"), ("export", "--seeds"), ("export", "--all"), ("export", "--out"),
        ("data prepare", "name"),  # Of a data set; `bench new` has that of a file.
        ("submit", "--dry-run"), ("retry", "--dry-run"),  # Shows what Slurm would get; of `run` it is a plan.
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["plan", "run", "submit", "show", "power", "retry", "doctor"])
def test_folders_are_taken_whole(verb):
    assert [name for name in shown(commands()[verb]) if name in FOLDERS] == FOLDERS


def invoke(verb: Any, *arguments: str) -> None:
    own = typer.Typer(add_completion=False, rich_markup_mode=None)
    own.command()(spread(verb))
    get_command(own)(list(arguments), standalone_mode=False)


def test_every_field_gets_what_was_written_for_it():
    given = []

    def verb(*, asked: Asked, loud: bool = False, machine: Machine) -> None:
        given.append((asked, loud, machine))

    invoke(
        verb, "table7", "training.epochs=5", "--seeds", "0-3", "--scale", "cpu", "--only", "a=b",
        "--only", "c=d", "--method", "clop", "--against", "e", "--suite", "s",
        "--methods-dir", "m", "--methods-dir", "n",
        "--results", "r", "--loud", "--workers", "3", "--device", "cpu", "--per-gpu", "2",
    )  # fmt: skip
    folders = Folders(suite=Path("s"), methods_dir=[Path("m"), Path("n")], results=Path("r"))
    asked = Asked(
        tables=["table7", "training.epochs=5"], seeds="0-3", scale="cpu", only=["a=b", "c=d"], method=["clop"],
        against=["e"], folders=folders,
    )  # fmt: skip
    assert given == [(asked, True, Machine(workers=3, device="cpu", per_gpu=2))]


def test_what_is_not_written_has_the_default_of_the_set():
    given = []

    def verb(*, asked: Asked, machine: Machine) -> None:
        given.append((asked, machine))

    invoke(verb, "table7")
    assert given == [(Asked(tables=["table7"]), Machine())]


def test_an_option_added_to_a_set_is_an_option_of_the_verb():
    @dataclass(frozen=True, kw_only=True)
    class Inner:
        depth: Annotated[int, typer.Option(min=1)] = 2

    @dataclass(frozen=True, kw_only=True)
    class Outer:
        name: Annotated[str, typer.Argument()]
        tags: Annotated[list[str], typer.Option("--tag")] = field(default_factory=list)
        inner: Inner = Inner()

    given = []

    def verb(*, outer: Outer) -> None:
        given.append(outer)

    invoke(verb, "n", "--tag", "t", "--depth", "7")
    invoke(verb, "n")
    assert given == [Outer(name="n", tags=["t"], inner=Inner(depth=7)), Outer(name="n")]
    with pytest.raises(typer.TyperException):
        invoke(verb, "n", "--depth", "0")
    with pytest.raises(typer.TyperException):
        invoke(verb)


def test_two_sets_with_one_name_are_refused_when_the_verb_is_registered():
    def verb(*, folders: Folders, results: Path = Path()) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name: 'results'"):
        spread(verb)


@pytest.mark.parametrize("options", [Folders, Asked, Machine])
def test_sets_are_made_by_keyword_only(options):
    with pytest.raises(TypeError, match="positional"):
        options(*range(len(fields(options))))


def test_help_lists_each_verb_once_under_its_heading(bench, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    help = bench("--help")
    assert help.code == 0
    blocks = [block.splitlines() for block in help.out.split("\n\n")]
    listed = {lines[0].rstrip(":"): [line.split()[0] for line in lines[1:]] for lines in blocks[3:]}
    assert listed == GROUPS
    assert sorted(verb for verbs in GROUPS.values() for verb in verbs) == sorted(ROOT.commands)
    # Summaries stand under each other, and it is plain text.
    lines = [line for lines in blocks[3:] for line in lines[1:]]
    assert {line[:11][-2:] for line in lines} == {"  "}
    assert not any(line[11].isspace() for line in lines)
    assert not set("\x1b│─╭[/") & set("".join(lines).replace("tables/*", ""))


def test_describing_verbs_imports_no_other_room(environment):
    """Which would cost a second: only the command line itself, and neither rich nor what reads declarations."""
    script = (
        "import sys\nfrom clopbench.cli.main import main\n"
        "for words in (['--help'], ['run', '--help'], ['data', '--help']):\n"
        "    try: main(words)\n    except SystemExit as end: assert not end.code\n"
        "rooms = {name for name in sys.modules if name.startswith('clopbench.')}\n"
        "print(sorted(name for name in rooms if not name.startswith('clopbench.cli')))\n"
        "print(sorted({'rich', 'numpy', 'hydra', 'yaml', 'pandas', 'torch', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-2:] == ["['clopbench.errors']", "[]"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("bench su", "submit"),
        ("bench plan table7 --per", "--per-gpu"),
        ("bench submit table7 --profile la", "lab"),
        ("bench retry table7 --profile la", "lab"),
        ("bench data ver", "verify"),
    ],
)
def test_shell_completion(bench, monkeypatch, words, expected):
    monkeypatch.setenv("_BENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert bench().out.split() == [expected]


def test_lines_are_printed_as_they_are_and_at_once(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8", write_through=False))
    line = "[red]a log[/] says :warning: 3×5\tat 0.5 " + "x" * 300
    terminal.say(line)
    assert raw.getvalue().decode() == line + "\n"
