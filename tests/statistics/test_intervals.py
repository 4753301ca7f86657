"""Intervals against scipy, by hand, and by their coverage."""

import numpy as np
import pytest
from checkout import some
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clopbench.statistics import flips, intervals
from clopbench.statistics.intervals import Estimate


def test_share_equals_scipys_exact_interval():
    found = intervals.share(2, 10)
    expected = stats.binomtest(2, 10).proportion_ci(method="exact")
    assert (found.value, found.low, found.high) == (
        0.2,
        pytest.approx(expected.low),
        pytest.approx(expected.high),
    )
    # None of ten: at most 1 - 0.025^(1/10) collapse.
    none = intervals.share(0, 10)
    assert (none.value, none.low, none.high) == (0.0, 0.0, pytest.approx(1 - 0.025**0.1))
    with pytest.raises(ValueError, match="count"):
        intervals.share(3, 2)


def test_mean_stays_in_bounds():
    values = [0.99, 1.0, 0.97]
    free, cut = intervals.mean(values), intervals.mean(values, (0.0, 1.0))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (free.low, free.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert (cut.low, cut.high) == (free.low, 1.0)
    assert intervals.mean([0.5]) == Estimate(0.5)
    with pytest.raises(ValueError, match="no values"):
        intervals.mean([])


def test_interquartile_mean_by_hand_and_by_scipy():
    values = [0.1, 0.12, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97]
    found = intervals.interquartile_mean(values)
    assert found.value == pytest.approx(stats.trim_mean(values, 0.25)) == pytest.approx(0.925)
    # Winsorised: 0.9 and 0.95 three times each, and 0.91 to 0.94; deviations of 0.925 squared sum to 0.00425.
    error = np.sqrt(0.00425 / (6 * 5))
    assert found.high == pytest.approx(0.925 + stats.t.ppf(0.975, 5) * error)
    assert intervals.interquartile_mean(values, (0.0, 0.93)).high == 0.93
    assert intervals.interquartile_mean([1.0, 2.0]) == Estimate(1.5)
    few = intervals.interquartile_mean([1.0, 2.0, 3.0])
    assert few.low == pytest.approx(intervals.mean([1.0, 2.0, 3.0]).low)


@given(st.lists(st.floats(-3, 3).map(lambda x: round(x, 3)), min_size=6, max_size=9, unique=True))
def test_typical_interval_is_what_the_flips_do_not_reject(differences):
    found = intervals.typical(differences)
    assert found.low is not None
    assert found.high is not None

    def p(centre):
        amounts = np.array(differences)[:, None] - centre
        return flips.alone(flips.statistics(amounts, flips.signs(len(differences))))[0]

    step = 1e-6
    assert p(found.low + step) > 0.05 - 1e-9
    assert p(found.high - step) > 0.05 - 1e-9
    assert p(found.low - step) <= 0.05 + 1e-9
    assert p(found.high + step) <= 0.05 + 1e-9


def test_typical_interval_by_hand():
    # Six values: 63 means of subsets, of which the smallest and the largest are the interval (62/64 = 96.9 %).
    assert intervals.typical([1, 2, 3, 4, 5, 9.0]) == Estimate(4.0, 1.0, 9.0)
    assert intervals.typical([1, 2, 3, 4, 5.0]) == Estimate(3.0)
    assert intervals.typical([0.5]) == Estimate(0.5)
    many = intervals.typical(np.random.default_rng(0).normal(0, 1, 30).tolist())
    t = intervals.mean(np.random.default_rng(0).normal(0, 1, 30).tolist())
    assert (many.low, many.high) == (pytest.approx(t.low, abs=0.05), pytest.approx(t.high, abs=0.05))


def test_median_interval_is_that_of_order_statistics():
    # Of ten the second smallest to the second largest: 1 - 2 · 11 / 1024 = 97.9 %.
    assert intervals.median(range(10)) == Estimate(4.5, 1.0, 8.0)
    assert intervals.median([1, 2, 3, 4, 5]) == Estimate(3.0)


@pytest.mark.parametrize("collapse", [0.0, 0.2])
def test_coverage_at_ten_seeds(collapse):
    """1000 repetitions: between 92 and 98 % (± 0.7), where one seed in five collapses too."""
    rng = np.random.default_rng(0)

    def draw(n):
        return np.where(rng.random(n) < collapse, 0.1, rng.normal(0.85, 0.015, n))

    truth = stats.trim_mean(draw(400_000), 0.25)
    inside = {"interquartile": 0, "typical": 0}
    for _ in range(1000):
        one, other = draw(10), draw(10)
        middle, typical = intervals.interquartile_mean(one.tolist()), intervals.typical((one - other).tolist())
        inside["interquartile"] += some(middle.low) <= truth <= some(middle.high)
        inside["typical"] += some(typical.low) <= 0 <= some(typical.high)
    assert all(0.92 <= count / 1000 <= 0.98 for count in inside.values()), inside
