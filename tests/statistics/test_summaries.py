"""Statistics and verdicts against scipy, statsmodels, hand-worked cases and the paper's Table 7."""

import gc
import math
from collections.abc import Iterator

import numpy as np
import pytest
import statsmodels.stats.weightstats as sw
from checkout import some
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clopbench.statistics import summaries
from clopbench.statistics.verdicts import judge_number

# Table 7 of the paper, section 5.3.
ORTHONORMAL, RANDOM = (0.780, 0.009, 10), (0.768, 0.015, 10)


def test_summary_by_hand():
    # 2, 4, 9: mean 5, squared deviations 9 + 1 + 16 = 26, variance 13; t(0.975, 2) = 4.302653.
    summary = summaries.summarise([2.0, 4.0, 9.0])
    assert (summary.n, summary.mean) == (3, 5.0)
    assert summary.sd == pytest.approx(math.sqrt(13))
    assert summary.half_width == pytest.approx(4.302653 * math.sqrt(13 / 3), rel=1e-6)


def test_one_value_has_no_spread_and_none_is_an_error():
    assert summaries.summarise([0.5]) == summaries.Summary(1, 0.5, None, None)
    with pytest.raises(ValueError, match="no values"):
        summaries.summarise([])


values = st.lists(st.floats(-100, 100), min_size=3, max_size=20).filter(lambda x: np.std(x) > 1e-3)


@given(values)
def test_interval_equals_statsmodels(sample):
    summary = summaries.summarise(sample)
    low, high = sw.DescrStatsW(sample).tconfint_mean(0.05)
    assert summary.half_width is not None
    assert summary.mean - summary.half_width == pytest.approx(low, rel=1e-6, abs=1e-9)
    assert summary.mean + summary.half_width == pytest.approx(high, rel=1e-6, abs=1e-9)


def test_welch_on_the_papers_table_7():
    """t = 0.012 / √(0.009²/10 + 0.015²/10) = 2.169; 14.74 degrees of freedom (Satterthwaite), so p = 0.0468.

    (Student's test with pooled variance, 18 degrees of freedom, would give 0.0437.)
    """
    t, p = summaries.welch(*ORTHONORMAL, *RANDOM)
    assert t == pytest.approx(2.17, abs=0.005)
    one, two = 0.009**2 / 10, 0.015**2 / 10
    freedom = (one + two) ** 2 / (one**2 / 9 + two**2 / 9)
    assert freedom == pytest.approx(14.74, abs=0.01)
    assert p == pytest.approx(2 * stats.t.sf(0.012 / math.sqrt(one + two), freedom))
    assert p == pytest.approx(0.0468, abs=0.0001)


def test_equivalence_equals_statsmodels_on_raw_data():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.78, 0.01, 10), rng.normal(0.777, 0.02, 12)
    reference = sw.ttost_ind(first, second, -0.02, 0.02, usevar="unequal")[0]
    both = [(x.mean(), x.std(ddof=1), len(x)) for x in (first, second)]
    assert summaries.equivalence_p(*both[0], *both[1], 0.02) == pytest.approx(reference)
    one = sw.DescrStatsW(first)
    reference = one.ttost_mean(0.77, 0.79)[0]
    assert summaries.equivalence_p_to_constant(*both[0], 0.78, 0.01) == pytest.approx(reference)
    _, expected = stats.ttest_1samp(first, 0.775)
    assert summaries.one_sample_p(*both[0], 0.775) == pytest.approx(expected)


def ours(mean, sd=0.009, n=10):
    return summaries.Summary(n, mean, sd, summaries.t_half_width(sd, n))


@pytest.mark.parametrize(
    ("summary", "paper", "comparable", "verdict"),
    [
        (None, ORTHONORMAL, True, "not run"),
        (ours(0.78), (None, None, None), True, "paper's number not known"),
        (ours(0.78), ORTHONORMAL, False, "not comparable"),
        (ours(0.781), ORTHONORMAL, True, "reproduced"),
        (ours(0.740), ORTHONORMAL, True, "different"),
        (ours(0.784, sd=0.03), ORTHONORMAL, True, "undecided"),
        (ours(0.781), (0.780, None, None), True, "reproduced"),
        (ours(0.700), (0.780, None, None), True, "different"),
        (summaries.Summary(1, 0.78, None, None), ORTHONORMAL, True, "undecided"),
        (ours(0.781, sd=0.0), ORTHONORMAL, True, "reproduced"),
    ],
)
def test_verdict_on_a_number(summary, paper, comparable, verdict):
    assert judge_number(summary, *paper, margin=0.012, comparable=comparable).verdict == verdict


