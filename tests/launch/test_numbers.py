"""Numbers are numbers: what is not finite is divergence with its reason, and no record holds it."""

import math
from dataclasses import replace

import pytest
import torch
from checkout import QUICK, ROOT, run_here
from synthetic import record

from clopbench import geometry
from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.evaluation import measure
from clopbench.geometry import NotFiniteError
from clopbench.launch import run_cell
from clopbench.launch.judging import finite, judge
from clopbench.launch.run_cell import preflight
from clopbench.results.records import Store
from clopbench.suite import overrides as override_grammar
from clopbench.suite.plugins import Plugins
from clopbench.suite.suite import Suite

METHOD = '''
"""Looks away, or has prototypes that are no numbers."""
import torch
from clopbench.method import Method

class Blind(Method):
    name, version = "blind", 1

    def __init__(self, dim: int, num_classes: int, *, broken: bool = False, generator: torch.Generator):
        super().__init__()
        if broken:
            self.register_buffer("prototype_KD", torch.full((num_classes, dim), float("nan")))

    def loss(self, batch):
        return {"total": batch.z_VBD.nan_to_num(0, 0, 0).clamp(-1, 1).sum()}
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Cells of table 7 with any settings, under CLOP or under a method of our own."""
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "blind.py").write_text(METHOD)
    suite = Suite(ROOT, [folder])

    def cell(*settings: str, method: str | None = None) -> Cell:
        values, _ = override_grammar.parse([*QUICK, "evaluation.collapse_rank=1.5", *settings])
        names = [method] if method else []
        return suite.benchmark("table7", overrides=values, extra_methods=names).entries[-1].cell(0)

    return cell, Plugins([ROOT / "methods", folder])


NUMBERS = {
    "adamw": (["training.optimizer=adamw", "training.learning_rate=1e6"], None, "not finite"),
    "lars": (["training.optimizer=lars", "training.learning_rate=1e7"], None, "not finite"),
    "sgd": (["training.learning_rate=1e8", "training.weight_decay=0"], None, "not finite"),
    "bf16": (["training.learning_rate=1e8", "training.precision=bf16"], None, "not finite"),
    "loss": (["training.learning_rate=1e12"], None, "loss not finite at epoch 1, step 2"),
    "embeddings": (["training.learning_rate=1e30"], "blind", "embeddings not finite at epoch 1, step 5"),
    "prototypes": (
        ["method.broken=true"],
        "blind",
        "prototype_cosine_own, prototype_cosine_other, prototype_overlap: not finite",
    ),
    "probe": (
        [
            *("evaluation.probe=sgd", "evaluation.probe_learning_rate=1e20"),
            *("evaluation.probe_weight_decay=1e30", "evaluation.probe_epochs=1"),
        ],
        None,
        "probe_top1, probe_top5, probe_all_top1, probe_all_top5: not finite",
    ),
}


@pytest.mark.parametrize(("settings", "method", "reason"), NUMBERS.values(), ids=NUMBERS)
def test_what_is_not_finite_is_divergence_with_its_reason(made, tmp_path, settings, method, reason):
    cell, plugins = made
    found = run_here(cell(*settings, method=method), plugins, tmp_path)
    assert (found.status, found.failure) == ("diverged", None)
    assert reason in found.notes["diverged"]
    assert all(value is None or math.isfinite(value) for value in found.metrics.values())
    store = Store(tmp_path / "results")
    store.write(found)
    assert store.read(found.cell.id) == found


@pytest.mark.parametrize(
    "study",
    [
        {"rates": [1e200]},
        {"rates": [1e308]},
        {"long_rates": [1e308]},
        {"long_rates": [1e308], "gradient": "ambient"},
        {"rates": [1e308], "positives": "views", "gradient": "tangent"},
        {"start_mean": 1e-300},
    ],
)
def test_a_simulation_out_of_range_has_diverged(suite, plugins, tmp_path, study):
    plain = suite.benchmark("theory").entries[0].cell(0)
    small = {"points": 16, "dim": 4, "long_rates": [1.0], "steps": 2} | study
    cell = Cell.from_config(plain.config() | {"study": plain.config()["study"] | small})
    try:
        preflight(cell, plugins)
    except UserError:
        return  # Refused in time.
    found = run_here(cell, plugins, tmp_path)
    assert found.failure is None
    assert all(value is None or math.isfinite(value) for value in found.metrics.values())
    if found.status == "diverged":
        assert found.notes["diverged"]
    Store(tmp_path / "results").write(found)


def test_a_task_on_other_data_that_cannot_be_judged_is_divergence(made, tmp_path, monkeypatch):
    cell, plugins = made

    class Task:
        @staticmethod
        def measure(*_):
            return {"transfer_x": None, "transfer_y": 0.5}, {"x": "sha"}

    monkeypatch.setattr(run_cell, "DOWNSTREAM", (Task,))
    found = run_here(cell("evaluation.collapse_rank=0"), plugins, tmp_path)
    assert (found.status, found.notes) == ("diverged", {"diverged": "transfer_x: not finite"})
    assert found.metrics["transfer_y"] == 0.5
    assert found.metrics["probe_top1"] is not None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_record_holds_what_is_no_number(cell, value):
    odd = record(cell, value, spectrum=(1.0, value))
    found = finite(odd)
    assert found.metrics == {"probe_top1": None, "effective_rank": 10.0}
    assert (found.status, found.spectrum) == ("diverged", ())
    assert found.notes == {"diverged": "probe_top1, spectrum: not finite"}
    assert finite(record(cell)) == record(cell)
    earlier = replace(odd, status="diverged", notes={"diverged": "loss not finite at epoch 1, step 2"})
    assert finite(earlier).notes == earlier.notes


def test_a_run_has_collapsed_below_the_limit_and_not_at_it(cell):
    limit = cell.evaluation.collapse_rank
    assert limit > 0
    at, below = ({"effective_rank": rank} for rank in (limit, math.nextafter(limit, 0)))
    assert judge(cell, None, {**at}) == ("done", {})
    assert judge(cell, None, {**below})[0] == "collapsed"
    assert judge(cell, "loss not finite", {**below}) == ("diverged", {"diverged": "loss not finite"})


def test_norms_that_overflow_are_not_finite():
    """Normalised, such features would be zero: every neighbour as near as any other."""
    large, usual = torch.full((2, 3), 1e25), torch.ones(2, 3)
    measure._check(usual, usual * 1e10)
    with pytest.raises(NotFiniteError, match="norms of the features"):
        measure._check(usual, large)
    with pytest.raises(NotFiniteError, match=r"^features"):
        measure._check(usual, large * 1e25)


def test_embeddings_that_are_all_zero_have_no_rank(cell):
    rank = geometry.effective_rank(geometry.singular_values(torch.zeros(4, 3)))
    assert math.isnan(rank)
    with pytest.raises(NotFiniteError, match="embeddings"):
        geometry.singular_values(torch.tensor([[math.nan, 1.0]]))
