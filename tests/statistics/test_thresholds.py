"""Thresholds of one seed and over seeds: against hand-worked cases, scipy, statsmodels and simulation."""

import math

import numpy as np
import pytest
from checkout import some
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.descriptivestats import sign_test

from clopbench.statistics import family, power
from clopbench.statistics.amounts import later
from clopbench.statistics.comparisons import Order
from clopbench.statistics.thresholds import Bracket, Reading, bracket, median, median_ranks

RATES = (1.0, 10.0, 100.0, 1000.0)
BROKEN = Reading(None, broken=True)


def of(*values, share=0.5):
    """The bracket of some metrics along RATES; a bare number is a cell that did not break."""
    readings = [value if isinstance(value, Reading) else Reading(value) for value in values]
    return bracket(RATES[: len(values)], readings, share)


def exact(value):
    """A threshold that is known."""
    return Bracket(value, value, 0, value)


@pytest.mark.parametrize(
    ("values", "low", "high", "position", "part", "recovers"),
    [
        # Monotone: the level is 10; from 16 to 4 it is reached half-way.
        ((20, 16, 4), 10, 100, 2, 0.5, False),
        # Monotone, at the second point: from 20 to 5 the level 10 is two thirds of the way.
        ((20, 5, 4, 3), 1, 10, 1, 2 / 3, False),
        # Rises before it falls: the level is half of 24; from 20 to 8 it is two thirds of the way.
        ((12, 24, 20, 8), 100, 1000, 3, 2 / 3, False),
        # Falls, and is good again: the first fall counts, and it is said.
        ((20, 5, 20, 4), 1, 10, 1, 2 / 3, True),
        # Exactly at the level is not below it.
        ((20, 10, 5), 10, 100, 2, 0.0, False),
        # A broken cell without a value, and one whose value is not below the level: half-way on the log scale.
        ((20, 16, BROKEN), 10, 100, 2, 0.5, False),
        ((20, 16, Reading(15, broken=True)), 10, 100, 2, 0.5, False),
        ((0, BROKEN), 1, 10, 1, 0.5, False),
        # A broken cell whose value is below: interpolated like any other.
        ((20, 20, Reading(0, broken=True)), 10, 100, 2, 0.5, False),
    ],
)
def test_one_seed_by_hand(values, low, high, position, part, recovers):
    found = of(*values)
    assert (found.low, found.high, found.position, found.recovers) == (low, high, position, recovers)
    assert found.estimate == pytest.approx(low * 10**part)


def test_one_seed_beyond_the_grid():
    assert of(20, 19, 18) == Bracket(100, math.inf, 3, None)
    assert of(5, 6, 7).bounds == (100, math.inf)
    assert of(BROKEN, BROKEN) == Bracket(0, 1, 0, None)
    assert of(BROKEN, 20, 19) == Bracket(0, 1, 0, None, recovers=True)
    assert of(Reading(3, broken=True)).bounds == (0, 1)


def test_share_decides_how_deep_a_fall_counts():
    assert of(0.96, 0.85, 0.5, share=0.9).position == 1
    assert of(0.96, 0.85, 0.5, share=0.6).position == 2
    assert of(0.96, 0.85, 0.5, share=0.5).position == 3


@pytest.mark.parametrize(
    ("points", "readings", "message"),
    [
        ((1, 1), (Reading(1), Reading(1)), "ascend"),
        ((2, 1), (Reading(1), Reading(1)), "ascend"),
        ((0, 1), (Reading(1), Reading(1)), "above 0"),
        ((1, 2), (Reading(1),), "one reading each"),
        ((), (), "above 0"),
        ((1,), (Reading(None),), "must have a value"),
    ],
)
def test_what_is_no_grid(points, readings, message):
    with pytest.raises(ValueError, match=message):
        bracket(points, readings, 0.5)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=6, unique=True), st.floats(0.1, 0.9))
