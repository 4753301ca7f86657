"""VOC 2007's average precision, by hand and against scikit-learn's precision and recall."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve
from torchvision.ops import box_iou

from clopbench.evaluation.average_precision import (
    best_matches,
    detection_precision,
    eleven_points,
    intersection_over_union,
)


def ranking(*hits: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores that fall from item to item, and which items are relevant."""
    return -np.arange(len(hits), dtype=float), np.array(hits, bool)


def test_eleven_points_by_hand():
    assert eleven_points(*ranking(1, 1, 0, 0)) == 1
    # Precision 1/2 up to recall 1/2 (six points) and 2/4 beyond: the best at recall 0 is 1/2 as well.
    assert eleven_points(*ranking(0, 1, 0, 1)) == pytest.approx(1 / 2)
    # Recall 1/2 at precision 1, recall 1 at precision 2/3: six points of 1, five of 2/3.
    assert eleven_points(*ranking(1, 0, 1)) == pytest.approx((6 + 5 * 2 / 3) / 11)
    # One of four found: the recalls 0, 0.1 and 0.2 are reached, with precision 1.
    assert eleven_points(*ranking(1, 0), positives=4) == pytest.approx(3 / 11)
    assert eleven_points(np.zeros(0), np.zeros(0, bool), positives=2) == 0
    with pytest.raises(ValueError, match="needs a positive"):
        eleven_points(*ranking(0, 0))


def test_a_recall_of_three_tenths_reaches_the_point_of_three_tenths():
    hits = [1] * 3 + [0] * 97
    assert eleven_points(*ranking(*hits), positives=10) == pytest.approx(4 / 11)


@given(st.lists(st.booleans(), min_size=1, max_size=60).filter(any), st.randoms(use_true_random=False))
def test_eleven_points_equal_those_of_scikit_learns_curve(relevant, random):
    score = np.array(random.sample(range(1000), len(relevant)), float)
    precision, recall, _ = precision_recall_curve(relevant, score)
    # Its curve ends in a point (recall 0, precision 1) that belongs to no ranking.
    precision, recall = precision[:-1], recall[:-1]
    points = [max(precision[recall >= k / 10 - 1e-9], default=0.0) for k in range(11)]
    assert eleven_points(score, np.array(relevant)) == pytest.approx(np.mean(points))


def test_overlap_equals_torchvisions():
    import torch

    corner = np.random.default_rng(0).uniform(0, 50, (30, 2, 2)).astype(np.float32)
    boxes = np.concatenate([corner.min(1), corner.max(1)], 1)
    ours = intersection_over_union(boxes[:12], boxes[12:])
    peer = box_iou(torch.from_numpy(boxes[:12]), torch.from_numpy(boxes[12:])).numpy()
    np.testing.assert_allclose(ours, peer, rtol=1e-5)
    assert intersection_over_union(np.zeros((1, 4)), np.zeros((1, 4))) == 0


def box(left: float, width: float = 10) -> list[float]:
    return [left, 0, left + width, 10]


def precision_of(detected, true, thresholds=(0.5,)) -> list[float]:
    """detected: (score, box, image); true: (box, image, difficult)."""
    score, boxes, image = (np.array(part, float) for part in zip(*detected, strict=True))
    true_boxes, true_image, difficult = (np.array(part) for part in zip(*true, strict=True))
    return detection_precision(score, boxes, image, true_boxes.astype(float), true_image, difficult, thresholds)


def test_a_second_detection_of_the_same_object_is_wrong():
    true = [(box(0), 0, False), (box(100), 0, False)]
    # Right, double, right: recall 1/2 at precision 1, recall 1 at 2/3.
    detected = [(0.9, box(0), 0), (0.8, box(1), 0), (0.7, box(100), 0)]
    assert precision_of(detected, true) == [pytest.approx((6 + 5 * 2 / 3) / 11)]


def test_scores_rank_over_all_images_and_boxes_match_in_their_own():
    true = [(box(0), 0, False), (box(0), 1, False)]
    detected = [(0.1, box(0), 0), (0.9, box(0), 2), (0.5, box(0), 1)]
    # Wrong, right, right: precision 1/2 at recall 1/2, 2/3 at recall 1, so 2/3 at every point.
    assert precision_of(detected, true) == [pytest.approx(2 / 3)]


def test_difficult_objects_count_neither_way():
    true = [(box(0), 0, False), (box(100), 0, True)]
    without = [(0.5, box(0), 0)]
    twice = [(0.9, box(100), 0), (0.8, box(101), 0), *without]
    assert precision_of(without, true) == precision_of(twice, true) == [1.0]
    with pytest.raises(ValueError, match="needs a positive"):
        precision_of(without, [(box(0), 0, True)])


def test_overlap_must_reach_the_threshold():
    # 10 wide, shifted by 10/3: shared 2/3, joint 4/3, overlap one half; by more than that, less.
    true = [(box(0), 0, False)]
    assert precision_of([(1.0, [0, 0, 5, 10], 0)], true) == [1.0]
    assert precision_of([(1.0, [0, 0, 4.9, 10], 0)], true) == [0.0]
    found = precision_of([(1.0, [0, 0, 7.2, 10], 0)], true, thresholds=(0.5, 0.7, 0.75))
    assert found == [1.0, 1.0, 0.0]


def test_a_detection_belongs_to_the_box_that_it_overlaps_most_even_if_that_is_taken():
    """As in VOC's own program: the second-best box is not tried."""
    true = [(box(0), 0, False), (box(4), 0, False)]
    detected = [(0.9, box(0), 0), (0.8, box(1.5), 0)]
    # Of the second detection, the first box is nearer; it is taken. One right, one wrong, one missed.
    assert precision_of(detected, true) == [pytest.approx(6 / 11)]


def test_no_detections_and_images_without_objects():
    overlap, match = best_matches(np.zeros((0, 4)), np.zeros(0), np.array([box(0)]), np.array([0]))
    assert len(overlap) == len(match) == 0
    overlap, match = best_matches(np.array([box(0)]), np.array([3]), np.array([box(0)]), np.array([0]))
    assert overlap.tolist() == [0] and match.tolist() == [-1]
    nothing = np.zeros(0)
    found = detection_precision(
        nothing, np.zeros((0, 4)), nothing, np.array([box(0)]), np.array([0]), np.array([False])
    )
    assert found == [0.0] * 10