def test_verdict_says_when_the_papers_uncertainty_is_unknown():
    verdict = judge_number(ours(0.781), 0.780, None, None, 0.012, comparable=True)
    assert verdict.reason == "the paper's uncertainty is not known"


@given(values, st.integers(0, 2**32))
def test_pitman_morgan_equals_the_correlation_of_sums_and_differences(first, seed):
    x = np.array(first)
    y = x + np.random.default_rng(seed).normal(0, 1, len(x))
    found = summaries.pitman_morgan(x.tolist(), y.tolist())
    r, p = stats.pearsonr(x + y, x - y)
    assert found.ratio == pytest.approx(x.std(ddof=1) / y.std(ddof=1))
    assert found.correlation == pytest.approx(r, rel=1e-6, abs=1e-9)
    assert found.p == pytest.approx(p, rel=1e-4, abs=1e-9)


def test_interval_of_the_ratio_holds_what_the_test_does_not_reject():
    """At each bound θ, the first sample and θ times the second have a correlation with p = 0.05 exactly."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 2, 12)
    y = 0.4 * x + rng.normal(0, 1, 12)
    found = summaries.pitman_morgan(x.tolist(), y.tolist())
    low, high = some(found.low), some(found.high)
    assert low < some(found.ratio) < high
    for bound in (low, high):
        _, p = stats.pearsonr(x + bound * y, x - bound * y)
        assert p == pytest.approx(0.05, rel=1e-6)


def test_pitman_morgan_holds_its_level_where_the_f_test_does_not():
    """Correlation 0.9 and equal variances: rejected in 5 % of the worlds, by an F test in far fewer."""
    rng = np.random.default_rng(0)
    p_values, f_values = [], []
    for _ in range(2000):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 10).T
        p_values.append(summaries.pitman_morgan(x.tolist(), y.tolist()).p)
        ratio = x.var(ddof=1) / y.var(ddof=1)
        f_values.append(2 * min(stats.f.sf(ratio, 9, 9), stats.f.cdf(ratio, 9, 9)))
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(np.array(f_values) < 0.05) < 0.01


def test_spread_of_values_that_do_not_vary():
    flat, wavy = [0.5, 0.5, 0.5], [0.4, 0.5, 0.7]
    assert summaries.pitman_morgan(flat, flat).p is None
    assert summaries.pitman_morgan(flat, wavy).ratio == 0.0
    assert summaries.pitman_morgan(wavy, flat).ratio == math.inf
    # The second is the first plus a constant: differences do not vary, so nothing can be said.
    assert summaries.pitman_morgan(wavy, [v + 0.1 for v in wavy]).p is None
    assert summaries.pitman_morgan([0.1, 0.2], [0.1, 0.3]).p is None
    assert summaries.pitman_morgan([0.1], [0.1]).ratio is None
    with pytest.raises(ValueError, match="equally many"):
        summaries.pitman_morgan([1.0], [1.0, 2.0])


def test_bootstrap_is_scipys_bca_and_repeatable():
    sample = np.random.default_rng(5).exponential(1, 15)
    found = some(summaries.bootstrap([sample.tolist()], np.mean))
    reference = stats.bootstrap(
        (sample,), np.mean, method="BCa", rng=np.random.default_rng(0), confidence_level=0.95
    ).confidence_interval  # fmt: skip
    assert found == (pytest.approx(reference.low), pytest.approx(reference.high))
    assert summaries.bootstrap([sample.tolist()], np.mean) == found
    # Skewed data: BCa leans to the right of the percentile interval, as it should.
    assert found[1] - sample.mean() > sample.mean() - found[0]


def test_bootstrap_needs_ten_seeds_that_vary():
    assert summaries.bootstrap([[1.0, 2.0, 3.0] * 3], np.mean) is None
    assert summaries.bootstrap([[1.0] * 10], np.mean) is None
    assert summaries.bootstrap([list(range(10))], np.mean) is not None


def test_holm_by_hand():
    # Sorted 0.01·4, 0.02·3, 0.03·2, 0.5·1, each at least the one before it.
    assert summaries.holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert summaries.holm([0.7, 0.9]) == [1.0, 1.0]
    assert summaries.holm([]) == []


@pytest.fixture(scope="module")
def little_garbage() -> Iterator[None]:
    """statsmodels collects garbage at each call, which takes long late in a session: what exists stays out."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("little_garbage")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_step_down_definition_rejects(p_values):
    rejected = set()
    for rank, position in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[position] >= 0.05 / (len(p_values) - rank):
            break
        rejected.add(position)
    adjusted = summaries.holm(p_values)
    near = [min(abs(p * k - 0.05) for k in range(1, 13)) < 1e-9 for p in p_values]
    assert any(near) or {i for i, p in enumerate(adjusted) if p < 0.05} == rejected
