"""What a declaration may say in several ways, what is none, and who finds out what is wrong with one."""

import os
import re

import pytest
import yaml
from checkout import ROOT, suite_of
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from wrong_declarations import BENCHMARK, DEFAULTS, RANDOM, SECOND, SHARE, TABLE, TITLE, spoil

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.results.published import read_published
from clopbench.slurm.profiles import profile_names
from clopbench.suite import metrics, reading
from clopbench.suite.composing import Composer
from clopbench.suite.settings import MODELS
from clopbench.suite.suite import Suite

VALUES = {
    "training.epochs": 30,
    "training.optimizer": "lars",
    "data.label_fraction": 0.5,
    "data.class_fractions": {0: 0.5, 3: 0.25},
    "encoder.width": 8,
    "projection.batch_norm": True,
    "augmentation.name": "simclr",
    "evaluation.transfer": ["digits_unseen"],
    "evaluation.probe_c": 1e-4,
    "method.weight": 2.0,
}


@pytest.fixture
def own(tmp_path):
    """The folder of a suite with table 7, which a test may spoil."""
    return suite_of(tmp_path / "suite", "table7").root


@pytest.mark.parametrize("key", VALUES)
def test_nested_and_dotted_keys_are_the_same(tmp_path, key):
    section, _, field = key.partition(".")
    found = []
    for number, own in enumerate(({key: VALUES[key]}, {section: {field: VALUES[key]}})):
        root = suite_of(tmp_path / str(number), "table7").root
        point = yaml.safe_dump(own, default_flow_style=True, width=1000).strip()
        spoil(root, BENCHMARK, RANDOM, f"random: {point}")
        found.append([entry.template.id for entry in Suite(root).benchmark("table7").entries])
    assert found[0] == found[1]
    assert len(set(found[0])) == 2


def test_at_scale_takes_nested_mappings_too(own):
    spoil(
        own,
        BENCHMARK,
        SHARE,
        f"{SHARE}\nat_scale:\n  laptop: {{training: {{epochs: 7}}, launch: {{threads: 2}}}}",
    )
    benchmark = Suite(own).benchmark("table7")
    assert [entry.template.training.epochs for entry in benchmark.entries] == [7, 7]
    assert benchmark.launch.threads == 2


def test_an_entry_may_be_the_same_cell_on_purpose(own):
    spoil(
        own,
        BENCHMARK,
        RANDOM,
        f"{RANDOM}\n    ours: {{same_as: orthonormal}}\n    b: {{same_as: random, method.weight: 1}}",
    )
    orthonormal, random, ours, again = Suite(own).benchmark("table7").entries
    assert ours.template == orthonormal.template != random.template == again.template


def test_tables_share_cells_without_saying_so(suite):
    shared = [{e.template.id for e in suite.benchmark(name).entries} for name in ("table7", "table8a")]
    assert set.intersection(*shared)


def test_words_are_words(own):
    title = r"Weight ${\lambda}$ of ${oc.env:HOME} and ${"
    spoil(own, BENCHMARK, TITLE, f"title: '{title}'")
    assert Suite(own).benchmark("table7").title == title


@given(st.text("${}\\:.a'\"", max_size=12))
def test_nothing_is_interpolated(text):
    from clopbench.suite.composing import _escaped

    config = OmegaConf.create(_escaped({"a": [text]}))
    assert OmegaConf.to_container(config, resolve=True) == {"a": [text]}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("off", "off"), ("no", "no"), ("010", "010"), ("1:30", "1:30"), ("0x10", "0x10"), ("nan", "nan"),
        ("1e-4", 1e-4), ("1_000", 1000), (".5", 0.5), ("1.", 1.0), ("-3", -3), ("true", True), ("~", None),
        ("", None), ("2024-01-01", "2024-01-01"), ("'5'", "5"), ("!!str 5", "5"),
    ],
)  # fmt: skip
def test_plain_words_and_numbers(written, value):
    found = reading.parse(f"a: {written}", "x.yaml").content["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("*/*.yaml")) + sorted(ROOT.glob("benchmarks/*/*.yaml")), ids=str
)
def test_shipped_files_are_read_as_omegaconf_reads_them(path):
    """An independent reader of the same files: values, types and order."""
    ours = reading.read(path, path.name).content
    theirs = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert repr(ours) == repr(theirs)


