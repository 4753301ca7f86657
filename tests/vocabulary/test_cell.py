"""Identity: stable over key order, processes and new features; different for every scientific field."""

import json
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.identity import flatten
from clopbench.seeds import STREAMS, integer, numpy_generator

CONFIG = {
    "method": {"name": "clop", "version": 1, "parameters": {"weight": 1.0, "base": "simclr"}},
    "data": {"name": "digits", "version": 1, "label_fraction": 0.1},
    "encoder": {"name": "residual", "width": 16},
    "projection": {"dim": 64, "hidden": 64},
    "training": {
        "epochs": 25, "batch_size": 256, "learning_rate": 0.1,
        "momentum": 0.9, "weight_decay": 1e-4, "warmup_epochs": 3,
    },
    "augmentation": {"name": "digits"},
    "evaluation": {"probe_c": 1.0, "knn": 20, "collapse_rank": 1.5},
    "seed": 7,
}  # fmt: skip


def test_id_of_a_known_cell_never_changes():
    """Published records are found by this id. If this fails, earlier results have been orphaned."""
    canonical = (
        '{"augmentation":{"name":"digits"},"data":{"label_fraction":0.1,"name":"digits","version":1},'
        '"encoder":{"name":"residual","width":16},"evaluation":{"collapse_rank":1.5,"knn":20,"probe_c":1.0},'
        '"method":{"name":"clop","parameters":{"base":"simclr","weight":1.0},"version":1},'
        '"projection":{"dim":64,"hidden":64},"seed":7,"training":{"batch_size":256,"epochs":25,'
        '"learning_rate":0.1,"momentum":0.9,"warmup_epochs":3,"weight_decay":0.0001}}'
    )
    import hashlib

    assert Cell.from_config(CONFIG).id == hashlib.sha256(canonical.encode()).hexdigest()[:16]


def shuffled(value, rng):
    if not isinstance(value, dict):
        return value
    keys = list(value)
    rng.shuffle(keys)
    return {key: shuffled(value[key], rng) for key in keys}


@given(st.integers(0, 2**32))
def test_id_does_not_depend_on_key_order(seed):
    assert Cell.from_config(shuffled(CONFIG, random.Random(seed))).id == Cell.from_config(CONFIG).id


