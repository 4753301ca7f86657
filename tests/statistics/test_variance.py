"""Shares of variance: by hand, against other formulas, and by how often intervals hold a known truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clopbench.statistics.intervals import Estimate
from clopbench.statistics.variance import Parts, binomial_variance, shares_of_variance

ALONE = np.array([1.0, 0.7, 0.4, 0.5, 0.2])
"""Standard deviations of five sources whose effects add up."""


def ends(found: Estimate | None) -> tuple[float, float]:
    assert found is not None and found.low is not None and found.high is not None
    return found.low, found.high


def parts_of(alone_RN: np.ndarray, together_N: np.ndarray) -> Parts:
    sources = {str(row): values.tolist() for row, values in enumerate(alone_RN)}
    return shares_of_variance(sources, together_N.tolist())


def test_shares_by_hand():
    """Variances 4, 1 and 0 add up to 5, and all together vary by 2.5: the sum is twice that."""
    sources = {"a": [0.0, 2.0, 4.0], "b": [5.0, 6.0, 7.0], "c": [3.0, 3.0, 3.0]}
    root = 2.5**0.5
    found = shares_of_variance(sources, [0.0, root, 2 * root], test_set=0.1)
    assert found.n == 3
    shares = [part.share.value for part in found.sources.values() if part.share]
    ratios = [part.ratio.value for part in found.sources.values() if part.ratio]
    assert shares == pytest.approx([0.8, 0.2, 0.0])
    assert ratios == pytest.approx([1.6, 0.4, 0.0])
    assert [part.sd.value for part in found.sources.values()] == pytest.approx([2.0, 1.0, 0.0])
    assert found.total.ratio is not None and found.total.ratio.value == pytest.approx(2.0)
    assert found.together.ratio == Estimate(1.0)
    assert found.total.share is found.together.share is None
    assert found.test_set is not None and found.test_set.ratio is not None
    assert found.test_set.ratio.value == pytest.approx(0.04)
    assert found.test_set.sd == Estimate(0.1**0.5)
    assert found.sources["c"].share == found.sources["c"].ratio == Estimate(0.0), (
        "what never varies has no interval"
    )


def test_intervals_are_the_jackknife_of_the_logarithm_written_out():
    """Miller 1968 in loops, with numpy's and scipy's own functions; a share's interval is that of its odds."""
    a, b, c, whole = np.random.default_rng(0).normal(size=(4, 6)) * [[2.0], [1.0], [0.5], [2.5]]
    found = parts_of(np.array([a, b, c]), whole)

    def interval(*sums):
        def log(seeds):
            top, bottom = (sum(np.var(row[seeds], ddof=1) for row in rows) if rows else 1.0 for rows in sums)
            return np.log(top / bottom)

        every = np.arange(6)
        pseudo = [6 * log(every) - 5 * log(every[every != left]) for left in every]
        return np.exp(stats.t.interval(0.95, 5, log(every), stats.sem(pseudo)))

    odds = interval([a], [b, c])
    assert ends(found.sources["0"].share) == pytest.approx(tuple(odds / (1 + odds)))
    assert ends(found.sources["1"].ratio) == pytest.approx(tuple(interval([b], [whole])))
    assert ends(found.total.ratio) == pytest.approx(tuple(interval([a, b, c], [whole])))
    assert ends(found.sources["2"].sd) == pytest.approx(tuple(interval([c], []) ** 0.5))


def test_many_normal_values_give_the_interval_of_f():
    """Of independent rows of normal values the ratio of variances has F's interval, which is exact."""
    a, whole = np.random.default_rng(1).normal(size=(2, 3000)) * [[1.0], [2.0]]
    found = parts_of(a[None], whole).sources["0"].ratio
    assert found is not None
    exact = found.value / stats.f.ppf([0.975, 0.025], 2999, 2999)
    assert ends(found) == pytest.approx(tuple(exact), rel=0.02)


