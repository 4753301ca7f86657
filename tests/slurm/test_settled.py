"""What is under way comes first; what failed is folded, tried again by its class, or taken off the status."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import some
from synthetic import record

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.results import leases
from clopbench.results.records import FAILURE_CLASSES, Record, Store
from clopbench.slurm import settled
from clopbench.slurm.status import SETTLED, STATES, Situation
from clopbench.slurm.submission import Part, Submission, SubmittedCell, describe, write
from clopbench.suite import overrides as grammar
from clopbench.suite.suite import Suite

ROW = "45|bench|{}|{}|{}|19:59|2026-11-27T02:00:00|n1|0|0|{}.0|"
KINDS = ["done", "running", "queued", "error", "timeout", "damaged", "cancelled", "stalled"]


def submit(store: Store, cells: list[Cell], job: str) -> Submission:
    """A submission with one task for each cell."""
    places = [("table7", {"prototypes": "random"})]
    tasks = [[SubmittedCell(cell.id, cell.config(), {}, places)] for cell in cells]
    profile = {"name": "lab", "parameters": {}, "requeues": 2, "cells_per_task": 1, "clusters": None}
    about = {"tables": ["table7"], "profile": profile, "settings": {}, "device": "cpu", "scale": "laptop"}
    submission = describe(store, about, [Part(0, 0, len(cells), 2)], [])
    write(submission, tasks)
    submission.set_job(submission.parts[0], job)
    return submission


@dataclass
class Scene:
    """A results folder, and the ids of its cells by what became of them."""

    store: Store
    ids: dict[str, str]


@pytest.fixture
def scene(tmp_path: Path, suite: Suite, program) -> Iterator[Scene]:
    """Eight cells, one in each state that a cell can be in; Slurm's accounting does not answer."""
    store = Store(tmp_path / "results")
    cells = dict(
        zip(KINDS, (suite.benchmark("table7").entries[1].cell(seed) for seed in range(8)), strict=True)
    )
    submission = submit(store, list(cells.values()), "45")
    rows = [("1", "RUNNING", "None"), ("2", "PENDING", "Priority")]
    lines = "\n".join(ROW.format(*row, submission.name) for row in rows)
    program("squeue", f"case \"$*\" in *45*) cat <<'END'\n{lines}\nEND\nesac")
    program("sacct", "exit 1")
    store.write(record(cells["done"]))
    for kind in ("error", "damaged"):
        store.write(record(cells[kind], status="failed"))
    store.record_path(cells["damaged"].id).write_text("{")
    store.write(timed_out(cells["timeout"]))
    submission.cancel({KINDS.index("cancelled")})
    held = leases.acquire(store.folder(cells["running"].id))
    assert held is not None
    with held:
        yield Scene(store, {kind: cell.id for kind, cell in cells.items()})


def timed_out(cell: Cell) -> Record:
    failed = record(cell, status="failed")
    assert failed.failure is not None
    failed.failure.update({"class": "timeout", "message": "out of time"})
    return failed


def test_what_is_under_way_comes_first_and_failures_are_folded(bench, scene: Scene):
    told = bench("status")
    assert told.code == 1
    damaged, cell_id = told.out.splitlines()[-1], scene.ids["damaged"]
    assert damaged.startswith("damaged: ")
    assert damaged.endswith(f"{cell_id[:2]}/{cell_id}/record.json: not valid JSON, perhaps truncated")
    assert told.out.splitlines()[:-1] == [
        "table7: 8 cells: 1 done, 1 running, 1 queued, 3 failed, 1 cancelled, 1 stalled; about 2 min left",
        f"  running  {scene.ids['running']}  table7 random, seed 1: not a task of Slurm",
        "  queued: 1 Priority",
        "  failed: 1 error, 1 timeout, 1 damaged",
        "  (--all lists what failed, stalled or was cancelled; `bench retry`, or `bench forget`)",
    ]
    everything = bench("status", "--all").out.splitlines()
    assert everything[:4] == told.out.splitlines()[:4]
    settled_cells = {kind for kind in KINDS for line in everything[4:] if scene.ids[kind] in line}
    assert settled_cells == {"error", "timeout", "damaged", "cancelled", "stalled"}
    assert "RuntimeError: boom" in "\n".join(everything)
    assert len(everything) == 10


