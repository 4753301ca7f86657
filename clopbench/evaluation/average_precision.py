"""Average precision by the definition of PASCAL VOC 2007, for rankings of images and for detected boxes.

The mean, over the recalls 0, 0.1, …, 1, of the best precision at that recall or above (Everingham et al. 2010,
section 4.2). Pure functions of arrays. Shapes: M ranked items, D detections and G true boxes of one class, over
all images; a box is (left, top, right, bottom).
"""

import math
from collections.abc import Sequence

import numpy as np

POINTS = 11
THRESHOLDS = tuple(round(0.5 + 0.05 * k, 2) for k in range(10))
"""Overlaps at which COCO averages: 0.5, 0.55, …, 0.95."""


def eleven_points(score_M: np.ndarray, relevant_M: np.ndarray, positives: int | None = None) -> float:
    """The average precision of a ranking by descending score; of equal scores the earlier item comes first.

    relevant_M: whether an item is what is looked for. positives: how many there are to find, the missed ones
    included (None: those in relevant_M). Raises ValueError where there is none.
    """
    hit_M = relevant_M[np.argsort(-score_M, kind="stable")].astype(bool)
    total = int(relevant_M.sum()) if positives is None else positives
    if total < 1:
        raise ValueError("average precision needs a positive")
    found_M = np.cumsum(hit_M)
    precision_M = found_M / np.arange(1, len(hit_M) + 1)
    # Whether found/total >= k/10, in whole numbers: 3/10 would not reach a 0.3 that is made of tenths.
    best = [np.max(precision_M, where=found_M * (POINTS - 1) >= k * total, initial=0.0) for k in range(POINTS)]
    return math.fsum(best) / POINTS


def detection_precision(
    score_D: np.ndarray,
    box_D4: np.ndarray,
    image_D: np.ndarray,
    box_G4: np.ndarray,
    image_G: np.ndarray,
    difficult_G: np.ndarray,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[float]:
    """The average precision of one class at each threshold of overlap.

    Each detection belongs to the true box of its image that it overlaps most. From the best scored on, it is
    right if the overlap reaches the threshold and the box is not taken yet; a second one for the same box is
    wrong. Detections of a box that is marked difficult count neither way, and such boxes need not be found.
    image_D, image_G: the number of the image. Raises ValueError where all true boxes are difficult.
    """
    order = np.argsort(-score_D, kind="stable")
    overlap_D, match_D = best_matches(box_D4[order], image_D[order], box_G4, image_G)
    total = int((~difficult_G).sum())
    found = []
    for threshold in thresholds:
        near_D = overlap_D >= threshold
        ignored_D = near_D.copy()
        ignored_D[near_D] = difficult_G[match_D[near_D]]
        first_D = np.zeros(len(near_D), bool)
        candidates = np.flatnonzero(near_D & ~ignored_D)
        first_D[candidates[np.unique(match_D[candidates], return_index=True)[1]]] = True
        counted = ~ignored_D
        # In order already: the scores that are left rank as before.
        found.append(eleven_points(score_D[order][counted], first_D[counted], total))
    return found


def best_matches(
    box_D4: np.ndarray, image_D: np.ndarray, box_G4: np.ndarray, image_G: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each detection the largest overlap with a true box of its image, and that box's number.

    Overlap 0 and number −1 where the image has no true box; of equal overlaps the first box counts.
    """
    overlap_D, match_D = np.zeros(len(box_D4)), np.full(len(box_D4), -1)
    for image in np.intersect1d(image_D, image_G):
        here, there = np.flatnonzero(image_D == image), np.flatnonzero(image_G == image)
        iou = intersection_over_union(box_D4[here], box_G4[there])
        overlap_D[here], match_D[here] = iou.max(1), there[iou.argmax(1)]
    return overlap_D, match_D


def intersection_over_union(box_D4: np.ndarray, box_G4: np.ndarray) -> np.ndarray:
    """Shared area over joint area of each pair, float64 [D, G]; 0 where both have no area."""
    first, second = box_D4.astype(np.float64)[:, None], box_G4.astype(np.float64)[None]
    corner = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared_DG = corner.clip(0).prod(-1)
    joint_DG = _area(first) + _area(second) - shared_DG
    return np.divide(shared_DG, joint_DG, out=np.zeros_like(shared_DG), where=joint_DG > 0)


def _area(box: np.ndarray) -> np.ndarray:
    return (box[..., 2:] - box[..., :2]).prod(-1)
