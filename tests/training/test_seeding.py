"""One random stream follows the seed alone: what it decides changes, and nothing else, bit by bit."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from checkout import ROOT, pixels_of, run_here

from clopbench.cell import FIXED_SEED, Cell, SeedingConfig
from clopbench.data import sources
from clopbench.results.plan import MOST_SEEDS
from clopbench.seeds import STREAMS, Stream
from clopbench.suite.declarations import LaunchConfig
from clopbench.suite.plugins import Plugins
from clopbench.suite.suite import Suite
from clopbench.training.assembly import Hooks, prepare, subset_of
from clopbench.training.stop import StopRequest

OF_TRAINING: tuple[Stream, ...] = ("subset", "init", "order", "augment", "prototypes")
Seen = dict[str, list[torch.Tensor]]


@cache
def ordinary() -> Cell:
    """CLOP with 10 % of the labels, two short epochs."""
    cell = Suite(ROOT).benchmark("label_fraction", only={"method": ["clop_simclr"], "label_fraction": ["0.1"]})
    template = cell.entries[0].template
    training = template.training.model_copy(update={"epochs": 2, "batch_size": 512, "warmup_epochs": 0})
    return template.model_copy(update={"training": training})


def seeded(seed: int, varies: Stream | None) -> Cell:
    return ordinary().model_copy(update={"seed": seed, "seeding": SeedingConfig(varies=varies)})


@cache
def seen(seed: int, varies: Stream | None) -> Seen:
    """What each stream decides, as a trainer meets it.

    Views are those of the same eight images at each of four positions, so that they do not depend on the order.
    """
    hooks = Hooks(lambda *_: None, Path("unused"), LaunchConfig(), StopRequest())
    ready = prepare(seeded(seed, varies), Plugins([ROOT / "methods"]), torch.device("cpu"), hooks)
    trainer, model = ready.trainer, ready.trainer.model
    weights = [p.detach().clone() for part in (model.encoder, model.head) for p in part.parameters()]
    found: Seen = {
        "subset": [torch.from_numpy(ready.subset.kept), torch.from_numpy(ready.subset.shown)],
        "init": weights,
        "order": [],
        "augment": [],
        "prototypes": [model.method.get_buffer("prototype_KD").clone()],
    }
    embed = model.embed

    def record(into: list[torch.Tensor], which: int) -> None:
        """Keep one of what the model is asked to embed: its views, labels or positions."""

        def embedded(*given: torch.Tensor):
            into.append(given[which])
            return embed(*given)

        model.embed = embedded  # pyright: ignore[reportAttributeAccessIssue]

    record(found["order"], 2)
    trainer.run(lambda _: None, lambda _: None)
    record(found["augment"], 0)
    images = torch.from_numpy(pixels_of("digits").train.images[:8])
    for trainer.epoch in (0, 1):
        for step in (0, 1):
            trainer.step_on(images, np.arange(8), step)
    assert len(found["order"]) == len(found["augment"]) == 4
    return found


def same(one: Seen, other: Seen, stream: Stream) -> bool:
    return all(a.equal(b) for a, b in zip(one[stream], other[stream], strict=True))


@pytest.mark.parametrize("varies", OF_TRAINING)
def test_what_varies_is_the_seeds_and_all_else_is_the_fixed_seeds(varies):
    found = seen(3, varies)
    for stream in OF_TRAINING:
        assert same(found, seen(3 if stream == varies else FIXED_SEED, None), stream), stream


PAIRED = {
    "head": ({"projection": {"dim": 32}}, {"init"}),
    "encoder": ({"encoder": {"width": 8}}, {"init"}),
    "labels": ({"data": {"label_fraction": 0.2}}, {"subset"}),
    "images": ({"data": {"class_fractions": {0: 0.5}}}, {"subset"}),
    "rate": ({"training": {"learning_rate": 0.01}}, set()),
}


@pytest.mark.parametrize(("changes", "moved"), PAIRED.values(), ids=PAIRED)
def test_paired_cells_share_every_first_weight_and_every_label(changes, moved):
    """A hash for each tells cells of one seed apart where either is not the same in both."""
    hooks = Hooks(lambda *_: None, Path("unused"), LaunchConfig(), StopRequest())
    config = ordinary().config()
    for section, values in changes.items():
        config[section] |= values
    one, other = (
        prepare(cell, Plugins([ROOT / "methods"]), torch.device("cpu"), hooks).pairing
        for cell in (ordinary(), Cell.from_config(config))
    )
    assert {name for name in one if one[name] != other[name]} == moved


def test_seeds_differ_in_everything():
    """Else the test above could not fail."""
    for stream in OF_TRAINING:
        assert not same(seen(3, None), seen(FIXED_SEED, None), stream), stream


def test_a_held_out_share_has_a_stream_of_its_own():
    evaluation = ordinary().evaluation.model_copy(update={"validation": 0.2})
    data = sources.load("digits")

    def split(seed, varies):
        subset = subset_of(seeded(seed, varies).model_copy(update={"evaluation": evaluation}), data)
        shown = np.flatnonzero(subset.shown >= 0)
        return set(subset.held), set(subset.held) | set(subset.kept[shown])

    (held, labelled), (others, same_labelled) = split(3, "validation"), split(4, "validation")
    assert held != others and labelled == same_labelled
    assert split(3, "init") == split(4, "init") == split(FIXED_SEED, None)


def test_the_views_of_the_evaluation_decide_the_alignment_alone(tmp_path, plugins):
    first, second = (run_here(seeded(seed, "evaluate"), plugins, tmp_path / str(seed)) for seed in (3, 4))
    changed = {name for name, value in first.metrics.items() if second.metrics[name] != value}
    assert changed == {"alignment"}
    assert (first.history, first.spectrum) == (second.history, second.spectrum)


def test_each_stream_has_the_cells_seed_or_the_fixed_one():
    for varies in STREAMS:
        cell = seeded(7, varies)
        assert [cell.seed_of(stream) for stream in STREAMS] == [
            7 if stream == varies else FIXED_SEED for stream in STREAMS
        ]
    assert {seeded(7, None).seed_of(stream) for stream in STREAMS} == {7}


def test_no_seed_that_is_counted_up_to_is_the_fixed_one():
    assert FIXED_SEED >= MOST_SEEDS
