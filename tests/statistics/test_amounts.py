"""What each kind of comparison takes as evidence, by hand."""

import numpy as np
import pytest
from scipy import stats

from clopbench.statistics import amounts, flips
from clopbench.statistics.amounts import Amounts


def by_seed(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def bounds(comparison: Amounts) -> list[list[float]]:
    return [bound.round(9).tolist() for bound in comparison.bounds]


FIRST, SECOND = by_seed(0.5, 0.7, 0.6), by_seed(0.4, 0.7, 0.9)


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (amounts.difference(FIRST, SECOND), [[0.1, 0.0, -0.3]]),
        (amounts.not_worse(FIRST, SECOND, 0.2), [[0.3, 0.2, -0.1]]),
        (amounts.within(FIRST, SECOND, 0.2), [[0.3, 0.2, -0.1], [0.1, 0.2, 0.5]]),
        (amounts.later(FIRST, SECOND), [[1.0, 0.0, -1.0]]),
        (amounts.above(FIRST, 0.55), [[-1.0, 1.0, 1.0]]),
        (amounts.near(FIRST, 0.6, 0.05), [[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0]]),
    ],
)
def test_kinds_by_hand(comparison, expected):
    assert bounds(comparison) == expected
    assert comparison.n == 3
    assert bounds(comparison.at([0, 2])) == [[bound[0], bound[2]] for bound in expected]


def test_only_seeds_of_both_sides_are_compared():
    comparison = amounts.difference({3: 1.0, 1: 2.0, 7: 5.0}, {7: 1.0, 2: 0.0, 3: 0.5})
    assert comparison.seeds == [3, 7]
    assert bounds(comparison) == [[0.5, 4.0]]
    apart = amounts.difference({1: 1.0}, {2: 1.0})
    assert (apart.n, apart.bounds) == (0, ())


def test_equal_values_differ_by_nothing():
    # 0.1 + 0.2 is not 0.3 in binary.
    assert bounds(amounts.later(by_seed(0.1 + 0.2, 1.0), by_seed(0.3, 0.0))) == [[0.0, 1.0]]
    assert amounts.difference(by_seed(0.1 + 0.2), by_seed(0.3)).bounds[0][0] == 0.0


def test_a_value_at_the_limit_counts_for_the_minority():
    assert bounds(amounts.above(by_seed(1, 1, 1, 0, -1), 0)) == [[1, 1, 1, -1, -1]]
    assert bounds(amounts.above(by_seed(-1, -1, 0), 0)) == [[-1, -1, 1]]
    assert bounds(amounts.above(by_seed(0, 0), 0)) == [[0, 0]]


def test_sides_give_the_sign_test():
    rng = np.random.default_rng(0)
    values = by_seed(*rng.normal(0.6, 1, 12))
    [sides] = amounts.above(values, 0.0).bounds
    p = flips.alone(flips.statistics(sides[:, None], flips.signs(12)))[0]
    assert p == pytest.approx(stats.binomtest(int((sides > 0).sum()), 12).pvalue)


def test_spread_does_not_see_locations():
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 1, 9), rng.normal(0, 3, 9)
    [here] = amounts.steadier(by_seed(*first), by_seed(*second)).bounds
    [there] = amounts.steadier(by_seed(*(first + 5)), by_seed(*(second - 2))).bounds
    assert there == pytest.approx(here)
    [opposite] = amounts.steadier(by_seed(*second), by_seed(*first)).bounds
    assert opposite == pytest.approx(-here)
    assert here.sum() > 0


def test_spread_of_rows_that_do_not_vary():
    assert bounds(amounts.steadier(by_seed(1, 1, 1), by_seed(2, 2, 2))) == [[0, 0, 0]]
    [steady] = amounts.steadier(by_seed(1, 1, 1, 1), by_seed(0, 1, 2, 5)).bounds
    assert np.all(steady >= 0)
    assert steady.sum() > 0


def test_columns_have_zeros_where_a_seed_is_missing():
    full, part = amounts.difference(by_seed(1, 2, 3), by_seed(0, 0, 0)), amounts.above({1: 5.0, 2: -5.0}, 0.0)
    assert amounts.matrix([full, part], [0, 1, 2]).tolist() == [[1, 0], [2, 1], [3, -1]]
