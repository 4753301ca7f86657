"""Statistics and verdicts against scipy, statsmodels, hand-worked cases and the paper's Table 7."""

import math

import numpy as np
import pytest
import statsmodels.stats.weightstats as sw
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import ttest_power

from clopbench.report import statistics
from clopbench.report.verdicts import judge_claim, judge_number

# Table 7 of the paper, section 5.3.
ORTHONORMAL, RANDOM = (0.780, 0.009, 10), (0.768, 0.015, 10)


def test_summary_by_hand():
    # 2, 4, 9: mean 5, squared deviations 9 + 1 + 16 = 26, variance 13; t(0.975, 2) = 4.302653.
    summary = statistics.summarise([2.0, 4.0, 9.0])
    assert (summary.n, summary.mean) == (3, 5.0)
    assert summary.sd == pytest.approx(math.sqrt(13))
    assert summary.half_width == pytest.approx(4.302653 * math.sqrt(13 / 3), rel=1e-6)


def test_one_value_has_no_spread_and_none_is_an_error():
    assert statistics.summarise([0.5]) == statistics.Summary(1, 0.5, None, None)
    with pytest.raises(ValueError, match="no values"):
        statistics.summarise([])


values = st.lists(st.floats(-100, 100), min_size=3, max_size=20).filter(lambda x: np.std(x) > 1e-3)


@given(values)
def test_interval_equals_statsmodels(sample):
    summary = statistics.summarise(sample)
    low, high = sw.DescrStatsW(sample).tconfint_mean(0.05)
    assert summary.half_width is not None
    assert summary.mean - summary.half_width == pytest.approx(low, rel=1e-6, abs=1e-9)
    assert summary.mean + summary.half_width == pytest.approx(high, rel=1e-6, abs=1e-9)


@given(values, st.integers(0, 2**32))
def test_paired_comparison_equals_scipy(first, seed):
    second = list(first + np.random.default_rng(seed).normal(0.3, 1, len(first)))
    paired = statistics.compare_paired(first, second)
    reference = stats.ttest_rel(first, second)
    interval = reference.confidence_interval(0.95)
    assert paired.p == pytest.approx(reference.pvalue, rel=1e-6)
    assert (paired.low, paired.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert paired.in_favour == sum(a > b for a, b in zip(first, second, strict=True))


def test_paired_comparison_by_hand():
    # Differences 1, 2, 3: mean 2, sd 1, t = 2 / (1/√3) = 3.4641, two-sided p at 2 df = 0.07418.
    paired = statistics.compare_paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (paired.difference, paired.sd, paired.in_favour) == (2.0, 1.0, 3)
    assert paired.p == pytest.approx(0.0741799, rel=1e-5)


def test_differences_without_spread():
    same = statistics.compare_paired([0.5, 0.6], [0.5, 0.6])
    assert (same.difference, same.p) == (0.0, 1.0)
    constant = statistics.compare_paired([0.6, 0.7], [0.5, 0.6])
    assert constant.difference == pytest.approx(0.1)
    assert constant.p == 0.0
    assert judge_claim({0: 0.6, 1: 0.7}, {0: 0.5, 1: 0.6}).verdict == "supported"
    assert judge_claim({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6}).text.startswith("undecided (more than 10000")


def test_pairs_must_match():
    with pytest.raises(ValueError, match="equally many"):
        statistics.compare_paired([1.0], [1.0, 2.0])


def test_welch_on_the_papers_table_7():
    """t = 0.012 / √(0.009²/10 + 0.015²/10) = 2.169; 14.74 degrees of freedom (Satterthwaite), so p = 0.0468.

    (Student's test with pooled variance, 18 degrees of freedom, would give 0.0437.)
    """
    t, p = statistics.welch(*ORTHONORMAL, *RANDOM)
    assert t == pytest.approx(2.17, abs=0.005)
    one, two = 0.009**2 / 10, 0.015**2 / 10
    freedom = (one + two) ** 2 / (one**2 / 9 + two**2 / 9)
    assert freedom == pytest.approx(14.74, abs=0.01)
    assert p == pytest.approx(2 * stats.t.sf(0.012 / math.sqrt(one + two), freedom))
    assert p == pytest.approx(0.0468, abs=0.0001)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 3.0])
