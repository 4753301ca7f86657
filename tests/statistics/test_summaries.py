"""Statistics and verdicts against scipy, statsmodels, hand-worked cases and the paper's Table 7."""

import math

import numpy as np
import pytest
import statsmodels.stats.weightstats as sw
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