def test_a_falling_metric_equals_numpys_interpolation(values, share):
    """Where a metric only falls, numpy's linear interpolation over log rate inverts it."""
    values = sorted(values, reverse=True)
    rates = np.logspace(-1, 2, len(values))
    found = bracket(rates.tolist(), [Reading(value) for value in values], share)
    level = share * values[0]
    if values[-1] >= level:
        assert found.estimate is None
        return
    expected = math.exp(np.interp(level, values[::-1], np.log(rates)[::-1]))
    assert found.estimate == pytest.approx(expected, rel=1e-6)
    assert found.low <= some(found.estimate) <= found.high


def test_median_of_odd_and_even_numbers():
    assert median([exact(v) for v in (9.0, 1.0, 4.0)]).bounds == (4, 4)
    # Even: the geometric mean of the middle two, √(4 · 9).
    assert median([exact(v) for v in (1.0, 4.0, 9.0, 100.0)]).bounds == (6, 6)
    one = median([exact(3.0)])
    assert (one.n, one.bounds, one.interval, one.confidence) == (1, (3, 3), None, None)
    with pytest.raises(ValueError, match="no thresholds"):
        median([])


ABOVE, BELOW = Bracket(100, math.inf, 3, None), Bracket(0, 1, 0, None)


def test_median_where_seeds_lie_beyond_the_grid():
    known = [exact(v) for v in (4.0, 9.0)]
    all_above = median([ABOVE] * 10)
    assert (all_above.bounds, all_above.interval) == ((100, math.inf), (100, math.inf))
    assert (all_above.above, all_above.below, all_above.censored) == (10, 0, 1.0)
    all_below = median([BELOW] * 6)
    assert (all_below.bounds, all_below.interval, all_below.below) == ((0, 1), (0, 1), 6)
    # Open brackets that are not in the middle do not matter.
    assert median([BELOW, *known, ABOVE]).bounds == (6, 6)
    assert median([BELOW, *known, ABOVE]).censored == 0.5
    # √(9 · x) for an unknown x above 100 is above 30.
    assert median([*known, ABOVE]).bounds == (9, 9)
    assert median([known[1], ABOVE]).bounds == (30, math.inf)
    assert median([BELOW, known[1]]).bounds == (0, 3)
    assert median([BELOW, ABOVE]).bounds == (0, math.inf)


def test_interval_ends_at_brackets_not_at_estimates():
    inside = [Bracket(10, 100, 2, estimate) for estimate in (15.0, 20, 30, 40, 50, 60)]
    assert median(inside).interval == (10, 100)
    assert median([*inside[:5], ABOVE]).interval == (10, math.inf)
    mixed = [Bracket(1, 10, 1, 3.0, recovers=True)] + inside * 2 + [Bracket(100, 1000, 3, 300.0)]
    assert median(mixed).interval == (10, 100)
    assert median(mixed).recovering == 1


def test_ranks_by_hand():
    # Six: 1 - 2 · 1/64. Ten: 1 - 2 · (1 + 10)/1024; one rank further it would be 1 - 2 · 56/1024 = 0.89.
    assert median_ranks(5) == (None, None)
    assert median_ranks(6) == (1, 0.96875)
    assert median_ranks(10) == (2, 0.978515625)


@pytest.mark.parametrize("n", [6, 9, 10, 15, 20, 31])
def test_interval_equals_scipys_quantile_test(n):
    values = np.random.default_rng(n).lognormal(size=n)
    interval = some(median([exact(float(value)) for value in values]).interval)
    # scipy holds each side to 2.5 %, as we do.
    reference = stats.quantile_test(values, q=1, p=0.5).confidence_interval(0.95)
    assert interval == (reference.low, reference.high)


