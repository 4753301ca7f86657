"""Looks: how the error is spent, and what stays decided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clopbench.statistics import amounts
from clopbench.statistics.looks import Settled, Taken, declared_looks, judge_looks, spend

counts = st.sets(st.integers(1, 80), min_size=1, max_size=9).map(sorted)
plans = st.sampled_from([(), declared_looks(40), declared_looks(12), (7, 9, 30), (80,)])


def levels(seeds, declared):
    return [round(look.level, 7) for look in spend([Taken(n, tuple(declared)) for n in seeds])]


def test_declared_looks():
    assert declared_looks(40) == (5, 10, 15, 20, 25, 30, 35, 40)
    assert declared_looks(12) == (5, 10, 12)
    assert declared_looks(5) == (5,)
    with pytest.raises(ValueError, match="one seed"):
        declared_looks(0)


def test_spending_by_hand():
    # 98 % of 5 % in equal parts; five seeds can decide nothing, so their part goes to the others.
    assert levels([10], [10]) == [0.049]
    assert levels([5, 10, 15, 20], declared_looks(20)) == pytest.approx([0.0, *[0.049 / 3] * 3], abs=1e-7)
    # A look that was left out leaves its part to the next.
    assert levels([20], declared_looks(20)) == [0.049]
    assert levels([5, 20], declared_looks(20)) == [0.0, 0.049]
    # Looks that nobody declared take 98 % of what is left, which is soon nothing.
    assert levels([10, 20, 30], []) == [0.049, 0.00098, 0.0000196]
    assert levels([10, 20, 30], [10]) == [0.049, 0.00098, 0.0000196]
    assert levels([10, 30], declared_looks(20)) == pytest.approx(
        [0.049 / 3, (0.05 - 0.049 / 3) * 0.98], abs=1e-7
    )
    assert levels([5], [5]) == levels([3, 5], [])[-1:] == [0.0]
    # Fewer seeds than before (others than those): one more look.
    assert levels([10, 7], []) == [0.049, 0.00098]


def test_looks_declared_after_one_that_was_not_share_what_it_left():
    plan = (15, 20)
    looks = spend([Taken(10), Taken(15, plan), Taken(20, plan)])
    assert [look.level for look in looks] == pytest.approx([0.049, 0.00049, 0.00049])
    # A longer plan begins with what the shorter one left.
    longer = spend([Taken(10, (10, 20)), Taken(20, (10, 20, 30)), Taken(30, (10, 20, 30))])
    left = 0.05 - 0.0245
    assert [look.level for look in longer] == pytest.approx([0.0245, left * 0.98 * 2 / 3, left * 0.98 / 3])


@given(st.lists(st.builds(Taken, st.integers(1, 80), plans), min_size=1, max_size=9))
def test_never_more_than_the_level_is_spent(taken):
    looks = spend(taken)
    assert all(look.level >= 0 for look in looks)
    assert sum(look.level for look in looks) == pytest.approx(looks[-1].spent)
    assert looks[-1].spent <= 0.05 + 1e-12
    assert [look.declared for look in looks] == [look.seeds in look.declared for look in taken]


def test_looks_that_are_none():
    for taken in (Taken(10, (10, 10)), Taken(0), Taken(10, (20, 10))):
        with pytest.raises(ValueError, match="ascend"):
            spend([taken])


def claim_of(differences):
    side = dict(enumerate(differences))
    return [amounts.difference(side, dict.fromkeys(side, 0.0))]


def at(looks, *claims):
    """The claims with the first n seeds, for each look."""
    return [[[one.at(range(n)) for one in claim] for claim in claims] for n in looks]


def test_what_is_decided_stays_decided():
    early = [1.0, 1.1, 0.9, 1.05, 1.0, 0.95, 1.2, 1.1, 1.0, 0.9]
    turned = claim_of(early + [-3.0] * 10)
    slow = claim_of([0.0, 1.0, -0.5, 0.2, 0.6, -0.3, 0.4, 0.8, -0.1, 0.1] + [1.0] * 10)
    settled = judge_looks(at([10, 20], turned, slow), [0.025, 0.02])
    assert [(one.verdict.verdict, one.look) for one in settled] == [("supported", 0), ("supported", 1)]
    # Only the claims that are still open share the level of a later look.
    alone = judge_looks(at([10, 20], slow), [0.025, 0.02])[0]
    assert settled[1].verdict.adjusted == alone.verdict.adjusted
    # And with all seeds seen at once the first one would not have been supported.
    assert judge_looks(at([20], turned), [0.045])[0].verdict.verdict != "supported"


def test_a_look_without_a_level_decides_nothing():
    [settled] = judge_looks(at([5], claim_of([1.0] * 5)), [0.0])
    assert settled == Settled(settled.verdict, 0)
    assert settled.verdict.text == "undecided (too few seeds (5 of at least 6))"
    [settled] = judge_looks(at([10, 20], claim_of([1.0] * 20)), [0.0, 0.0])
    assert settled.verdict.text == "undecided (no error is left to spend at this look)"


def test_error_over_eight_looks():
    """One claim without an effect, seen at 10, 15, …, 40 seeds: at most 5 % (± 1.3)."""
    looks = declared_looks(40)
    parts = [look.level for look in spend([Taken(n, looks) for n in looks])]
    rng, wrong, repetitions = np.random.default_rng(0), 0, 300
    for _ in range(repetitions):
        claims = [claim_of(rng.normal(0, 1, 40)) for _ in range(2)]
        found = judge_looks(at(looks, *claims), parts, drawn=1000)
        wrong += any(one.verdict.decided for one in found)
    assert wrong / repetitions <= 0.05 + 3 * 0.0126
