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
