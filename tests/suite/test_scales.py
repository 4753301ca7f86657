"""What a benchmark says of some scales only: settings, points that are not run, and how that is shown."""

import pytest
from checkout import ROOT, suite_of

from clopbench.errors import UserError
from clopbench.report.document import collect, make_document

ADDED = """
at_scale:
  laptop: {training.batch_size: 64, method.temperature: 0.3, launch.threads: 2}
  gpu: {training.batch_size: 128}

skip:
  - {at: {prototypes: random}, scales: [laptop], reason: "too random for a laptop"}
  - {scales: [cpu], reason: "no data here"}
"""


@pytest.fixture
def own(tmp_path):
    """Table 7 with settings and skips of its own."""
    suite = suite_of(tmp_path / "suite", "table7")
    path = suite.root / "benchmarks" / "table7.yaml"
    path.write_text(path.read_text() + ADDED)
    return suite


def test_settings_hold_at_their_scale_alone(own):
    laptop, gpu, paper = (own.benchmark("table7", scale) for scale in ("laptop", "gpu", "paper"))
    (entry,) = laptop.entries
    assert entry.template.training.batch_size == 64
    assert entry.template.method.parameters["temperature"] == 0.3
    assert laptop.launch.threads == 2
    assert [e.template.training.batch_size for e in (*gpu.entries, *paper.entries)] == [128, 128, 512, 512]
    assert paper.entries[0].template.method.parameters["temperature"] == 0.2


def test_skipped_points_are_not_run_and_keep_their_reason(own):
    laptop, cpu, gpu = (own.benchmark("table7", scale) for scale in ("laptop", "cpu", "gpu"))
    assert laptop.axes == {"prototypes": ["orthonormal"]}
    assert laptop.skip_reasons == {"too random for a laptop": [{"prototypes": "random"}]}
    assert cpu.entries == []
    assert len(gpu.entries) == 2
    assert gpu.skip_reasons == {}
    assert laptop.declared_axes == cpu.declared_axes == gpu.axes


def test_a_benchmark_that_cannot_be_run_says_why(bench, own, tmp_path):
    done = bench("run", "table7", "--scale", "cpu", "--suite", own.root)
    assert done.code == 2
    assert done.err == "error: table7 is not run at scale cpu: no data here\n"
    assert not (tmp_path / "results").exists()
    shown = bench("plan", "paper", "--seeds", "2", "--suite", own.root)
    assert "table7 without random: too random for a laptop" in shown.out
    assert "2 cells: 0 done, 2 missing" in shown.out
    page = make_document(own, collect(own, {})).texts["RESULTS.md"]
    assert "Not run. `bench run table7 --seeds 10` runs it. Scale cpu: no data here." in page


WRONG = {
    "at_scale: {laptob: {training.epochs: 1}}": "at_scale: unknown scale 'laptob': did you mean 'laptop'?",
    "at_scale: {laptop: {trainin.epochs: 1}}": "unknown section 'trainin': did you mean 'training'?",
    "at_scale: {laptop: {training.epoch: 1}}": "training.epoch: unknown field; did you mean 'epochs'?",
    "skip: [{scales: [tiny], reason: x}]": "skip: unknown scale 'tiny'",
    "skip: [{at: {prototype: random}, reason: x}]": "skip: unknown axis 'prototype'",
    "skip: [{at: {prototypes: randon}, reason: x}]": "skip: unknown point of axis prototypes 'randon'",
    "skip: [{at: {prototypes: random}}]": "skip.0.reason: required",
}


@pytest.mark.parametrize("text", WRONG)
def test_mistakes_are_named(tmp_path, text):
    suite = suite_of(tmp_path / "suite", "table7")
    path = suite.root / "benchmarks" / "table7.yaml"
    path.write_text(f"{path.read_text()}\n{text}\n")
    with pytest.raises(UserError) as refused:
        suite.benchmark("table7")
    assert WRONG[text] in str(refused.value)


def test_paper_names_every_benchmark_that_can_be_run(bench, suite):
    """All benchmarks of this checkout compose at every scale, and their tables fit them."""
    for scale in suite.scale_names():
        collect(suite, {scale: {}})
    done = bench("plan", "paper", "--seeds", "1")
    assert done.code == 0, done.err
    able = [name for name in suite.benchmark_names() if suite.benchmark(name).entries]
    assert done.out.startswith(f"{', '.join(able)} at scale laptop")
    assert {path.stem for path in (ROOT / "tables").glob("*.yaml")} >= set(suite.benchmark_names())


def test_cells_that_tables_share_are_planned_once(suite):
    """CLOP at λ = 1 stands in tables 7, 8a, 8b, and where all labels are shown."""
    places = {
        name: {entry.template.id for entry in suite.benchmark(name).entries}
        for name in ("table7", "table8a", "table8b", "label_fraction", "orthogonality")
    }
    assert len(set.intersection(*places.values())) == 1
    assert {e.template.id for e in suite.benchmark("figure1").entries} <= {
        e.template.id for e in suite.benchmark("learning_rate").entries
    }


SIZES = {"sanity": 4, "noise": 9, "rivals": 42, "assignment": 4}


@pytest.mark.parametrize("scale", ["laptop", "cpu", "gpu_short", "gpu", "paper"])
@pytest.mark.parametrize("name", SIZES)
def test_benchmarks_of_our_own_compose_at_every_scale(suite, name, scale):
    found = suite.benchmark(name, scale)
    assert len({entry.template.id for entry in found.entries}) == SIZES[name]
    for entry in found.entries:
        cell, at = entry.template, entry.coordinates
        rate = at.get("learning_rate")
        assert rate is None or (cell.training.learning_rate, cell.training.learning_rate_rule) == (
            float(rate),
            "constant",
        )
        if name == "sanity":
            assert (cell.data.label_fraction, cell.training.batch_size, cell.training.learning_rate) == (
                1,
                256,
                1,
            )
            assert cell.method.parameters["weight"] == (0 if at["variant"] == "no_pull" else 1)
        if name == "noise":
            assert cell.data.label_noise == pytest.approx(int(at["label_noise"]) / 100)
        if name == "rivals":
            assert (cell.data.label_fraction, cell.evaluation.validation) == (0.1, 0.2)
            assert cell.method.name == at["method"]


def test_the_rivals_are_all_methods_there_are(suite):
    assert set(suite.benchmark("rivals").axes["method"]) == set(suite.plugins.names())


def test_cells_that_other_tables_have_are_the_same_cells(suite):
    """Without noise, and with prototypes at random, nothing is trained again."""
    known = {entry.template.id for entry in suite.benchmark("label_fraction").entries}
    noise = [entry for entry in suite.benchmark("noise").entries if entry.coordinates["label_noise"] == "0"]
    random = [e for e in suite.benchmark("assignment").entries if e.coordinates["assignment"] == "random"]
    assert {entry.template.id for entry in (*noise, *random)} < known
    assert len(noise) == 3 and len(random) == 2