@pytest.mark.parametrize(("draw", "least"), [("normal", 0.92), ("exponential", 0.84)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(draw, least):
    """Ten seeds, 150 times. All together see the same draws as the single sources, as paired seeds do."""
    generator = np.random.default_rng(2)
    shares, ratios, sums = [], [], []
    truth = ALONE**2 / np.sum(ALONE**2)
    for _ in range(150):
        alone = getattr(generator, draw)(size=(5, 10)) * ALONE[:, None]
        found = parts_of(alone, alone.sum(axis=0))
        for true, part in zip(truth, found.sources.values(), strict=True):
            for kept, one in ((shares, part.share), (ratios, part.ratio)):
                low, high = ends(one)
                kept.append(low <= true <= high)
        low, high = ends(found.total.ratio)
        sums.append(low <= 1 <= high)
    for held in (shares, ratios, sums):
        assert least < np.mean(held) < 0.98


VALUES = st.lists(
    st.tuples(*[st.integers(0, 360).map(lambda right: right / 360)] * 3), min_size=2, max_size=12, unique=True
)


@given(VALUES, st.randoms(use_true_random=False), st.floats(0.1, 100))
@settings(max_examples=50, deadline=None)
def test_neither_the_order_of_seeds_nor_the_unit_matters(seeds, random, unit):
    shuffled = random.sample(seeds, len(seeds))
    first, second = np.array(seeds).T, np.array(shuffled).T * unit
    found, again = parts_of(first[:2], first[2]), parts_of(second[:2], second[2])
    for one, other in zip(found.sources.values(), again.sources.values(), strict=True):
        assert other.sd.value == pytest.approx(one.sd.value * unit, abs=1e-9)
        for before, after in ((one.share, other.share), (one.ratio, other.ratio)):
            assert (before is None) == (after is None)
            if before and after:
                assert after.value == pytest.approx(before.value)
                assert (before.low is None) == (after.low is None)
                if before.low is not None:
                    assert ends(after) == pytest.approx(ends(before), rel=1e-6, abs=1e-12)
    shares = [part.share for part in found.sources.values()]
    for share in shares:
        if share and share.low is not None and share.high is not None:
            assert 0 <= share.low <= share.high <= 1
    if None not in shares:
        assert sum(share.value for share in shares if share) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sources", "together"),
    [
        ([[0.1, 0.2], [0.3, 0.5]], [0.1, 0.3]),  # Two seeds: without one there is no variance.
        ([[0.0, 0.0, 0.0, 0.5], [0.0, 0.1, 0.2, 0.3]], [0.0, 0.1, 0.3, 0.2]),  # It rests on the last seed.
    ],
)
def test_no_interval_where_a_variance_rests_on_one_seed(sources, together):
    found = parts_of(np.array(sources), np.array(together)).sources["0"]
    for one in (found.share, found.ratio, found.sd):
        assert one is not None and one.value > 0 and one.low is one.high is None


def test_a_share_of_nothing_is_not_known():
    found = parts_of(np.full((2, 4), 0.9), np.full(4, 0.9))
    assert found.total.sd.value == 0
    assert all(part.share is part.ratio is None for part in found.sources.values())
    rounding = np.array([[0.1 + 0.2, 0.3, 0.3], [0.1, 0.2, 0.3]])
    only = parts_of(rounding, rounding[1])
    assert only.sources["0"].share == Estimate(0.0)
    assert only.sources["1"].share == Estimate(1.0)


def test_the_test_set_is_binomial():
    assert binomial_variance(0.93, 360) == pytest.approx(stats.binom(360, 0.93).var() / 360**2)
    assert binomial_variance(1.0, 10) == 0


@pytest.mark.parametrize("wrong", [(-0.1, 10), (1.1, 10), (0.5, 0)])
def test_a_test_set_needs_an_accuracy_and_an_image(wrong):
    with pytest.raises(ValueError, match="an accuracy lies between 0 and 1"):
        binomial_variance(*wrong)


@pytest.mark.parametrize(
    ("sources", "together"), [({}, [1.0, 2.0]), ({"a": [1.0]}, [1.0]), ({"a": [1.0, 2.0]}, [1.0, 2.0, 3.0])]
)
def test_every_row_needs_the_same_seeds(sources, together):
    with pytest.raises(ValueError, match="the same seeds, two at least"):
        shares_of_variance(sources, together)