def test_seeds_needed_reach_the_power_and_one_fewer_does_not(effect):
    n = statistics.seeds_needed(-effect * 2.5, 2.5)
    assert n is not None
    assert ttest_power(effect, n, 0.05) >= 0.80
    assert n == 2 or ttest_power(effect, n - 1, 0.05) < 0.80


def test_seeds_needed_of_a_known_case():
    # Cohen's textbook case for a paired test: d = 0.5, 80 % power, two-sided 5 %: 34 pairs.
    assert statistics.seeds_needed(0.5, 1.0) == 34
    assert statistics.seeds_needed(0.0, 1.0) is None
    assert statistics.seeds_needed(1e-6, 1.0) is None
    assert statistics.seeds_needed(50.0, 1.0) == 2


def test_equivalence_equals_statsmodels_on_raw_data():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.78, 0.01, 10), rng.normal(0.777, 0.02, 12)
    reference = sw.ttost_ind(first, second, -0.02, 0.02, usevar="unequal")[0]
    summaries = [(x.mean(), x.std(ddof=1), len(x)) for x in (first, second)]
    assert statistics.equivalence_p(*summaries[0], *summaries[1], 0.02) == pytest.approx(reference)
    one = sw.DescrStatsW(first)
    reference = one.ttost_mean(0.77, 0.79)[0]
    assert statistics.equivalence_p_to_constant(*summaries[0], 0.78, 0.01) == pytest.approx(reference)
    _, expected = stats.ttest_1samp(first, 0.775)
    assert statistics.one_sample_p(*summaries[0], 0.775) == pytest.approx(expected)


def ours(mean, sd=0.009, n=10):
    return statistics.Summary(n, mean, sd, statistics.t_half_width(sd, n))


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
        (statistics.Summary(1, 0.78, None, None), ORTHONORMAL, True, "undecided"),
        (ours(0.781, sd=0.0), ORTHONORMAL, True, "reproduced"),
    ],
)
def test_verdict_on_a_number(summary, paper, comparable, verdict):
    assert judge_number(summary, *paper, margin=0.012, comparable=comparable).verdict == verdict


def test_verdict_says_when_the_papers_uncertainty_is_unknown():
    verdict = judge_number(ours(0.781), 0.780, None, None, 0.012, comparable=True)
    assert verdict.reason == "the paper's uncertainty is not known"


def seeds(values):
    return dict(enumerate(values))


def test_verdicts_on_a_claim():
    rng = np.random.default_rng(1)
    base = rng.normal(0.77, 0.01, 10)
    better = seeds(base + 0.01 + rng.normal(0, 0.005, 10))
    assert judge_claim(better, seeds(base)).verdict == "supported"
    assert judge_claim(seeds(base), better).verdict == "contradicted"
    assert judge_claim(better, seeds(base), direction="lower").verdict == "contradicted"
    assert judge_claim({}, seeds(base)).verdict == "not run"
    assert judge_claim({0: 0.5}, {1: 0.4}).verdict == "not run"
    assert judge_claim({0: 0.5}, {0: 0.4}).text == "undecided (one seed says nothing about spread)"
    noisy = judge_claim(seeds(base), seeds(base + rng.normal(0.001, 0.02, 10)))
    assert noisy.verdict == "undecided"
    assert noisy.needed is not None
    assert noisy.needed > 10
    assert noisy.text == f"undecided (about {noisy.needed} seeds would settle it)"


def test_a_claim_uses_only_the_seeds_that_both_rows_have():
    verdict = judge_claim({0: 0.5, 1: 0.6, 2: 0.9}, {1: 0.5, 2: 0.7, 3: 0.1})
    assert verdict.seeds == (1, 2)
    assert verdict.paired is not None
    assert verdict.paired.difference == pytest.approx(0.15)