def test_anchors_and_merges(own):
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\nd: {<<: [*a, {z: 4}]}"
    document = reading.parse(text, "x.yaml")
    assert document.content == {
        "a": {"x": 1, "y": 2}, "b": {"y": 3, "x": 1}, "c": {"x": 1, "y": 2}, "d": {"x": 1, "y": 2, "z": 4},
    }  # fmt: skip
    assert document.find(("b", "y")) == (2, 2)


def test_a_byte_order_mark_and_a_scale_without_a_header_are_right(own):
    before = [entry.template.id for entry in Suite(own).benchmark("table7").entries]
    path = own / "benchmarks" / "scale" / "laptop.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"# @package _global_\n", b""))
    assert [entry.template.id for entry in Suite(own).benchmark("table7").entries] == before


def test_files_may_be_composed_of_others(own):
    """Later ones count more: scale, base, benchmark; and a scale may be a variant of another."""
    (own / "benchmarks" / "base").mkdir()
    (own / "benchmarks" / "base" / "long.yaml").write_text("training: {epochs: 50, momentum: 0.8}\n")
    spoil(own, BENCHMARK, DEFAULTS, "defaults: [{scale: laptop}, base/long, _self_]\ntraining: {epochs: 60}\n")
    (own / "benchmarks" / "scale" / "small.yaml").write_text(
        "defaults: [laptop, _self_]\nscale: {name: small}\nencoder: {width: 2}\n"
    )
    cell = Suite(own).benchmark("table7", "small").entries[0].template
    assert (cell.training.epochs, cell.training.momentum, cell.encoder.width) == (60, 0.8, 2)
    assert cell.training.weight_decay == 1e-4
    spoil(own, "benchmarks/base/long.yaml", "momentum", "momentm")
    with pytest.raises(
        UserError, match=r"^benchmarks/base/long\.yaml:1: training\.momentm: unknown field; did you"
    ):
        Suite(own).benchmark("table7", "small")


def test_composition_is_hydras(own):
    """Our two parts, each composed by Hydra, merged: what Hydra makes of the files in one go."""
    from hydra import compose, initialize_config_dir

    found = Composer(ROOT / "benchmarks").compose("learning_rate", "gpu").content
    with initialize_config_dir(str(ROOT / "benchmarks"), version_base="1.3"):
        expected = compose("learning_rate", overrides=["scale=gpu"])
    assert found == OmegaConf.to_container(expected)


def test_what_is_no_declaration(own, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    (own / "slurm").mkdir()
    (own / "slurm" / "mine.yaml").write_text("timeout_min: 5\n")
    for folder in ("benchmarks", "benchmarks/scale", "tables", "slurm"):
        (own / folder / "._table7.yaml").write_bytes(b"\x00\x05\x16\x07")
        (own / folder / ".#table7.yaml").symlink_to("me@host.4321:1")
        (own / folder / "folder.yaml").mkdir()
        (own / folder / "table7.yaml~").write_text("an editor's copy")
    suite = Suite(own)
    assert (suite.benchmark_names(), suite.table_names()) == (["table7"], ["table7"])
    assert suite.scale_names() == ["cpu", "gpu", "gpu_short", "laptop", "paper"]
    assert profile_names(own) == ["mine"]
    assert suite.problems(["laptop"]) == []


def test_a_file_that_cannot_be_read_hides_no_others(own):
    (own / "tables" / "loop.yaml").symlink_to("loop.yaml")
    suite = Suite(own)
    assert suite.table_names() == ["loop", "table7"]
    [problem] = suite.problems(["laptop"])
    assert problem.startswith("tables/loop.yaml: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dangling.yaml", "dangling.yaml: a link to nothing"),
        ("pipe.yaml", "pipe.yaml: no file to read"),
        ("a b.yaml", "a b.yaml: a file's name has letters, digits"),
        ("new\nline.yaml", r"new\nline.yaml: a file's name"),
        ("other.yml", "other.yml: is not read: the name of a declaration ends with .yaml"),
    ],
)
def test_files_that_cannot_be_read_are_named(own, name, message):
    for folder in ("benchmarks", "tables"):
        path = own / folder / name
        if "dangling" in name:
            path.symlink_to("nowhere")
        elif "pipe" in name:
            os.mkfifo(path)
        else:
            path.write_text("title: x")
    found = Suite(own).problems(["laptop"])
    assert [f"{folder}/{message}" in " ".join(found) for folder in ("benchmarks", "tables")] == [True, True]
    assert Suite(own).benchmark("table7").entries


