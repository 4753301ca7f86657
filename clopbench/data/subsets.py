"""Which training labels are shown. Shapes: N training images."""

import numpy as np

UNLABELLED = -1


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
