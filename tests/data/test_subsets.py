"""What a cell keeps and shows, through `choose_subset` and `subset_of`: labels are those of the images kept.

Labels come in no order, so that taking them from the first images, or from all, gives other ones.
"""

from collections import Counter

import numpy as np
import pytest
from checkout import pixels_of
from hypothesis import given, settings
from hypothesis import strategies as st

from clopbench import seeds
from clopbench.cell import Cell, DataConfig
from clopbench.data.subsets import UNLABELLED, Subset, choose_subset, flip_labels, show_labels, thin_classes
from clopbench.errors import UserError
from clopbench.suite.overrides import parse
from clopbench.training.assembly import subset_of

CLASSES = 4
LABELS = np.random.default_rng(7).permutation(np.repeat(np.arange(CLASSES), [40, 30, 20, 10]))


def chosen(seed: int = 0, labels: np.ndarray = LABELS, **fields) -> Subset:
    config = DataConfig(name="any", version=1, **fields)
    return choose_subset(labels, CLASSES, config, np.random.default_rng(seed))


def counts(labels: np.ndarray) -> list[int]:
    return np.bincount(labels[labels != UNLABELLED], minlength=CLASSES).tolist()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [40, 30, 20, 10]),
        ({"class_fractions": {"0": 0.25, "2": 0.5}}, [10, 30, 10, 10]),
        ({"class_fractions": {"3": 0.01}}, [40, 30, 20, 1]),
        ({"imbalance_factor": 8.0}, [40, 15, 5, 1]),  # Shares 8^(−c/3): 1, 1/2, 1/4, 1/8.
    ],
)
def test_with_all_labels_shown_are_those_of_the_images_kept(fields, expected):
    subset = chosen(**fields)
    assert (np.diff(subset.kept) > 0).all()
    assert counts(LABELS[subset.kept]) == expected
    np.testing.assert_array_equal(subset.shown, LABELS[subset.kept])
    assert subset.kept.dtype == subset.shown.dtype == np.int64
    # The fixture tells the two apart: the first labels are others.
    assert len(subset.kept) == len(LABELS) or (subset.shown != LABELS[: len(subset.kept)]).any()


@pytest.mark.parametrize(
    ("fields", "kept", "shown"),
    [
        ({"label_fraction": 0.1}, [40, 30, 20, 10], [4, 3, 2, 1]),
        ({"label_fraction": 0.001}, [40, 30, 20, 10], [1, 1, 1, 1]),
        ({"label_fraction": 0.25}, [40, 30, 20, 10], [10, 8, 5, 2]),  # 7.5 and 2.5 round to even.
        ({"label_fraction": 0.5, "class_fractions": {"0": 0.25, "1": 0.2}}, [10, 6, 20, 10], [5, 3, 10, 5]),
        ({"label_fraction": 0.2, "imbalance_factor": 8.0}, [40, 15, 5, 1], [8, 3, 1, 1]),
    ],
)
def test_some_labels_of_the_images_kept_are_shown_class_by_class(fields, kept, shown):
    subset = chosen(**fields)
    assert (counts(LABELS[subset.kept]), counts(subset.shown)) == (kept, shown)
    seen = subset.shown != UNLABELLED
    np.testing.assert_array_equal(subset.shown[seen], LABELS[subset.kept][seen])


def test_noise_replaces_shown_labels_of_the_images_kept_and_no_others():
    clean = chosen(label_fraction=0.5, class_fractions={"0": 0.5})
    noisy = chosen(label_fraction=0.5, class_fractions={"0": 0.5}, label_noise=0.4)
    np.testing.assert_array_equal(noisy.kept, clean.kept)
    hidden = clean.shown == UNLABELLED
    assert (noisy.shown[hidden] == UNLABELLED).all()
    changed = noisy.shown != clean.shown
    assert 0 < changed.sum() < (~hidden).sum()
    assert ((noisy.shown[changed] >= 0) & (noisy.shown[changed] < CLASSES)).all()
    everything = chosen(label_noise=1.0)
    assert (everything.shown != LABELS).all()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 9), st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1))
def test_at_one_seed_less_is_part_of_more(seed, one, other, noise):
    """Fewer labels are among more labels; fewer images among more images; so are wrong labels."""
    low, high = sorted((one, other))
    few, many = (chosen(seed, label_fraction=part).shown for part in (low, high))
    assert set(np.flatnonzero(few >= 0)) <= set(np.flatnonzero(many >= 0))
    few, many = (chosen(seed, class_fractions={"1": part, "2": noise}).kept for part in (low, high))
    assert set(few) <= set(many)
    few, many = (np.flatnonzero(chosen(seed, label_noise=part).shown != LABELS) for part in (low, high))
    assert set(few) <= set(many)


