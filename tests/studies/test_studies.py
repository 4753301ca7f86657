"""Cells with a study: what decides their identity, and that the command line runs them."""

import json

import pytest
from checkout import ROOT, some

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.launch.run_cell import preflight, run_cell
from clopbench.results.records import Store
from clopbench.studies import overhead
from clopbench.studies.peak_memory import peak_bytes
from clopbench.study import OverheadStudy, SphereStudy
from clopbench.suite.declarations import LaunchConfig
from clopbench.suite.suite import Suite
from clopbench.training.assembly import Hooks
from clopbench.training.loop import Trainer
from clopbench.training.stop import StopRequest

SPHERE = {
    "kind": "sphere",
    "points": 16,
    "dim": 4,
    "start_mean": 0.2,
    "rates": [0.5],
    "long_rates": [1.0],
    "steps": 2,
}
SPHERE_CHANGES = {
    "points": 17, "dim": 5, "start_mean": 0.3, "rates": [0.5, 1.0], "long_rates": [2.0], "steps": 3,
    "positives": "views", "gradient": "ambient", "classes": 3, "label_fraction": 0.5,
}  # fmt: skip
OVERHEAD = {"kind": "overhead", "pairs": 2, "warmup": 1}


def with_study(cell: Cell, study, **sections) -> Cell:
    return Cell.from_config(cell.config() | sections | {"study": study})


def test_a_simulation_is_the_same_cell_whatever_the_scale(cell):
    suite = Suite(ROOT)
    other = suite.benchmark("table7", "cpu").entries[0].cell(cell.seed)
    assert other.id != cell.id
    assert with_study(other, SPHERE).id == with_study(cell, SPHERE).id
    assert with_study(other, SPHERE).arm == with_study(cell, SPHERE).arm
    assert with_study(cell, SPHERE).id != with_study(cell, SPHERE, seed=1).id
    assert with_study(cell, SPHERE).arm == with_study(cell, SPHERE, seed=1).arm
    changed = cell.config()["method"] | {"version": 2}
    assert with_study(cell, SPHERE, method=changed).id != with_study(cell, SPHERE).id


def test_the_cost_of_the_term_depends_on_what_is_trained(cell):
    other = Suite(ROOT).benchmark("table7", "cpu").entries[0].cell(cell.seed)
    ids = {c.id for c in (cell, other, with_study(cell, OVERHEAD), with_study(other, OVERHEAD))}
    assert len(ids) == 4


def test_every_field_of_a_study_decides_the_id(cell):
    ids = {with_study(cell, SPHERE | {field: value}).id for field, value in SPHERE_CHANGES.items()}
    ids |= {with_study(cell, SPHERE).id, with_study(cell, SPHERE | {"positives": "views", "apart": 10.0}).id}
    assert len(ids) == len(SPHERE_CHANGES) + 2
    assert SphereStudy.model_fields.keys() == SPHERE_CHANGES.keys() | {"kind", "apart"}
    overheads = {with_study(cell, OVERHEAD | change).id for change in ({}, {"pairs": 3}, {"warmup": 3})}
    assert len(overheads) == 3
    assert OverheadStudy.model_fields.keys() == OVERHEAD.keys()


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"kind": "spere"}, "study.kind: unknown kind 'spere': did you mean 'sphere'?"),
        (SPHERE | {"point": 3}, "study.sphere.point: unknown field; did you mean 'points'?"),
        (SPHERE | {"apart": 10.0}, "apart goes with positives: views only"),
        (SPHERE | {"start_mean": 1.0}, "study.sphere.start_mean: input should be less than 1"),
    ],
)
def test_what_a_study_refuses(cell, study, message):
    with pytest.raises(UserError) as caught:
        with_study(cell, study)
    assert message in str(caught.value)


def test_the_command_line_runs_a_simulation_once_for_all_scales(bench, tmp_path):
    results = tmp_path / "results"
    arguments = ("--only", "setting=theory,clop", "--only", "temperature=0.5", "--results", results)
    done = bench("run", "theory", "--seeds", "1", "study.steps=2", *arguments)
    assert done.code == 0, done.err
    assert "(1 − 2η/τ)²" in done.out
    records = [Store(results).read(path.parent.name) for path in results.rglob("record.json")]
    assert len(records) == 2
    assert all(record is not None and record.metrics["factor_error"] is not None for record in records)
    planned = bench("plan", "theory", "--seeds", "1", "study.steps=2", *arguments, "--json")
    assert json.loads(planned.out)["done"] == 2


