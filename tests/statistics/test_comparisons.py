"""Comparisons, power and verdicts on claims, against scipy, statsmodels, simulation and hand-worked cases."""

import math

import numpy as np
import pytest
import statsmodels.stats.weightstats as sw
from checkout import some
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower, ttest_power

from clopbench.statistics import power
from clopbench.statistics.comparisons import Equivalence, NonInferiority, Spread, Superiority
from clopbench.statistics.verdicts import Evidence, judge_claims

values = st.lists(st.floats(-100, 100), min_size=3, max_size=9).filter(lambda x: np.std(x) > 1e-3)


def pair(seed, n=8, shift=0.3, noise=1.0):
    rng = np.random.default_rng(seed)
    first = rng.normal(0, 1, n)
    return first, first - rng.normal(shift, noise, n)


def judged(hypothesis, *pairs):
    """The verdict on a claim that is alone and consists of these comparisons."""
    tested = Evidence(hypothesis, [None if p is None else hypothesis.compare(*p) for p in pairs])
    [verdict] = judge_claims([tested])
    return verdict


@given(values, st.integers(0, 2**32))
def test_superiority_equals_scipys_paired_t_test(first, seed):
    second = list(first + np.random.default_rng(seed).normal(0.3, 1, len(first)))
    found = Superiority().compare(first, second)
    reference = stats.ttest_rel(first, second)
    interval = reference.confidence_interval(0.95)
    assert Evidence(Superiority(), [found]).p == pytest.approx(reference.pvalue, rel=1e-6)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    for p, side in ((found.p_for, "greater"), (found.p_against, "less")):
        assert p == pytest.approx(stats.ttest_rel(first, second, alternative=side).pvalue, rel=1e-6)
    assert found.in_favour == sum(a > b for a, b in zip(first, second, strict=True))


