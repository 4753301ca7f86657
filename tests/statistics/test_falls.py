"""When a fall along a grid is more than noise."""

import math

import numpy as np
import pytest

from clopbench.statistics.falls import Noise, largest_share, noise
from clopbench.statistics.thresholds import Reading, bracket

POINTS = [0.1, 0.5, 1, 2, 5, 10]


def rows(rng, n, relative=0.05):
    """Seeds of a row that does not fall; what all points of a seed share does not matter."""
    return 0.9 * np.exp(0.1 * rng.normal(0, 1, (n, 1))) * (1 + relative * rng.normal(0, 1, (n, len(POINTS))))


def position(values, share):
    return bracket(POINTS, [Reading(float(value)) for value in values], share).position


def test_noise_is_found():
    found = noise(rows(np.random.default_rng(0), 2000))
    assert found is not None
    assert found.relative == pytest.approx(0.05, rel=0.05)


def test_noise_does_not_see_falls_that_only_some_seeds_have():
    values = rows(np.random.default_rng(0), 400)
    values[::3, 4:] *= 0.3
    found = noise(values)
    assert found is not None
    assert found.relative == pytest.approx(0.05, rel=0.15)


def test_missing_values_and_too_little():
    values = rows(np.random.default_rng(1), 30)
    values[0, 3] = math.nan
    assert noise(values) is not None
    assert noise([[0.9, 0.8]]) is None
    assert noise([[0.9], [0.8]]) is None
    assert noise(np.full((3, 4), math.nan)) is None


def test_the_declared_share_stands_where_noise_does_not_reach_it():
    assert largest_share(0.5, Noise(0.01, 20.0), 6) == 0.5
    assert largest_share(0.9, None, 6) == 0.9
    # Six points make 15 pairs: a drop of √2 · t(0.05 / 15, 1000 df) = 3.85 standard deviations.
    assert largest_share(0.9, Noise(0.05, 1000.0), 6) == pytest.approx(math.exp(-3.85 * 0.05), rel=1e-3)


@pytest.mark.parametrize("n", [5, 10])
def test_rows_that_do_not_fall_have_no_threshold(n):
    """5 % noise, a share of 90 %: found in half the seeds without regard to noise, in at most 5 % with it."""
    rng, before, after, total = np.random.default_rng(n), 0, 0, 0
    for _ in range(2000 // n):
        values = rows(rng, n)
        share = largest_share(0.9, noise(values), len(POINTS))
        total += n
        before += sum(position(row, 0.9) < len(POINTS) for row in values)
        after += sum(position(row, share) < len(POINTS) for row in values)
    assert before / total > 0.4
    assert after / total <= 0.05 + 3 * 0.007  # Seeds of a row share their share, so they are not independent.


def test_true_falls_are_still_found():
    rng = np.random.default_rng(0)
    values = rows(rng, 200)
    values[:, 4:] *= 0.6
    share = largest_share(0.9, noise(values), len(POINTS))
    assert np.mean([position(row, share) == 4 for row in values]) > 0.95