def test_a_key_of_another_study_is_refused(bench):
    done = bench("plan", "theory", "study.pairs=3")
    assert done.code == 2
    assert "study.pairs" in done.err
    assert bench("plan", "table7", "study.points=3").code == 2


@pytest.fixture
def hooks(tmp_path):
    def no_epoch(row, trainer):
        raise AssertionError("a study has no epochs")

    return Hooks(no_epoch, tmp_path / "checkpoint.pt", LaunchConfig(), StopRequest())


@pytest.fixture(scope="module")
def overhead_cell():
    cell = Suite(ROOT).benchmark("overhead").entries[0].cell(0)
    small = cell.config() | {"study": OVERHEAD, "encoder": {"name": "residual", "width": 2}}
    small["training"] |= {"batch_size": 64}
    return Cell.from_config(small)


def test_overhead_of_a_real_cell(overhead_cell, plugins, hooks):
    import torch

    first, second = (run_cell(overhead_cell, plugins, torch.device("cpu"), hooks) for _ in range(2))
    assert first.status == "done", first.failure
    metrics, again = ({k: some(v) for k, v in record.metrics.items()} for record in (first, second))
    assert metrics["step_ms"] > 0 < metrics["step_ms_base"]
    # The profiler counts the same bytes each time.
    assert 0 <= metrics["overhead_memory"] < 0.5
    assert metrics["overhead_memory"] == again["overhead_memory"]
    assert first.history.splitlines()[0] == "epoch,seconds,seconds_base"
    assert len(first.history.splitlines()) == 1 + 2
    assert json.dumps(first.to_json())


def test_the_base_is_the_same_cell_without_the_term(overhead_cell, plugins):
    base = overhead.base_cell(overhead_cell, plugins)
    assert base.method.name == "simclr"
    assert base.method.parameters == {"temperature": 0.2}
    assert base.model_copy(update={"method": overhead_cell.method}) == overhead_cell
    with pytest.raises(UserError, match="study overhead: method clop"):
        overhead.base_cell(base, plugins)


def test_a_study_needs_two_batches(overhead_cell, plugins):
    large = overhead_cell.config()
    large["training"] |= {"batch_size": 1000}
    with pytest.raises(UserError, match="needs two batches of 1000"):
        preflight(Cell.from_config(large), plugins)


def test_a_slow_term_is_seen_and_both_take_the_same_steps(overhead_cell, plugins, monkeypatch):
    """A real trainer whose steps sleep as well: its median ratio says so."""
    import time

    from clopbench.data import sources
    from clopbench.training import feed, model

    data = sources.load("digits")
    taken: list[tuple[str, int]] = []

    class Slow(Trainer):
        def step_on(self, image_BCHW, positions, step):
            taken.append((self.cell.method.name, step))
            if self.cell.method.name == "clop":
                time.sleep(0.2)
            super().step_on(image_BCHW, positions, step)

    import torch

    def trainer(cell):
        images = feed.feed(data.train, torch.device("cpu"), 0, None)
        labels = torch.from_numpy(data.train.labels.copy())
        return Slow(
            cell, model.build_model(cell, plugins, data.train.shape[0], data.num_classes), images, labels
        )

    study = OverheadStudy(kind="overhead", pairs=4, warmup=2)
    metrics, pairs = overhead.measure(
        study, trainer(overhead_cell), trainer(overhead.base_cell(overhead_cell, plugins))
    )
    assert some(metrics["overhead_time"]) > 0.5
    assert len(pairs) == 4
    turns = [name for name, _ in taken[:12]]
    assert turns == ["simclr", "clop", "clop", "simclr"] * 3
    assert [step for _, step in taken[:12]] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_peak_memory_counts_what_is_held_at_once():
    import torch

    def work():
        one = torch.ones(1 << 18)  # 1 MiB each
        two = torch.ones(1 << 18)
        del one, two
        return torch.ones(1 << 18)

    assert 2 * 2**20 <= peak_bytes(work) < 2.1 * 2**20