def test_superiority_by_hand():
    # Differences 1, 2, 3: mean 2, sd 1, t = 2 / (1/√3) = 3.4641, two-sided p at 2 df = 0.07418.
    found = Superiority().compare([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (found.estimate, found.sd, found.in_favour) == (2.0, 1.0, 3)
    assert Evidence(Superiority(), [found]).p == pytest.approx(0.0741799, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_equivalence_equals_statsmodels_paired_tost(seed):
    first, second = pair(seed, shift=0.1, noise=0.4)
    found = Equivalence(0.5).compare(first.tolist(), second.tolist())
    reference = sw.ttost_paired(first, second, -0.5, 0.5)
    assert found.p_for == pytest.approx(reference[0])
    low, high = sw.DescrStatsW(first - second).tconfint_mean(0.10)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    # TOST at 5 % rejects exactly where the 90 % interval lies inside the margin.
    assert (some(found.p_for) < 0.05) == (low > -0.5 and high < 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_non_inferiority_equals_scipys_one_sided_test(seed):
    first, second = pair(seed, shift=-0.2, noise=0.5)
    found = NonInferiority(0.4).compare(first.tolist(), second.tolist())
    for p, side in ((found.p_for, "greater"), (found.p_against, "less")):
        _, expected = stats.ttest_1samp(first - second, -0.4, alternative=side)
        assert p == pytest.approx(expected)
    smaller = min(some(found.p_for), some(found.p_against))
    assert Evidence(NonInferiority(0.4), [found]).p == pytest.approx(smaller)


def test_differences_without_spread():
    assert judged(Superiority(), ([0.5, 0.6], [0.5, 0.6])).p == 1.0
    assert judged(Superiority(), ([0.6, 0.7], [0.5, 0.6])).verdict == "supported"
    never = judged(Superiority(), ([0.5, 0.6, 0.7],) * 2)
    assert never.text == "undecided (more than 10000 seeds would be needed)"
    assert judged(Equivalence(0.01), ([0.5, 0.6],) * 2).verdict == "supported"
    assert judged(Equivalence(0.01), ([0.5, 0.6], [0.3, 0.4])).verdict == "contradicted"
    assert judged(NonInferiority(0.01), ([0.5, 0.6], [0.52, 0.62])).verdict == "contradicted"
    assert judged(Spread(), ([0.5] * 4, [0.3, 0.5, 0.6, 0.4])).verdict == "supported"
    assert judged(Spread(), ([0.5] * 4,) * 2).verdict == "undecided"


@pytest.mark.parametrize("hypothesis", [Superiority(), NonInferiority(0.1), Equivalence(0.1), Spread()])
def test_pairs_must_match_and_few_seeds_say_little(hypothesis):
    for first, second in (([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(ValueError, match="equally many"):
            hypothesis.compare(first, second)
    assert judged(hypothesis, ([0.5], [0.4])).text == "undecided (one seed says nothing about spread)"
    assert judged(hypothesis, None).verdict == "not run"
    two = judged(hypothesis, ([0.5, 0.4], [0.45, 0.48]))
    assert two.text == "undecided (2 seeds are too few to say how many would settle it)"


def test_spread_by_hand():
    # sd of 0, 2, 4 is 2 and of 0, 1, 1 is 0.5774: sums 0, 3, 5 and differences 0, 1, 3 correlate by 0.9538.
    found = Spread().compare([0.0, 2.0, 4.0], [0.0, 1.0, 1.0])
    assert found.estimate == pytest.approx(2 * math.sqrt(3))
    assert found.correlation == pytest.approx(0.95382, abs=1e-5)
    assert Evidence(Spread(), [found]).p == pytest.approx(2 * some(found.p_against))
    assert not Spread().favours(found)


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


def test_verdicts_on_one_comparison():
    rng = np.random.default_rng(1)
    base = rng.normal(0.77, 0.01, 10)
    better = base + 0.01 + rng.normal(0, 0.005, 10)
    assert judged(Superiority(), (better, base)).text == "supported"
    assert judged(Superiority(), (base, better)).text == "contradicted"
    noisy = judged(Superiority(), (base, base + rng.normal(0.001, 0.02, 10)))
    assert noisy.verdict == "undecided"
    assert noisy.reason.startswith("about ")
    assert judged(NonInferiority(0.02), (base, base + 0.001)).verdict == "supported"
    assert judged(Equivalence(0.02), (base, better)).verdict == "supported"
    assert judged(Equivalence(0.002), (base, better)).verdict == "contradicted"
    assert judged(Spread(), (base, base * 5)).verdict == "supported"
    assert judged(Spread(), (base * 5, base)).verdict == "contradicted"


CLEAR = ([3.0, 4.1, 5.2, 6.0, 7.1], [1.0, 2.0, 3.0, 4.0, 5.0])
NOISY = ([1.1, 1.8, 3.3, 4.1, 4.8], [1.0, 2.0, 3.0, 4.0, 5.0])


def test_a_claim_holds_only_if_all_its_comparisons_do():
    both = Evidence(Superiority(), [Superiority().compare(*CLEAR), Superiority().compare(*NOISY)])
    assert both.weakest == 1
    assert both.p == pytest.approx(stats.ttest_rel(*NOISY).pvalue)
    assert judged(Superiority(), CLEAR, NOISY).verdict == "undecided"
    assert judged(Superiority(), CLEAR, CLEAR).verdict == "supported"


def test_one_clear_failure_contradicts_a_claim_after_bonferroni():
    contrary = CLEAR[::-1]
    verdict = judged(Superiority(), CLEAR, CLEAR, contrary)
    assert verdict.verdict == "contradicted"
    assert verdict.p == pytest.approx(3 * some(judged(Superiority(), contrary).p))
    # Significant alone (p = 0.03), but not among three.
    mild: tuple[list[float], list[float]] = [1.0, 2.0, 3.0, 4.0, 5.0], [1.2, 2.1, 3.5, 4.1, 5.4]
    p_mild = some(judged(Superiority(), mild).p)
    assert 0.0167 < p_mild < 0.05
    assert judged(Superiority(), mild).verdict == "contradicted"
    assert judged(Superiority(), CLEAR, CLEAR, mild).verdict == "undecided"


def test_comparisons_that_are_missing_leave_a_claim_open_but_can_not_save_it():
    assert judged(Superiority(), CLEAR, None).text == "undecided (1 of 2 comparisons not run)"
    assert judged(Superiority(), CLEAR[::-1], None).verdict == "contradicted"


def test_false_positives_of_a_best_claim_stay_below_five_per_cent():
    """Four rows alike: 'the first is best' is supported, or contradicted, in at most 5 % of the worlds."""
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(2000):
        first, *others = rng.normal(0, 1, (4, 8))
        evidence = Evidence(Superiority(), [Superiority().compare(first, other) for other in others])
        assert evidence.p is not None
        wrong += evidence.p < 0.05
    assert wrong / 2000 < 0.06


def test_verdicts_rest_on_holms_correction():
    # p = 0.03 alone; with two more claims it would have to be below 0.05/3.
    mild = Evidence(
        Superiority(), [Superiority().compare([1.2, 2.1, 3.5, 4.1, 5.4], [1.0, 2.0, 3.0, 4.0, 5.0])]
    )
    noisy = Evidence(Superiority(), [Superiority().compare(*NOISY)])
    empty = Evidence(Superiority(), [None])
    [alone] = judge_claims([mild])
    assert alone.verdict == "supported"
    first, second, third, missing = judge_claims([mild, noisy, noisy, empty])
    assert first.verdict == "undecided"
    assert first.family == second.family == third.family == 3
    assert first.p_holm == pytest.approx(3 * some(first.p))
    assert missing.verdict == "not run"
    assert (missing.p, missing.p_holm) == (None, None)
    # More seeds are then needed than for the claim alone.
    assert some(mild.seeds_needed(first.alpha)) > some(mild.seeds_needed(alone.alpha))


def test_seeds_needed_by_a_claim_of_several_comparisons():
    clear, noisy = (Superiority().compare(*p) for p in (CLEAR, NOISY))
    contrary = Superiority().compare(*NOISY[::-1])
    alone = Evidence(Superiority(), [noisy]).seeds_needed(0.05)
    assert Evidence(Superiority(), [clear, noisy]).seeds_needed(0.05) == alone
    # One comparison against the claim is enough to refute it, at half the level for two comparisons.
    refuted = Evidence(Superiority(), [clear, contrary]).seeds_needed(0.05)
    assert refuted == Evidence(Superiority(), [contrary]).seeds_needed(0.025)
    cautious = Evidence(Superiority(), [clear, noisy]).seeds_needed(0.05, cautious=True)
    assert some(cautious) > some(alone)
    assert Evidence(Superiority(), [clear, None]).seeds_needed(0.05) is None


@pytest.mark.parametrize("hypothesis", [Superiority(), NonInferiority(0.2), Equivalence(0.2), Spread()])
def test_an_undecided_claim_never_needs_fewer_seeds_than_it_has(hypothesis):
    for seed in range(25):
        tested = Evidence(hypothesis, [hypothesis.compare(*pair(seed, n=8, shift=0.1, noise=0.3))])
        [verdict] = judge_claims([tested])
        needed = tested.seeds_needed(verdict.alpha)
        if verdict.verdict == "undecided" and needed is not None:
            assert needed > 8
