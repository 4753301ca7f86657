"""Looks: how the error is spent, and what stays decided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clopbench.statistics import amounts
from clopbench.statistics.looks import Settled, declared_looks, judge_looks, spend

counts = st.sets(st.integers(1, 80), min_size=1, max_size=9).map(sorted)


def levels(taken, declared):
    return [round(look.level, 6) for look in spend(taken, declared)]


def test_declared_looks():
    assert declared_looks(40) == (5, 10, 15, 20, 25, 30, 35, 40)
    assert declared_looks(12) == (5, 10, 12)
    assert declared_looks(5) == (5,)
    with pytest.raises(ValueError, match="one seed"):
        declared_looks(0)


def test_spending_by_hand():
    # 90 % of 5 % in equal parts; five seeds can decide nothing, so their part goes to the others.
    assert levels([10], [10]) == [0.045]
    assert levels([5, 10, 15, 20], declared_looks(20)) == [0.0, 0.015, 0.015, 0.015]
    # A look that was left out leaves its part to the next.
    assert levels([20], declared_looks(20)) == [0.045]
    assert levels([5, 20], declared_looks(20)) == [0.0, 0.045]
    # Looks that nobody declared: half of the reserve of 0.5 %, then half of what is left.
    assert levels([10, 20, 30], [10]) == [0.045, 0.0025, 0.00125]
    # A look beyond the last declared one also gets what these left.
    assert levels([10, 30], declared_looks(20)) == [0.015, 0.0325]
    assert levels([5], [5]) == [0.0]
    assert levels([10, 20], []) == [0.0475, 0.00125]


@given(counts, counts)
def test_never_more_than_the_level_is_spent(taken, declared):
    looks = spend(taken, declared)
    assert all(look.level >= 0 for look in looks)
    assert sum(look.level for look in looks) == pytest.approx(looks[-1].spent)
    assert looks[-1].spent <= 0.05 + 1e-12
    assert [look.declared for look in looks] == [seeds <= declared[-1] for seeds in taken]


def test_looks_must_ascend():
    for taken, declared in (([10, 5], [10]), ([10], [10, 10]), ([0], [10])):
        with pytest.raises(ValueError, match="ascend"):
            spend(taken, declared)


def claim_of(differences):
    side = dict(enumerate(differences))
    return [amounts.difference(side, dict.fromkeys(side, 0.0))]


def test_what_is_decided_stays_decided():
    early = [1.0, 1.1, 0.9, 1.05, 1.0, 0.95, 1.2, 1.1, 1.0, 0.9]
    turned = claim_of(early + [-3.0] * 10)
    slow = claim_of([0.0, 1.0, -0.5, 0.2, 0.6, -0.3, 0.4, 0.8, -0.1, 0.1] + [1.0] * 10)
    looks = [range(10), range(20)]
    settled = judge_looks([turned, slow], looks, [0.025, 0.02])
    assert [(one.verdict.verdict, one.look) for one in settled] == [("supported", 0), ("supported", 1)]
    # Only the claims that are still open share the level of a later look.
    alone = judge_looks([slow], looks, [0.025, 0.02])[0]
    assert settled[1].verdict.adjusted == alone.verdict.adjusted
    # And with all seeds seen at once the first one would not have been supported.
    assert judge_looks([turned], [range(20)], [0.045])[0].verdict.verdict != "supported"


def test_a_look_without_a_level_decides_nothing():
    [settled] = judge_looks([claim_of([1.0] * 5)], [range(5)], [0.0])
    assert settled == Settled(settled.verdict, 0)
    assert settled.verdict.text == "undecided (too few seeds (5 of at least 6))"
    [settled] = judge_looks([claim_of([1.0] * 20)], [range(10), range(20)], [0.0, 0.0])
    assert settled.verdict.text == "undecided (no error is left to spend at this look)"


def test_error_over_eight_looks():
    """One claim without an effect, seen at 10, 15, …, 40 seeds: at most 5 % (± 1.3)."""
    looks = declared_looks(40)
    parts = [look.level for look in spend(looks, looks)]
    rng, wrong, repetitions = np.random.default_rng(0), 0, 300
    for _ in range(repetitions):
        claims = [claim_of(rng.normal(0, 1, 40)) for _ in range(2)]
        found = judge_looks(claims, [range(n) for n in looks], parts, drawn=1000)
        wrong += any(one.verdict.decided for one in found)
    assert wrong / repetitions <= 0.05 + 3 * 0.0126
