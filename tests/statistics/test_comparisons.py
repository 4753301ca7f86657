"""Effects with their intervals and power, against scipy, statsmodels, simulation and hand-worked cases."""

import math

import numpy as np
import pytest
import statsmodels.stats.weightstats as sw
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower, ttest_power

from clopbench.statistics import power
from clopbench.statistics.comparisons import (
    Below,
    Equivalence,
    Nearness,
    NonInferiority,
    Order,
    Spread,
    Superiority,
)

values = st.lists(st.floats(-100, 100), min_size=3, max_size=9).filter(lambda x: np.std(x) > 1e-3)


def pair(seed, n=8, shift=0.3, noise=1.0):
    rng = np.random.default_rng(seed)
    first = rng.normal(0, 1, n)
    return first, first - rng.normal(shift, noise, n)


@given(values, st.integers(0, 2**32))
def test_effect_equals_scipys_paired_t_interval(first, seed):
    second = list(first + np.random.default_rng(seed).normal(0.3, 1, len(first)))
    found = Superiority().compare(first, second)
    interval = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert found.in_favour == sum(a > b for a, b in zip(first, second, strict=True))
    assert found.correlation == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_effect_by_hand():
    # Differences 1, 2, 3: mean 2, sd 1, so 2 standard deviations; the rows lie on one line.
    found = Superiority().compare([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (found.estimate, found.sd, found.in_favour) == (2.0, 1.0, 3)
    assert (found.standardised, found.correlation) == (2.0, pytest.approx(1.0))


@pytest.mark.parametrize("hypothesis", [Equivalence(0.5), NonInferiority(0.5), Nearness(0.5), Below()])
def test_one_sided_kinds_show_the_ninety_per_cent_interval(hypothesis):
    first, second = pair(0, shift=0.1, noise=0.4)
    found = hypothesis.compare(first.tolist(), second.tolist())
    low, high = sw.DescrStatsW(first - second).tconfint_mean(0.10)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_what_does_not_vary_has_no_interval_no_standardised_effect_and_no_correlation():
    same = Superiority().compare([0.6, 0.7, 0.8], [0.5, 0.6, 0.7])
    assert (same.low, same.high, same.standardised) == (None, None, None)
    assert same.correlation == pytest.approx(1.0)
    assert Below().compare([-0.5, -0.4, -0.3], [-1.0] * 3).correlation is None
    assert Superiority().compare([0.5, 0.7], [0.4, 0.5]).correlation is None
    assert Superiority().compare([0.5], [0.4]).sd is None


@pytest.mark.parametrize(
    "hypothesis", [Superiority(), NonInferiority(0.1), Equivalence(0.1), Spread(), Order()]
)
def test_pairs_must_match(hypothesis):
    for first, second in (([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(ValueError, match="equally many"):
            hypothesis.compare(first, second)


def test_spread_by_hand():
    # sd of 0, 2, 4 is 2 and of 0, 1, 1 is 0.5774: sums 0, 3, 5 and differences 0, 1, 3 correlate by 0.9538.
    found = Spread().compare([0.0, 2.0, 4.0], [0.0, 1.0, 1.0])
    assert found.estimate == pytest.approx(2 * math.sqrt(3))
    assert found.contrast == pytest.approx(0.95382, abs=1e-5)
    assert (found.low, found.high) == (None, None)
    flat, wavy = [0.5, 0.5, 0.5], [0.4, 0.5, 0.7]
    assert Spread().compare(flat, flat).estimate is None
    assert Spread().compare(flat, wavy).estimate == 0.0
    assert Spread().compare(wavy, flat).estimate == math.inf
    assert Spread().compare([0.1], [0.1]).estimate is None


def test_slack_is_positive_where_the_estimate_agrees_with_the_claim():
    higher, lower = ([0.5, 0.7], [0.4, 0.5]), ([0.4, 0.5], [0.5, 0.7])
    for hypothesis, expected in (
        (Superiority(), (0.15, -0.15)),
        (NonInferiority(0.2), (0.35, 0.05)),
        (Equivalence(0.2), (0.05, 0.05)),
        (Equivalence(0.1), (-0.05, -0.05)),
        (Spread(), (1 - 2.0, 1 - 0.5)),
        (Order(), (0.5, -0.5)),
    ):
        slack = tuple(hypothesis.slack(hypothesis.compare(*sides)) for sides in (higher, lower))
        assert slack == pytest.approx(expected)


def test_seeds_for_a_number_are_those_of_the_sign_test():
    """All of ten below the limit: power 80 % at 5 % needs the fewest seeds that can be significant, six."""
    found = Below().compare([-1.0 - 0.1 * k for k in range(10)], [-3.0] * 10)
    assert Below().seeds_needed(found, 0.05) == 6
    assert stats.binomtest(6, 6).pvalue < 0.05 < stats.binomtest(5, 5).pvalue
    near = Nearness(0.5).compare([0.1, 0.2, 0.3, 0.4, 0.6], [0.0] * 5)
    assert Nearness(0.5).seeds_needed(near, 0.05) == power.sign_test_seeds(0.8, 1.0, 0.05)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_seeds_needed_reach_the_power_and_one_fewer_does_not(effect, alpha):
    n = power.t_test_seeds(-effect, alpha)
    assert n is not None
    assert ttest_power(effect, n, alpha) >= 0.80
    assert n == 2 or ttest_power(effect, n - 1, alpha) < 0.80


def test_seeds_needed_of_known_cases():
    # Cohen's textbook case for a paired test: d = 0.5, 80 % power, two-sided 5 %: 34 pairs.
    assert power.t_test_seeds(0.5, 0.05) == 34
    assert power.t_test_seeds(0.0, 0.05) is None
    assert power.t_test_seeds(1e-6, 0.05) is None
    assert power.t_test_seeds(50.0, 0.05) == 2
    assert power.t_test_seeds(0.5, 0.05, sides=1) == 27
    reached = [TTestPower().power(0.5, n, 0.05, alternative="larger") for n in (26, 27)]
    assert reached[0] < 0.80 <= reached[1]
    # By hand: (1.95996 + 0.84162) / atanh(0.3) = 2.80159 / 0.30952 = 9.0514, squared 81.93, plus 3.
    assert power.correlation_seeds(0.3, 0.05) == 85
    assert power.correlation_seeds(-0.3, 0.05) == 85
    assert power.correlation_seeds(0.0, 0.05) is None


@pytest.mark.parametrize(("difference", "margin"), [(0.0, 0.5), (0.2, 0.8)])
def test_seeds_for_equivalence_reach_the_power_in_simulation(difference, margin):
    n = power.equivalence_seeds(difference, 1.0, margin, 0.05)
    assert n is not None
    rng = np.random.default_rng(1)
    sample_RN = rng.normal(difference, 1.0, (4000, n))
    error_R = sample_RN.std(axis=1, ddof=1) / math.sqrt(n)
    critical = stats.t.ppf(0.95, n - 1)
    mean_R = sample_RN.mean(axis=1)
    passed = np.mean((np.abs(mean_R) + critical * error_R) < margin)
    assert passed == pytest.approx(0.80, abs=0.04)
    assert power.equivalence_seeds(margin, 1.0, margin, 0.05) is None


def test_cautious_limits_of_a_spread_cover_the_truth_four_times_in_five():
    rng = np.random.default_rng(2)
    samples_RN = rng.normal(0, 1, (4000, 6))
    limits = [power.cautious_sd(float(s), 6) for s in samples_RN.std(axis=1, ddof=1)]
    assert np.mean(np.array(limits) > 1) == pytest.approx(0.80, abs=0.02)
    x_RN, noise_RN = rng.normal(0, 1, (2, 4000, 12))
    y_RN = x_RN + noise_RN  # Correlation √½.
    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(x_RN, y_RN, strict=True)]
    covered = np.mean([power.cautious_correlation(v, 12) < math.sqrt(0.5) for v in r])
    assert covered == pytest.approx(0.80, abs=0.03)