def test_a_benchmark_that_is_called_like_all_of_them(own):
    (own / BENCHMARK).rename(own / "benchmarks" / "paper.yaml")
    with pytest.raises(UserError, match="'paper' stands for all benchmarks"):
        Suite(own).benchmark("paper")


VERBS = {
    "list": ["list"],
    "plan": ["plan", "table7"],
    "show": ["show", "table7"],
    "run": ["run", "table7", "--seeds", "1"],
    "power": ["power", "table7"],
    "report": ["report", "--check"],
    "submit": ["submit", "table7", "--profile", "cpu", "--dry-run"],
    "doctor": ["doctor"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_finds_all_that_is_wrong_before_anything_is_run(bench, own, tmp_path, verb):
    spoil(own, TABLE, SECOND, SECOND.replace("random", "orthonormal"))
    spoil(own, TABLE, "metric: probe_top1", "metric: foo")
    spoil(own, BENCHMARK, RANDOM, "random: {method.prototypes: random, launch.threads: 2}")
    done = bench(*VERBS[verb], "--suite", own)
    said = done.out if verb == "doctor" else done.err
    lines = [line for line in said.splitlines() if line.startswith(("error: ", "BAD declarations: "))]
    assert done.code == (1 if verb == "doctor" else 2)
    assert len(lines) == 3, said
    for rule in (
        "launch.threads: a point says",
        "metric: unknown metric 'foo'",
        "compares nothing: both sides",
    ):
        assert sum(rule in line for line in lines) == 1, said
    assert all(
        re.match(r"(error|BAD declarations): (benchmarks|tables)/table7\.yaml:\d+: ", line) for line in lines
    )
    assert verb == "doctor" or not (tmp_path / "results").exists()


@pytest.mark.parametrize("verb", ["list", "plan", "show", "run", "doctor", "report"])
def test_a_suite_without_scales(bench, own, verb):
    for path in (own / "benchmarks" / "scale").iterdir():
        path.unlink()
    done = bench(*VERBS[verb], "--suite", own)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "holds no scale" in done.err


def test_a_table_spoils_no_other_benchmark(own, tmp_path):
    root = suite_of(tmp_path / "two", "table7", "table8b").root
    spoil(root, "tables/table8b.yaml", "title:", "titel:")
    assert Suite(root).benchmark("table7").entries
    with pytest.raises(UserError, match=r"tables/table8b\.yaml:\d+: titel: unknown field"):
        Suite(root).benchmark("table8b")


def test_every_published_metric_can_be_named():
    """So that the list of metrics is not shorter than what cells really leave behind."""
    known = {}
    for path in sorted((ROOT / "results" / "published").glob("*.parquet")):
        for record in read_published(path):
            study = record.cell.study
            names = metrics.OF_TRAINING if study is None else type(study).metrics(
                {field: [value] for field, value in study.model_dump().items()}
            )  # fmt: skip
            known[type(study)] = names
            assert all(metrics.fault(name, names) is None for name in record.metrics)
    assert len(known) == 3


def test_every_section_of_a_cell_can_be_declared():
    assert {*MODELS, "method", "study"} == {*Cell.model_fields, "launch"} - {"seed"}


def test_shipped_declarations_are_right(suite):
    assert suite.problems() == []
