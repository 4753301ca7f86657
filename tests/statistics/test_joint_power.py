"""Seeds for whole claims, against statsmodels, simulation and the power of a single comparison."""

import math

import numpy as np
import pytest
from checkout import some
from scipy import stats
from statsmodels.stats.power import TTestPower

from clopbench.statistics import amounts
from clopbench.statistics.joint_power import detectable, joint_power, need


def by_seed(values):
    return dict(enumerate(np.asarray(values).tolist()))


def pair(effect, n=10, seed=0):
    """A comparison whose differences have sd 1 and this mean, exactly."""
    noise = np.random.default_rng(seed).normal(0, 1, n)
    differences = effect + (noise - noise.mean()) / noise.std(ddof=1)
    return amounts.difference(by_seed(differences), by_seed(np.zeros(n)))


@pytest.mark.parametrize(("effect", "n"), [(0.5, 30), (1.0, 10), (1.0, 20), (2.0, 6)])
def test_one_comparison_has_the_power_of_the_t_test(effect, n):
    expected = TTestPower().power(effect, n, 0.01, alternative="larger")
    assert joint_power(np.array([effect]), np.eye(1), n, 0.01) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("members", [2, 4])
def test_joint_power_against_whole_samples(members, correlation):
    rng, n, tail, effect = np.random.default_rng(1), 16, 0.005, 1.0
    matrix = np.full((members, members), correlation) + (1 - correlation) * np.eye(members)
    samples = effect + rng.multivariate_normal(np.zeros(members), matrix, (3000, n))
    t = samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / math.sqrt(n))
    expected = np.mean(np.all(t > stats.t.isf(tail, n - 1), axis=1))
    assert joint_power(np.full(members, effect), matrix, n, tail) == pytest.approx(expected, abs=0.04)


def test_more_comparisons_need_more_seeds():
    one, four = need([pair(1.0)], 5), need([pair(1.0, seed=k) for k in range(4)], 5)
    assert some(some(one).seeds) < some(some(four).seeds)


def test_range_and_what_is_uncertain():
    found = some(need([pair(1.2)], 5))
    assert some(found.low) < some(found.seeds) < some(found.high)
    # At the estimate itself: fewer seeds than with its uncertainty, because the chance is averaged.
    at_estimate = next(n for n in range(6, 100) if joint_power(np.array([1.2]), np.eye(1), n, 0.005) >= 0.8)
    assert at_estimate <= some(found.seeds)
    surer = some(need([pair(1.2, n=60)], 5))
    assert some(surer.high) - some(surer.low) < some(found.high) - some(found.low)


@pytest.mark.parametrize("effect", [0.5, 1.2])
def test_promises_are_kept_however_small_the_effect(effect):
    """Of the promises 75 to 90 % are kept, though small effects are promised something by luck only."""
    rng, kept = np.random.default_rng(3), []
    while len(kept) < 60:
        pilot = amounts.difference(by_seed(effect + rng.standard_normal(10)), by_seed(np.zeros(10)))
        seeds = some(need([pilot], 10)).seeds
        if seeds is not None:
            kept.append(TTestPower().power(effect, seeds, 0.005, alternative="larger"))
    assert 0.70 < np.mean(kept) < 0.95  # The standard error is 0.02 to 0.03.


def test_where_zero_lies_inside_only_what_could_be_detected_is_said():
    found = some(need([pair(0.3)], 1))
    assert (found.seeds, found.high) == (None, None)
    now, later = found.detectable
    for effect, n in ((now, 10), (later, 20)):
        assert TTestPower().power(effect, n, 0.05) == pytest.approx(0.8, abs=0.03)


def test_a_claim_that_fails_hangs_on_the_comparison_against_it():
    against = some(need([pair(1.0, seed=1), pair(-2.0)], 5))
    assert against.seeds == some(need([pair(2.0)], 10)).seeds


def test_what_is_not_known_is_not_said():
    assert need([pair(1.0, n=3)], 5) is None
    assert need([], 5) is None
    flat = amounts.difference(by_seed([1.0] * 8), by_seed([0.0] * 8))
    assert need([flat], 5) is None
    assert need([amounts.above(by_seed(np.arange(8.0)), 3.0)], 5) is None


def test_each_comparison_has_its_part_of_the_error():
    """Five claims with two sides have a level of 0.5 % for either side, and so has one claim at 1 %."""
    found = [
        some(need([pair(1.2)], 5)),
        some(need([pair(1.2)], 1, level=0.01)),
        some(need([pair(1.2)], 4, share=0.8)),
    ]
    assert len({(one.low, one.seeds, one.high) for one in found}) == 1
    margin = amounts.not_worse(by_seed(pair(1.2).bounds[0]), by_seed(np.zeros(10)), 1e-9)
    assert some(some(need([margin], 5)).seeds) < some(some(need([pair(1.2)], 5)).seeds)


def test_detectable_effect():
    effect = detectable(0.02, 12, 0.025) / 0.02
    assert TTestPower().power(effect, 12, 0.05) == pytest.approx(0.8, abs=0.03)