def test_id_is_the_same_in_another_process(environment):
    script = (
        "import json, sys; from clopbench.cell import Cell; print(Cell.from_config(json.load(sys.stdin)).id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(CONFIG), capture_output=True, text=True,
        env=environment | {"PYTHONHASHSEED": "12345"}, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == Cell.from_config(CONFIG).id


def leaves(config, path=()):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


# Fields with one admissible value today.
FIXED = {("encoder", "name")}


@pytest.mark.parametrize("path", [p for p, _ in leaves(CONFIG) if p not in FIXED], ids=".".join)
@given(data=st.data())
def test_every_field_decides_the_id(path, data):
    """Any other admissible value of any field gives another id, and the old value gives the old one."""
    original = Cell.from_config(CONFIG)
    config = json.loads(json.dumps(CONFIG))
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    old = inner[path[-1]]
    inner[path[-1]] = data.draw(_other(path, old))
    changed = Cell.from_config(config)
    assert changed.id != original.id
    assert (changed.arm == original.arm) == (path == ("seed",))
    inner[path[-1]] = old
    assert Cell.from_config(config).id == original.id


def _other(path, old):
    if path == ("augmentation", "name"):
        return st.just("none")
    if isinstance(old, str):
        return st.text(min_size=1).filter(lambda text: text != old)
    if isinstance(old, int):
        return st.integers(1, 10**6).filter(lambda number: number != old)
    return st.floats(0.001, 0.999).filter(lambda number: number != old)


# Features that are off by default, each switched on.
OPTIONAL = {
    ("data", "class_fractions"): {"0": 0.5},
    ("data", "imbalance_factor"): 10.0,
    ("data", "label_noise"): 0.1,
    ("encoder", "inner_width"): 2,
    ("encoder", "stem"): "imagenet",
    ("projection", "batch_norm"): True,
    ("training", "optimizer"): "lars",
    ("training", "learning_rate_rule"): "sqrt",
    ("training", "schedule"): "authors",
    ("training", "lars_trust"): 0.01,
    ("training", "lars_adapt_all"): True,
    ("training", "precision"): "bf16",
    ("training", "micro_batch"): 64,
    ("evaluation", "transfer"): {"digits_unseen": 1},
    ("evaluation", "validation"): 0.1,
    ("training", "devices"): 2,
    ("seeding", "varies"): "subset",
}


def test_every_optional_feature_decides_the_id():
    ids = {Cell.from_config(CONFIG).id}
    for (section, field), value in OPTIONAL.items():
        changed = CONFIG | {section: CONFIG.get(section, {}) | {field: value}}
        ids.add(Cell.from_config(changed).id)
    assert len(ids) == len(OPTIONAL) + 1


# What goes with a trained probe only, each beside `evaluation.probe`.
TRAINED_PROBE = {"probe": "lars", "probe_learning_rate": 0.1}
OF_THE_PROBE = {
    "probe": "sgd",
    "probe_learning_rate": 0.2,
    "probe_epochs": 7,
    "probe_batch_size": 64,
    "probe_weight_decay": 1e-4,
    "probe_augmentation": "none",
    "probe_normalised": True,
}


def test_every_setting_of_a_trained_probe_decides_the_id():
    def cell(settings):
        return Cell.from_config(CONFIG | {"evaluation": CONFIG["evaluation"] | TRAINED_PROBE | settings})

    ids = {Cell.from_config(CONFIG).id, cell({}).id}
    ids |= {cell({field: value}).id for field, value in OF_THE_PROBE.items()}
    assert len(ids) == len(OF_THE_PROBE) + 2


# What goes with detection only, each beside `evaluation.detection`.
DETECTION = {"detection": "voc2007_boxes", "detection_version": 1}
OF_DETECTION = {
    "detection": "other_boxes",
    "detection_version": 2,
    "detection_frozen": True,
    "detection_epochs": 3,
    "detection_batch_size": 4,
    "detection_learning_rate": 0.1,
    "detection_image_size": 300,
}


def test_every_setting_of_detection_decides_the_id():
    def cell(settings):
        return Cell.from_config(CONFIG | {"evaluation": CONFIG["evaluation"] | DETECTION | settings})

    ids = {Cell.from_config(CONFIG).id, cell({}).id}
    ids |= {cell({field: value}).id for field, value in OF_DETECTION.items()}
    assert len(ids) == len(OF_DETECTION) + 2


def test_no_field_is_forgotten_above():
    """A new field must be tried here, so that it cannot be left out of the identity by accident."""
    fields = set()
    for name, section in Cell.model_fields.items():
        if isinstance(section.annotation, type) and issubclass(section.annotation, BaseModel):
            fields |= {(name, key) for key in section.annotation.model_fields}
    tried = {path[:2] for path, _ in leaves(CONFIG) if path != ("seed",)} | OPTIONAL.keys()
    tried |= {("evaluation", field) for field in (*OF_THE_PROBE, *OF_DETECTION)}
    assert fields == tried


def test_fields_at_their_default_are_left_out():
    """So that a feature added later, off by default, leaves the ids of earlier records alone."""
    explicit = json.loads(json.dumps(CONFIG))
    explicit["data"]["label_fraction"] = 1.0
    implicit = json.loads(json.dumps(CONFIG))
    del implicit["data"]["label_fraction"]
    explicit["seeding"] = {"varies": None}
    assert Cell.from_config(explicit).id == Cell.from_config(implicit).id


def test_whole_numbers_and_floats_are_the_same_value():
    config = json.loads(json.dumps(CONFIG))
    config["evaluation"]["probe_c"] = 1
    assert Cell.from_config(config).id == Cell.from_config(CONFIG).id


def test_config_round_trip():
    cell = Cell.from_config(CONFIG)
    assert Cell.from_config(json.loads(json.dumps(cell.config()))) == cell
    assert flatten(cell.config())["method.weight"] == 1.0


def test_unknown_field_is_named():
    with pytest.raises(UserError, match=r"training\.epoch: unknown field; did you mean 'epochs'"):
        Cell.from_config(CONFIG | {"training": CONFIG["training"] | {"epoch": 1}})


def test_streams_are_independent_and_stable():
    draws = {stream: numpy_generator(0, stream).random(4).tolist() for stream in STREAMS}
    assert len({tuple(draw) for draw in draws.values()}) == len(STREAMS)
    assert integer(0, "augment", 1, 2) != integer(0, "augment", 2, 1)
    assert integer(0, "init") != integer(1, "init")
    # SeedSequence is numpy's promise of stability across versions; position 0 of the tuple is 'init'.
    import numpy as np

    expected = np.random.SeedSequence(5, spawn_key=(0,)).generate_state(1, np.uint64)[0]
    assert integer(5, "init") == int(expected) >> 1