@pytest.mark.parametrize("steps", [5, 40])
def test_interval_covers_the_true_median_on_coarse_and_fine_grids(steps):
    rng = np.random.default_rng(3)
    grid = np.geomspace(0.2, 5, steps)
    covered = []
    for _ in range(300):
        place = np.searchsorted(grid, rng.lognormal(size=10))
        ends = [0.0, *grid.tolist(), math.inf]
        brackets = [
            Bracket(ends[i], ends[i + 1], int(i), None if i in (0, steps) else float(ends[i] * 1.01))
            for i in place
        ]
        low, high = some(median(brackets).interval)
        covered.append(low < 1 <= high)  # The median of the distribution is 1.
    assert np.mean(covered) > 0.95


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=6, max_size=14))
def test_order_equals_statsmodels_sign_test(pairs):
    """The flips of signs, all of them, are the sign test over the seeds in which the two differ."""
    first, second = zip(*pairs, strict=True)
    found = Order().compare(first, second)
    difference = np.array(first) - np.array(second)
    assert (found.in_favour, found.tied) == ((difference > 0).sum(), (difference == 0).sum())
    [verdict] = judged(first, second)
    if not difference.any():
        assert (found.estimate, verdict.verdict, verdict.p) == (None, "undecided", 1.0)
        return
    _, p = sign_test(difference)
    assert verdict.p == pytest.approx(min(1.0, p))


def judged(first, second):
    return family.judge([[later(dict(enumerate(first)), dict(enumerate(second)))]])


def test_order_by_hand_and_in_words():
    # Eight of eight untied: 2 / 2⁸; the lower Clopper-Pearson limit is the eighth root of 0.025.
    values = [6] * 10, [4] * 8 + [6] * 2
    found = Order().compare(*values)
    assert judged(*values)[0].p == pytest.approx(2 / 256)
    assert (found.low, found.high) == (pytest.approx(0.025 ** (1 / 8)), 1.0)
    cases = [([6] * 8, [4] * 8), ([4] * 8, [6] * 8), ([6] * 8, [6] * 8), ([6] * 5, [4] * 5), ([6], [4])]
    assert [judged(*pair)[0].text for pair in cases] == [
        "supported",
        "contradicted",
        "undecided",
        "undecided (too few seeds (5 of at least 6))",
        "undecided (too few seeds (1 of at least 6))",
    ]
    with pytest.raises(ValueError, match="equally many"):
        Order().compare([1.0], [])


@pytest.mark.parametrize(("share", "alpha"), [(0.7, 0.05), (0.9, 0.01), (0.8, 0.05)])
def test_seeds_for_a_sign_test_reach_the_power_in_simulation(share, alpha):
    n = some(power.sign_test_seeds(share, 1.0, alpha))
    won = np.random.default_rng(5).binomial(n, share, 4000)
    p = {k: stats.binomtest(int(k), n).pvalue for k in np.unique(won)}
    assert np.mean([p[k] < alpha and k > n / 2 for k in won]) > 0.80 - 0.02
    # With a third of the seeds tied, half as many again are needed.
    assert some(power.sign_test_seeds(share, 2 / 3, alpha)) == pytest.approx(1.5 * n, abs=1)


def test_seeds_for_a_sign_test_in_known_cases():
    # All on one side: 2 / 2⁶ = 0.03 is the first below 5 %, 2 / 2⁸ = 0.008 the first below 1 %.
    assert power.sign_test_seeds(1.0, 1.0, 0.05) == 6
    assert power.sign_test_seeds(1.0, 1.0, 0.01) == 8
    assert power.sign_test_seeds(0.5, 1.0, 0.05) is None
    assert power.sign_test_seeds(0.501, 1.0, 0.05) is None
    assert power.cautious_share(1.0, 10) == pytest.approx(0.2 ** (1 / 10))


def test_an_undecided_order_never_needs_fewer_seeds_than_it_has():
    rng = np.random.default_rng(6)
    for _ in range(8):
        first, second = rng.integers(0, 5, (2, 9)) + np.array([[1], [0]])
        found = Order().compare(first.tolist(), second.tolist())
        [verdict] = judged(first.tolist(), second.tolist())
        needed = Order().seeds_needed(found, 0.05)
        if verdict.verdict == "undecided" and needed is not None:
            assert needed > 9
            assert needed <= (Order().seeds_needed(found, 0.05, cautious=True) or math.inf)
