"""Our numbers beside the paper's: four outcomes and prediction intervals, against statsmodels and by hand."""

import math

import numpy as np
import pytest
from checkout import some
from scipy import stats
from statsmodels.stats import weightstats

from clopbench.statistics.replication import PaperNumber, judge_number, predict

PAPER = PaperNumber(0.780, 0.009, 10)


def sample(mean, sd, n, seed=0):
    """Values with exactly this mean and standard deviation."""
    values = np.random.default_rng(seed).normal(0, 1, n)
    return (mean + sd * (values - values.mean()) / values.std(ddof=1)).tolist()


@pytest.mark.parametrize(
    ("mean", "n", "outcome"),
    [
        (0.781, 10, "reproduced"),
        (0.781, 2, "open"),
        (0.786, 10, "open"),
        (0.740, 10, "outside the margin"),
        (0.815, 10, "outside the margin"),
    ],
)
def test_four_outcomes(mean, n, outcome):
    assert judge_number(sample(mean, 0.009, n), PAPER, 0.012).outcome == outcome


def test_a_small_but_sure_difference():
    paper = PaperNumber(0.780, 0.002, 10)
    found = judge_number(sample(0.784, 0.002, 10), paper, 0.012)
    assert found.outcome == "differs inside the margin"
    assert found.difference == pytest.approx(0.004)


@pytest.mark.parametrize("shift", [-0.004, 0.001, 0.009])
def test_equal_spreads_give_statsmodels_pooled_tests(shift):
    ours, theirs = sample(0.780 + shift, 0.009, 8, 1), sample(0.780, 0.009, 10, 2)
    found = judge_number(ours, PAPER, 0.012)
    inside, _, _ = weightstats.ttost_ind(ours, theirs, -0.012, 0.012, usevar="pooled")
    assert found.p_inside == pytest.approx(inside)
    assert found.p_different == pytest.approx(float(np.asarray(stats.ttest_ind(ours, theirs))[1]))
    low, high = weightstats.CompareMeans.from_data(ours, theirs).tconfint_diff(0.10, usevar="pooled")
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_the_larger_spread_stands_for_both():
    narrow, wide = (judge_number(sample(0.781, sd, 10), PAPER, 0.012) for sd in (0.001, 0.009))
    assert narrow.p_inside == pytest.approx(wide.p_inside)
    assert some(judge_number(sample(0.781, 0.03, 10), PAPER, 0.012).p_inside) > some(wide.p_inside)


def test_a_number_without_sd_is_one_draw_with_our_spread():
    # s √(1/10 + 1) = 0.00944; the 90 % interval is ± 1.833 of it.
    found = judge_number(sample(0.780, 0.009, 10), PaperNumber(0.780), 0.012)
    assert found.high == pytest.approx(1.8331 * 0.009 * math.sqrt(1.1), rel=1e-4)
    assert (found.outcome, found.reason) == ("open", "the paper's number is taken as one draw with our spread")
    assert judge_number(sample(0.780, 0.001, 10), PaperNumber(0.780), 0.012).outcome == "reproduced"
    assert judge_number(sample(0.680, 0.009, 10), PaperNumber(0.780), 0.012).outcome == "outside the margin"
    # One seed of ours comes near the number, so that a run of this kind may well give it; or there are too few.
    values = [*sample(0.680, 0.009, 20), 0.770]
    assert judge_number(values, PaperNumber(0.780), 0.012).outcome == "open"
    assert judge_number(sample(0.680, 0.009, 7), PaperNumber(0.780), 0.012).outcome == "open"
    assert judge_number(sample(0.780, 0.001, 10), PaperNumber(0.780, 0.01, 1), 0.012).reason


def test_without_spread_nothing_is_said():
    assert judge_number([0.78], PAPER, 0.012).reason == "one seed"
    equal = judge_number([0.78, 0.78, 0.78], PaperNumber(0.78), 0.012)
    assert (equal.outcome, equal.reason, equal.p_inside) == ("open", "no spread over seeds", None)
    # With the paper's spread there is something to test with.
    assert judge_number([0.78] * 10, PAPER, 0.012).outcome == "reproduced"
    with pytest.raises(ValueError, match="no values"):
        judge_number([], PAPER, 0.012)


@pytest.mark.parametrize("paper", [PAPER, PaperNumber(0.780)], ids=["sd and n", "one draw"])
def test_rates_at_the_margin_and_at_no_shift(paper):
    """Normal outcomes, 2000 repetitions: at most 5 % each (± 0.5)."""
    rng, false_inside, false_outside, repetitions = np.random.default_rng(0), 0, 0, 2000
    for _ in range(repetitions):
        theirs = rng.normal(0, 0.009, paper.n or 1)
        number = PaperNumber(float(theirs.mean()), float(theirs.std(ddof=1)) if paper.n else None, paper.n)
        ours = rng.normal(0, 0.009, 10)
        false_outside += judge_number(ours.tolist(), number, 0.012).outcome == "outside the margin"
        shifted = judge_number((ours + 0.012).tolist(), number, 0.012).outcome
        false_inside += shifted in ("reproduced", "differs inside the margin")
    assert false_inside / repetitions <= 0.05 + 3 * 0.005
    assert false_outside / repetitions <= 0.05 + 3 * 0.005


def test_prediction_interval_by_hand():
    # Table 7: effect 0.012; variance (0.009² + 0.015²)(1/10 + 1/10) = 6.12e-5, sd 0.00782; Satterthwaite's df.
    first, second = PaperNumber(0.780, 0.009, 10), PaperNumber(0.768, 0.015, 10)
    found = some(predict(first, second, 10))
    freedom = (0.009**2 + 0.015**2) ** 2 / ((0.009**4 + 0.015**4) / 9)
    half = stats.t.ppf(0.975, freedom) * 0.0078230
    assert (found.low, found.high) == (
        pytest.approx(0.012 - half, rel=1e-4),
        pytest.approx(0.012 + half, rel=1e-4),
    )
    assert found.holds(0.0)
    assert not found.holds(0.03)
    # Many seeds of ours leave the paper's own error.
    assert some(predict(first, second, 10**9)).high == pytest.approx(0.012 + half / math.sqrt(2), rel=1e-3)


def test_prediction_from_numbers_alone_needs_our_spread():
    first, second = PaperNumber(0.743), PaperNumber(0.595)
    assert predict(first, second, 10) is None
    assert predict(first, second, 1, ([0.5], [0.4])) is None
    ours = sample(0.7, 0.01, 10, 1), sample(0.6, 0.02, 10, 2)
    found = some(predict(first, second, 10, ours))
    error = math.sqrt(0.01**2 + 0.02**2 + np.var(np.subtract(*ours), ddof=1) / 10)
    assert found.high == pytest.approx(0.148 + stats.t.ppf(0.975, 9) * error)
    assert found.reason


def test_prediction_interval_covers():
    rng, inside, repetitions = np.random.default_rng(0), 0, 2000
    for _ in range(repetitions):
        rows = [rng.normal(mean, sd, 10) for mean, sd in ((0.78, 0.009), (0.768, 0.015))]
        numbers = [PaperNumber(float(row.mean()), float(row.std(ddof=1)), 10) for row in rows]
        effect = float(rng.normal(0.78, 0.009, 10).mean() - rng.normal(0.768, 0.015, 10).mean())
        inside += some(predict(numbers[0], numbers[1], 10)).holds(effect)
    assert inside / repetitions == pytest.approx(0.95, abs=0.015)
