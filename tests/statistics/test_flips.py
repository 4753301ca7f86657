"""Sign flips against enumeration by hand, scipy's permutation test and another step-down implementation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clopbench.statistics import flips

columns = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=3, max_size=8).filter(any)


def statistics_of(*amounts):
    amounts_NK = np.array(amounts, dtype=float).T
    return flips.statistics(amounts_NK, flips.signs(len(amounts_NK)))


def p_of_scipy(amounts) -> float:
    """All 2ⁿ flips: scipy looks at all where no more are asked for than there are."""
    found = stats.permutation_test(
        (np.asarray(amounts), np.zeros(len(amounts))), lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples", n_resamples=2 ** len(amounts), vectorized=True, batch=10_000,
    )  # fmt: skip
    return float(found.pvalue)


def test_by_hand():
    # 1, 2, 3: of the 8 flips only +++ and --- have a sum of 6; 3, 1, 1 has sums 5, 3, 3, 1 and opposites.
    assert flips.alone(statistics_of([1, 2, 3])).tolist() == [2 / 8]
    assert flips.alone(statistics_of([-1, 2, 3])).tolist() == [4 / 8]
    assert flips.alone(statistics_of([-3, 1, 1])).tolist() == [1.0]


@given(columns)
def test_p_is_that_of_scipys_permutation_of_pairs(amounts):
    assert flips.alone(statistics_of(amounts))[0] == pytest.approx(p_of_scipy(amounts))


@given(columns)
def test_statistic_is_students_t_made_finite(amounts):
    n = len(amounts)
    [T] = statistics_of(amounts)[0]
    t = float(np.asarray(stats.ttest_1samp(amounts, 0))[0]) if np.ptp(amounts) > 1e-9 else np.inf
    assert abs(T) <= np.sqrt(n) + 1e-12
    if np.isfinite(t):
        assert T * np.sqrt((n - 1) / (n - T**2)) == pytest.approx(t, rel=1e-6, abs=1e-6)
    [evidence] = flips.evidence(np.array([[T]]), np.array([n]))[0]
    if 1 < abs(t) < 50:  # Nearly the logarithm of the one-sided p, up to a factor that varies slowly.
        assert evidence == pytest.approx(-np.log(stats.t.sf(abs(t), n - 1)), abs=2.5)


def test_rounding_does_not_break_ties():
    # Multiples of 1/360: 0.1 + 0.2 is not 0.3 in binary, and the flips that tie with none must all count.
    steps = np.array([3, 3, -1, 2, 2, 0])
    noisy = (100 + steps) / 360 - 100 / 360
    assert flips.alone(statistics_of(noisy))[0] == flips.alone(statistics_of(steps))[0]
    assert flips.alone(statistics_of([0.1 + 0.2, 0.3, 0.3]))[0] == 2 / 8


def test_a_column_without_spread_is_no_proof():
    assert flips.alone(statistics_of([0.01, 0.01]))[0] == 0.5
    assert flips.alone(statistics_of([0.01] * 6))[0] == flips.least_p(6) == 2 / 64
    assert flips.alone(statistics_of([0.0] * 6))[0] == 1.0


@pytest.mark.parametrize(("level", "n"), [(0.05, 6), (0.0125, 8), (0.01, 8), (0.001, 11), (0.0625, 5)])
def test_fewest_seeds(level, n):
    assert flips.fewest_seeds(level) == n
    assert flips.least_p(n) <= level < flips.least_p(n - 1)


def test_signs_are_all_flips_up_to_their_opposites():
    signs_HN = flips.signs(5)
    assert {tuple(row) for row in np.concatenate([signs_HN, -signs_HN])} == set(product([1.0, -1.0], repeat=5))
    assert signs_HN[0].tolist() == [1.0] * 5
    assert flips.signs(20).shape == (flips.DRAWN // 2, 20)
    assert np.array_equal(flips.signs(20), flips.signs(20))
    with pytest.raises(ValueError, match="no seeds"):
        flips.signs(0)


def test_drawn_flips_agree_with_all_of_them():
    amounts = np.random.default_rng(3).normal(0.5, 1, 16)
    drawn = flips.alone(statistics_of(amounts))[0]
    p = p_of_scipy(amounts)
    assert drawn == pytest.approx(p, abs=4 * (p / flips.DRAWN) ** 0.5)


def step_down_by_enumeration(scores_FC, observed_C):
    """Westfall and Young's algorithm 2.8, written out: for each claim the largest of those not yet taken."""
    order = sorted(range(len(observed_C)), key=lambda c: -observed_C[c])
    adjusted, before = {}, 0.0
    for place, c in enumerate(order):
        reached = [max(row[k] for k in order[place:]) >= observed_C[c] - 1e-9 for row in scores_FC]
        before = max(before, sum(reached) / len(scores_FC))
        adjusted[c] = before
    return [adjusted[c] for c in range(len(observed_C))]


@given(st.lists(st.lists(st.integers(-3, 3), min_size=6, max_size=6).filter(any), min_size=1, max_size=5))
def test_step_down_equals_enumeration(amounts):
    half_HK = np.abs(statistics_of(*amounts))
    scores_FC = np.concatenate([half_HK, half_HK])
    found = flips.together(scores_FC, scores_FC[0])
    assert found.adjusted.tolist() == pytest.approx(step_down_by_enumeration(scores_FC.tolist(), scores_FC[0]))
    assert np.all(found.adjusted >= flips.alone(half_HK) - 1e-12)
    for c, score in enumerate(scores_FC[0]):
        assert found.adjust(c, score) == pytest.approx(found.adjusted[c])
