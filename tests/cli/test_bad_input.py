"""Every kind of bad input: exit 2, one line that names the field and the rule, nothing written."""

import json
import shutil
import stat

import numpy as np
import pytest
from checkout import QUICK, ROOT
from PIL import Image
from synthetic import record

from clopbench.results.records import Store
from clopbench.suite.suite import Suite

CASES = {
    "unknown table": (["tabel7"], "unknown table 'tabel7': did you mean 'table7'? (available: assignment"),
    "no table": (["training.epochs=1"], "no table named (available: paper, assignment, batch_size"),
    "unknown method": (["table7", "--method", "simcrl"], "unknown method 'simcrl': did you mean 'simclr'?"),
    "unknown parameter": (
        ["table7", "method.wieght=1"],
        "unknown override key 'method.wieght': did you mean 'method.weight'?",
    ),
    "unknown scale": (["table7", "--scale", "laptob"], "unknown scale 'laptob': did you mean 'laptop'?"),
    "unknown scale as override": (["table7", "scale=laptob"], "unknown scale 'laptob'"),
    "unknown key": (["table7", "training.epoch=5"], "did you mean 'training.epochs'?"),
    "unknown section": (["table7", "trainin.epochs=5"], "did you mean 'training.epochs'?"),
    "malformed override": (["table7", "training.epochs=[1,"], "override 'training.epochs=[1,'"),
    "sweep": (["table7", "method.weight=0,1"], "one value, not a sweep"),
    "deletion": (["table7", "~training.epochs=1"], "fields cannot be deleted"),
    "axis": (["table7", "method.prototypes=random"], "it is what table7's axis 'prototypes' varies"),
    "method name": (["table7", "method.name=simclr"], "use --method simclr"),
    "no seeds": (["table7", "--seeds", "0"], "--seeds: at least one seed is needed (got '0')"),
    "seeds in words": (["table7", "--seeds", "abc"], "--seeds: a count (10), a range (0-9) or a list (0,3,7)"),
    "negative seeds": (["table7", "--seeds", "-3"], "--seeds: at least one seed"),
    "backward range": (["table7", "--seeds", "5-2"], "--seeds: at least one seed"),
    "double seed": (["table7", "--seeds", "1,1"], "--seeds: a count"),
    "too many seeds": (["table7", "--seeds", "999999999"], "--seeds: at most 100000 seeds (got '999999999')"),
    "too long a range": (["table7", "--seeds", "0-100000"], "--seeds: at most 100000 seeds (got '0-100000')"),
    "endless range": (["table7", "--seeds", f"3-{10**30}"], "--seeds: at most 100000 seeds"),
    "seed of 30 digits": (["table7", "--seeds", f"0,{10**30}"], "--seeds: at most 9223372036854775807"),
    "5000 digits of seeds": (["table7", "--seeds", "9" * 5000], "--seeds: a count (10)"),
    "warm-up": (
        ["table7", "training.warmup_epochs=10", "training.epochs=2"],
        "training.warmup_epochs: warmup_epochs = 10 is more than epochs = 2: the full rate would never",
    ),
    "warm-up alone": (["table7", "training.warmup_epochs=26"], "warmup_epochs = 26 is more than epochs = 25"),
    "stream": (["table7", "seeding.varies=int"], "seeding.varies: input should be 'init', 'subset', 'order',"),
    "stream of nothing": (["table7", "seeding.varies=probe"], "these cells is drawn from stream probe"),
    "stream held out": (["table7", "seeding.varies=validation"], "is drawn from stream validation"),
    "stream of a study": (["theory", "seeding.varies=init"], "goes with trainings, and these cells are"),
    "one image": (["table7", "training.batch_size=1"], "training.batch_size: must be at least 2"),
    "no epochs": (["table7", "training.epochs=0"], "training.epochs: input should be greater than 0 (got 0)"),
    "rate not a number": (["table7", "training.learning_rate=nan"], "learning_rate: input should be a finite"),
    "infinite decay": (["table7", "training.weight_decay=inf"], "weight_decay: input should be a finite"),
    "no momentum": (["table7", "training.momentum=1"], "training.momentum: input should be less than 1"),
    "5000 digits": (["table7", f"training.epochs={'9' * 5000}"], "override 'training.epochs=999"),
    "brackets": (["table7", f"data.class_fractions={'[' * 2000}"], "override 'data.class_fractions=[["),
    "package": (["table7", "training@data.epochs=1"], "a key is written section.field, without '@'"),
    "interpolation": (["table7", "data.name=${oc.env:HOME}"], "data.name: unknown data set '${oc.env:HOME}'"),
    "list for a name": (["table7", "data.name=[a]"], "data.name: must name a data set (got ['a'])"),
    "line break": (["table7", "data.name='a\nb'"], "unknown data set 'a"),
    "negative weight": (["table7", "method.weight=-0.1"], "method.weight: input should be greater than or"),
    "zero temperature": (["table7", "method.temperature=0"], "method.temperature: input should be greater"),
    "nan": (["table7", "method.weight=nan"], "method.weight: input should be a finite number"),
    "label fraction 0": (["table7", "data.label_fraction=0"], "data.label_fraction: input should be greater"),
    "label fraction 2": (["table7", "data.label_fraction=2"], "data.label_fraction: input should be less than"),
    "text for a number": (["table7", "training.epochs=many"], "training.epochs: input should be a valid"),
    "unknown data": (["table7", "data.name=cifra"], "unknown data set 'cifra'"),
    "unknown axis": (["table7", "--only", "prototype=random"], "unknown axis 'prototype': did you mean 'prot"),
    "unknown point": (["table7", "--only", "prototypes=randon"], "did you mean 'random'?"),
    "only without value": (["table7", "--only", "prototypes"], "--only: AXIS=POINT"),
    "zero workers": (["table7", "--workers", "0"], "Invalid value for '--workers'"),
    "unknown option": (["table7", "--seed", "3"], "No such option: --seed"),
    "no suite": (["table7", "--suite", "nowhere"], "--suite:"),
    "no methods folder": (["table7", "--methods-dir", "nowhere"], "--methods-dir: no folder nowhere"),
}  # fmt: skip


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize(("arguments", "message"), CASES.values(), ids=CASES)
def test_one_clear_line_and_nothing_written(bench, tmp_path, verb, arguments, message):
    done = bench(verb, *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# What only the built model can tell is found before the first cell starts.
RUN_CASES = {
    "more classes than dimensions": (
        ["projection.dim=9"],
        "projection.dim: 10 classes cannot have orthonormal prototypes in 9 dimensions",
    ),
    "batch too large": (["training.batch_size=5000"], "training.batch_size: 5000 is more than the 1437"),
    "batch too large for the long tail": (
        ["data.imbalance_factor=1000", "training.batch_size=512"],
        "training.batch_size: 512 is more than the ",
    ),
    "unknown device": (["--device", "cdua"], "unknown device 'cdua': did you mean 'cuda'?"),
}


@pytest.mark.parametrize(("arguments", "message"), RUN_CASES.values(), ids=RUN_CASES)
def test_run_checks_the_model_before_it_writes(bench, tmp_path, arguments, message):
    done = bench("run", "table7", "--seeds", "1", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_shorter_training_says_that_its_warm_up_is_too_long(bench):
    """The declared warm-up is part of the cell, which is what it always was; but nobody is left to wonder."""
    done = bench("plan", "table7", "--seeds", "1", "training.epochs=2")
    assert done.code == 0
    assert (
        "training.warmup_epochs = 3 is more than training.epochs = 2: the full rate is never reached"
        in done.out
    )
    assert "never reached" not in bench("plan", "table7", "--seeds", "1", "training.epochs=3").out
    assert "never reached" not in bench("plan", "theory", "--seeds", "1", "training.epochs=2").out


def test_a_data_set_of_one_class_is_refused(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    for split in ("train", "test"):
        (tmp_path / "images" / split / "a").mkdir(parents=True)
        for number in range(4):
            pixels = np.full((8, 8, 3), 60 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / split / "a" / f"{number}.png")
    assert bench("data", "prepare", "single", "--from", tmp_path / "images").code == 0
    done = bench("plan", "table7", "data.name=single", "training.batch_size=4")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "data.name: single has 1 class: there is nothing to tell apart" in done.err


@pytest.fixture
def own_suite(tmp_path):
    """A suite that a test may spoil."""
    folder = tmp_path / "suite"
    for name in ("benchmarks", "methods", "tables"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize(
    "name", ["benchmarks/table7.yaml", "benchmarks/scale/laptop.yaml", "tables/table7.yaml"]
)
def test_yaml_that_does_not_parse_is_named_with_its_line(bench, own_suite, name):
    path = own_suite / name
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "broken: [1, 2", "more: 3"]))
    done = bench("report" if name.startswith("tables") else "plan", *([] if "tables" in name else ["table7"]),
                 "--suite", own_suite)  # fmt: skip
    assert done.code == 2
    assert f"{path.name}:{len(lines) + 2}" in done.err
    assert "not valid YAML" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "benchmarks/table7.yaml",
            "axes:",
            "axis:",
            "benchmarks/table7.yaml:15: axis: unknown field; did you mean 'axes'",
        ),
        (
            "benchmarks/scale/laptop.yaml",
            "epochs: 25",
            "epochs: -1",
            "training.epochs: input should be greater",
        ),
        ("benchmarks/scale/laptop.yaml", "  knn: 20\n", "", "evaluation.knn: required, but not given"),
        (
            "tables/table7.yaml",
            "margin: 0.012",
            "margin: -1",
            "tables/table7.yaml:17: paper.margin: input should be",
        ),
        ("tables/table7.yaml", "mean: 0.780", "maen: 0.780", "unknown field; did you mean 'mean'"),
    ],
)
def test_wrong_declarations_are_named(bench, own_suite, name, old, new, message):
    path = own_suite / name
    path.write_text(path.read_text().replace(old, new))
    verb = ["report", "--check"] if name.startswith("tables") else ["plan", "table7"]
    done = bench(*verb, "--suite", own_suite)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err