def test_one_stream_thins_then_hides_then_falsifies():
    """The order of the draws is part of every cell's numbers: the three functions one after the other."""
    generator = np.random.default_rng(5)
    kept = thin_classes(LABELS, {0: 0.5, 3: 0.7}, generator)
    shown = flip_labels(show_labels(LABELS[kept], 0.6, generator), 0.3, CLASSES, generator)
    subset = chosen(5, class_fractions={"0": 0.5, "3": 0.7}, label_fraction=0.6, label_noise=0.3)
    np.testing.assert_array_equal(subset.kept, kept)
    np.testing.assert_array_equal(subset.shown, shown)


def test_a_label_moves_on_by_its_step():
    """Other steps would be as good, but every record with noise has these."""
    steps = np.random.default_rng(2)
    steps.random(6)  # Which labels flip is drawn before.
    expected = (np.array([0, 1, 2, 3, 3, 0]) + steps.integers(1, 4, 6)) % 4
    noisy = flip_labels(np.array([0, 1, 2, 3, 3, 0]), 1.0, 4, np.random.default_rng(2))
    np.testing.assert_array_equal(noisy, expected)


def test_which_labels_are_shown_is_a_uniform_draw_that_the_seed_decides():
    draws = [chosen(seed, label_fraction=0.1).shown for seed in range(400)]
    assert (draws[3] == chosen(3, label_fraction=0.1).shown).all()
    often = np.array([(draw >= 0) for draw in draws]).mean(0)
    for number in range(CLASSES):  # 400 draws of one in ten: a standard error of 0.015.
        assert np.abs(often[number == LABELS] - 0.1).max() < 5 * 0.015


@pytest.fixture(scope="module")
def cell(suite) -> Cell:
    return suite.benchmark("table7").entries[0].cell(3)


def changed(cell: Cell, **sections) -> Cell:
    return cell.model_copy(
        update={name: getattr(cell, name).model_copy(update=fields) for name, fields in sections.items()}
    )


def test_a_cells_subset_comes_from_its_seed_and_the_training_labels(cell):
    data = pixels_of("digits")
    thinned = changed(cell, data={"class_fractions": {"4": 0.2, "7": 0.5}, "label_fraction": 0.3})
    subset = subset_of(thinned, data)
    expected = choose_subset(data.train.labels, 10, thinned.data, seeds.numpy_generator(thinned.seed, "subset"))
    np.testing.assert_array_equal(subset.kept, expected.kept)
    np.testing.assert_array_equal(subset.shown, expected.shown)
    assert len(subset.held) == len(subset.held_labels) == 0
    other = subset_of(thinned.model_copy(update={"seed": 4}), data)
    assert not np.array_equal(other.kept, subset.kept)


def test_holding_out_takes_shown_labels_from_a_stream_of_its_own(cell):
    data = pixels_of("digits")
    few = {"label_fraction": 0.3, "class_fractions": {"4": 0.2}}
    whole = subset_of(changed(cell, data=few), data)
    part = subset_of(changed(cell, data=few, evaluation={"validation": 0.2}), data)
    assert sorted([*part.kept, *part.held]) == whole.kept.tolist()
    np.testing.assert_array_equal(part.held_labels, data.train.labels[part.held])
    shown = dict(zip(whole.kept.tolist(), whole.shown.tolist(), strict=True))
    assert part.shown.tolist() == [shown[position] for position in part.kept.tolist()]
    labelled, held = Counter(whole.shown[whole.shown >= 0].tolist()), Counter(part.held_labels.tolist())
    assert held == {number: max(1, round(0.2 * count)) for number, count in labelled.items()}
    assert (np.diff(part.held) > 0).all() and (np.diff(part.kept) > 0).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("+data.class_fractions={12: 0.5}", r"_fractions: no image is of class 12 \(classes: 0 to 9\)"),
        ("+data.class_fractions={0: 1.5}", r"data\.class_fractions\.0: .*(got 1\.5)"),
        ("data.label_noise=1.5", r"data\.label_noise: "),
        ("data.imbalance_factor=0.5", r"data\.imbalance_factor: "),
        ("data.label_fraction=0", r"data\.label_fraction: "),
    ],
)  # fmt: skip
def test_wrong_subsets_are_refused_by_the_field(suite, words, message):
    values, _ = parse([words])
    with pytest.raises(UserError, match=message):
        subset_of(suite.benchmark("table7", "laptop", values).entries[0].cell(0), pixels_of("digits"))