def test_cells_are_forgotten_one_by_one_or_by_table_until_they_are_submitted_again(bench, scene: Scene, suite):
    assert bench("forget", scene.ids["error"][:10]).out.startswith("1 cell is off the status")
    assert bench("status").out.startswith(
        "table7: 8 cells: 1 done, 1 running, 1 queued, 3 failed".replace("8 cells", "7 cells").replace(
            "3 f", "2 f"
        )
    )
    assert "(1 forgotten)" in bench("status").out
    assert bench("forget", "table7").out.startswith("4 cells are off the status")
    told = bench("status", "--all")
    assert told.code == 3  # One is running, one is queued, and nothing else is wrong.
    assert (
        told.out.splitlines()[0]
        == "table7: 3 cells: 1 done, 1 running, 1 queued; about 2 min left (5 forgotten)"
    )
    (table,) = json.loads(bench("status", "--json").out)["tables"]
    assert (table["total"], table["failed"], table["forgotten"]) == (3, 0, 5)
    assert bench("retry", "table7").out == "nothing to retry\n"
    # Its record stays, and another submission of it is another matter.
    assert some(scene.store.read(scene.ids["error"])).status == "failed"
    submit(scene.store, [suite.benchmark("table7").entries[1].cell(KINDS.index("error"))], "46")
    assert "1 failed" in bench("status").out


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("table8", "unknown submitted table or cell 'table8': did you mean 'table7'? (available: table7)"),
        ("", "8 cells begin so ("),
        ("running", "is running: only failed, cancelled, stalled can be forgotten"),
        ("done", "is done: only failed, cancelled, stalled can be forgotten"),
        ("queued", "is queued: only failed, cancelled, stalled can be forgotten"),
    ],
)
def test_only_settled_cells_are_forgotten(bench, scene: Scene, word, words):
    done = bench("forget", scene.ids["error"], scene.ids.get(word, word))
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert "forgotten" not in bench("status").out  # Nothing half done.


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        ([], {"error", "timeout", "cancelled", "stalled"}),
        (["failed"], {"error", "timeout"}),
        (["error"], {"error"}),
        (["timeout"], {"timeout"}),
        (["cancelled"], {"cancelled"}),
        (["stalled"], {"stalled"}),
        (["cancelled", "timeout"], {"cancelled", "timeout"}),
        (["node"], set()),
    ],
)
def test_retry_takes_every_class_that_status_shows(scene: Scene, kinds, chosen):
    settled.check_kinds(kinds)
    found = settled.to_retry(Situation(scene.store).tables(["table7"]), kinds)
    assert {cell.place.cell.id for cell in found} == {scene.ids[kind] for kind in chosen}


@pytest.mark.parametrize("kind", [*SETTLED, *FAILURE_CLASSES])
def test_states_and_classes_of_failure_are_known(kind):
    settled.check_kinds([kind])


@pytest.mark.parametrize("kind", [*sorted(set(STATES) - set(SETTLED)), "damaged", "cancled", ""])
def test_others_are_refused_with_what_there_is(bench, scene: Scene, kind):
    with pytest.raises(UserError) as refusal:
        settled.check_kinds([kind])
    assert f"class '{kind}'" in str(refusal.value)
    done = bench("retry", "table7", "--class", kind)
    assert (done.code, done.err) == (2, f"error: {refusal.value}\n")


def test_settings_of_any_kind_are_kept_for_a_retry(bench, scene: Scene):
    """A key of the profile may hold a mapping, or have been taken away."""
    (submission,) = Situation(scene.store).occupancy.submissions
    typed = {"slurm_additional_parameters": {"nice": 3}, "cpus_per_task": None}
    (submission.folder / "submission.json").write_text(json.dumps(submission.about | {"settings": typed}))
    done = bench("retry", "table7", "--class", "error", "--dry-run")
    assert done.code == 0, done.err
    assert "#SBATCH --nice=3\n" in done.out
    assert "--cpus-per-task" not in done.out


def submit_with(store: Store, suite: Suite, words: list[str], told: bool, scale: str) -> None:
    """The first cell of table 7 with overrides, in a submission that says them or is too old to do so."""
    entry = suite.benchmark("table7", scale, overrides=grammar.parse(words)[0]).entries[0]
    cell = entry.cell(0)
    places = [("table7", entry.coordinates)]
    one = SubmittedCell(cell.id, cell.config(), {}, places, entry.overrides if told else ())
    profile = {"name": "lab", "parameters": {}, "requeues": 2, "cells_per_task": 1, "clusters": None}
    about = {"tables": ["table7"], "profile": profile, "settings": {}, "device": "cpu", "scale": scale}
    write(describe(store, about, [Part(0, 0, 1, 1)], []), [[one]])


FIRST = "table7 orthonormal, seed 0"
# Submissions as (overrides, scale) → the names of their cells, where overrides are told and where they are not.
NAMES = {
    "one override": (
        [([], "laptop"), (["training.epochs=2"], "laptop")],
        [FIRST, f"{FIRST}, training.epochs=2"],
        [f"{FIRST}, training.epochs=25", f"{FIRST}, training.epochs=2"],
    ),
    "two overrides": (
        [([], "laptop"), (["training.epochs=2", "method.weight=0.5"], "laptop")],
        [FIRST, f"{FIRST}, training.epochs=2, method.weight=0.5"],
        [
            f"{FIRST}, method.weight=1.0, training.epochs=25",
            f"{FIRST}, method.weight=0.5, training.epochs=2",
        ],
    ),
    "two scales": (
        [([], "laptop"), ([], "cpu")],
        [f"{FIRST}, scale laptop", f"{FIRST}, scale cpu"],
        [f"{FIRST}, scale laptop", f"{FIRST}, scale cpu"],
    ),
    "how it is launched": ([(["launch.threads=2"], "laptop")], [FIRST], [FIRST]),
}


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("case", NAMES)
def test_no_two_cells_of_a_table_have_one_name(bench, tmp_path, suite, program, case, told):
    program("squeue", "exit 0")
    program("sacct", "exit 1")
    submissions, *names = NAMES[case]
    for words, scale in submissions:
        submit_with(Store(tmp_path / "results"), suite, words, told, scale)
    (table,) = json.loads(bench("status", "--json").out)["tables"]
    assert [cell["label"] for cell in table["cells"]] == names[0 if told else 1]
    done = bench("status", "--all")
    for name in names[0 if told else 1]:
        assert f"  {name}: " in done.out
    for words in [words for words, _ in submissions if words and not words[0].startswith("launch")]:
        assert (f"  1 of them with {', '.join(words)}\n" in done.out) == told