def test_a_broken_method_is_named_and_the_others_work(bench, own_suite):
    (own_suite / "methods" / "broken.py").write_text("raise RuntimeError('no licence')\n")
    done = bench("methods", "--suite", own_suite)
    assert done.code == 1
    assert "broken  cannot be used: " in done.out
    assert "RuntimeError: no licence" in done.out
    assert "simclr  version 1" in done.out
    assert bench("plan", "table7", "--suite", own_suite).code == 0
    asked = bench("plan", "table7", "--method", "broken", "--suite", own_suite)
    assert asked.code == 2
    assert "broken.py cannot be imported: RuntimeError: no licence" in asked.err


def test_results_folder_that_cannot_be_written(bench, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = bench("run", "table7", "--seeds", "1", *QUICK, "--results", tmp_path / "file" / "results")
    assert done.code == 2
    assert "is not writable" in done.err
    assert done.err.count("\n") == 1


def test_read_only_results_folder(bench, tmp_path, monkeypatch):
    """Root may write anywhere, so the refusal is the kernel's only where the tests run as another user."""
    folder = tmp_path / "results"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        (folder / "probe").touch()
    except PermissionError:
        done = bench("run", "table7", "--seeds", "1", *QUICK, "--results", folder)
        assert (done.code, "is not writable: Permission denied" in done.err) == (2, True)
    else:
        pytest.skip("this user may write to read-only folders")
    finally:
        folder.chmod(stat.S_IRWXU)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:150], "perhaps truncated"),
        (lambda text: text.replace('"probe_top1": 0.9', '"probe_top1": 0.99'), "altered after it was written"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema 2, this version reads 1"),
    ],
)
def test_damaged_records_are_reported_and_never_recomputed_over(bench, tmp_path, suite, damage, reason):
    benchmark = suite.benchmark("table7")
    store = Store(tmp_path / "results")
    cells = [entry.cell(seed) for entry in benchmark.entries for seed in range(2)]
    for cell in cells:
        store.write(record(cell))
    path = store.record_path(cells[0].id)
    damaged = damage(path.read_text())
    path.write_text(damaged)

    done = bench("run", "table7", "--seeds", "2")
    assert done.code == 1
    assert f"{cells[0].id}/record.json" in done.out
    assert reason in done.out
    assert "1 of 4 cells has no result" in done.out
    assert "1/2" in done.out  # Not averaged in.
    assert path.read_text() == damaged
    plan = json.loads(bench("plan", "table7", "--seeds", "2", "--json").out)
    assert (plan["done"], plan["damaged"], plan["missing"]) == (3, 1, 0)
    shown = bench("show", cells[0].id[:8])
    assert shown.code == 2
    assert reason in shown.err


def test_show_of_nothing(bench):
    done = bench("show", "abcdef")
    assert (done.code, done.err) == (2, "error: 'abcdef': no table and no cell of that name in results\n")


def test_report_options_that_contradict(bench):
    assert "--local: needs --out" in bench("report", "--local").err
    assert "--check: changes nothing" in bench("report", "--check", "--publish").err


def test_suite_is_found_from_a_folder_below(monkeypatch, own_suite):
    monkeypatch.delenv("BENCH_SUITE")
    monkeypatch.chdir(own_suite / "tables")
    assert Suite.locate().root == own_suite
    monkeypatch.chdir(own_suite.parent)
    assert Suite.locate().root == ROOT
