"""Which training images are kept, and which of their labels are shown.

Shapes: N training images, M ≤ N kept ones, K classes. Labels are int64; UNLABELLED is −1. Random numbers come
from the generator that is passed; every function draws the same amount whatever its rate, so at one seed a
smaller fraction is a subset of a larger one, and the labels that 10 % noise replaces are among those of 20 %.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from clopbench.cell import DataConfig
from clopbench.data.dataset import UNLABELLED
from clopbench.errors import UserError

# 0.29 · 100 is 28.999999999999996 in binary arithmetic: a share this near below a whole number is that number.
ROUNDING = 1e-9


def show_labels(labels: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """Keep a fraction of the labels of each class (rounded, at least one), the rest become UNLABELLED.

    labels: int64 [N]. Returns int64 [N].
    """
    shown = np.full_like(labels, UNLABELLED)
    for number in np.unique(labels):
        members = np.flatnonzero(labels == number)
        keep = max(1, round(fraction * len(members)))
        chosen = generator.permutation(members)[:keep]
        shown[chosen] = number
    return shown


def thin_classes(
    labels: np.ndarray, fractions: Mapping[int, float], generator: np.random.Generator
) -> np.ndarray:
    """Keep max(1, ⌊fraction · n⌋) of the n images of each class, drawn without replacement.

    labels: int64 [N]. fractions: class number → share in (0, 1], as in the class.txt of the authors' code; a
    class that it leaves out keeps all its images. Rounding down gives the class sizes of the long-tailed
    CIFARs of Cao et al. 2019. Returns the positions of the kept images, ascending: int64 [M].
    Raises UserError for a class that has no image and for a share out of range.
    """
    present = np.unique(labels)
    for number, fraction in fractions.items():
        if number not in present:
            raise UserError(
                f"data.class_fractions: no image is of class {number} (classes: {present[0]} to {present[-1]})"
            )
        if not 0 < fraction <= 1:
            raise UserError(
                f"data.class_fractions: class {number} must be above 0 and at most 1 (got {fraction})"
            )
    kept = []
    for number in present:
        members = generator.permutation(np.flatnonzero(labels == number))
        share = fractions.get(int(number), 1.0)
        kept.append(members[: max(1, math.floor(share * len(members) + ROUNDING))])
    return np.sort(np.concatenate(kept))


def long_tail(num_classes: int, imbalance_factor: float) -> dict[int, float]:
    """Shares of an exponential long tail, for thin_classes: class c keeps IF^(−c / (K − 1)) of its images.

    The imbalance factor IF ≥ 1 is the size of the largest class (0) over that of the smallest (K − 1), as in
    Cui et al. 2019 and Cao et al. 2019 (LDAM), who write its inverse. Returns class number → share in (0, 1].
    Raises UserError for a factor below 1 or no classes.
    """
    if not (math.isfinite(imbalance_factor) and imbalance_factor >= 1):
        raise UserError(f"data.imbalance_factor: must be at least 1 (got {imbalance_factor})")
    if num_classes < 1:
        raise UserError(f"data.imbalance_factor: needs at least one class (got {num_classes})")
    last = max(1, num_classes - 1)
    return {number: float(imbalance_factor ** (-number / last)) for number in range(num_classes)}


def flip_labels(
    labels: np.ndarray, rate: float, num_classes: int, generator: np.random.Generator
) -> np.ndarray:
    """Symmetric label noise: with probability `rate`, a label becomes another class, all others equally likely.

    labels: int64 [N], −1 where unlabelled, which stays −1. Labels flip independently of each other, so the
    share that does is binomial, not exact; the replacement never equals the true label, so `rate` is the
    expected share of wrong labels. Returns new labels, int64 [N].
    Raises UserError for a rate outside [0, 1] and for noise among fewer than two classes.
    """
    if not 0 <= rate <= 1:
        raise UserError(f"data.label_noise: must be from 0 to 1 (got {rate})")
    if rate > 0 and num_classes < 2:
        raise UserError(f"data.label_noise: needs at least two classes (got {num_classes})")
    flips = generator.random(len(labels)) < rate
    steps = generator.integers(1, max(2, num_classes), len(labels))
    return np.where(flips & (labels != UNLABELLED), (labels + steps) % num_classes, labels)


def _no_positions() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Subset:
    """kept: positions of the training images that stay, ascending; shown: their labels, or UNLABELLED.

    held: positions of labelled images that training does not see, ascending, and held_labels: their labels.
    """

    kept: np.ndarray
    shown: np.ndarray
    held: np.ndarray = field(default_factory=_no_positions)
    held_labels: np.ndarray = field(default_factory=_no_positions)


def hold_out(subset: Subset, share: float, generator: np.random.Generator) -> Subset:
    """Take a share of the labelled images of each class (rounded, at least one) out of training.

    A class of which one label is shown keeps it. Raises UserError where no class has two.
    """
    held = np.zeros(len(subset.kept), bool)
    for number in np.unique(subset.shown[subset.shown != UNLABELLED]):
        members = generator.permutation(np.flatnonzero(subset.shown == number))
        held[members[: min(max(1, round(share * len(members))), len(members) - 1)]] = True
    if not held.any():
        raise UserError("evaluation.validation: no class shows two labels, so none can be held out")
    return Subset(subset.kept[~held], subset.shown[~held], subset.kept[held], subset.shown[held])


def choose_subset(
    labels: np.ndarray, num_classes: int, config: DataConfig, generator: np.random.Generator
) -> Subset:
    """What a cell trains on: images thinned by class, then labels hidden, then some of them made wrong."""
    kept = np.arange(len(labels))
    if config.class_fractions is not None:
        fractions = {int(number): share for number, share in config.class_fractions.items()}
        kept = thin_classes(labels, fractions, generator)
    elif config.imbalance_factor > 1:
        kept = thin_classes(labels, long_tail(num_classes, config.imbalance_factor), generator)
    shown = show_labels(labels[kept], config.label_fraction, generator)
    if config.label_noise > 0:
        shown = flip_labels(shown, config.label_noise, num_classes, generator)
    return Subset(kept, shown)
