"""Verdicts on families of claims: by hand, against Bonferroni, and over known truth."""

import numpy as np
import pytest
from checkout import some

from clopbench.statistics import amounts
from clopbench.statistics.amounts import Amounts
from clopbench.statistics.family import compare, judge, undone


def by_seed(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def apart(*differences: float) -> Amounts:
    return amounts.difference(by_seed(*differences), by_seed(*[0.0] * len(differences)))


CLEAR = (1.0, 1.1, 0.9, 1.2, 1.05, 0.95, 1.0, 1.15)
CONTRARY = tuple(-x for x in CLEAR)
UNCLEAR = (1.0, -1.1, 0.9, -1.2, 1.05, -0.95, 1.0, -1.1)


def test_one_claim_by_hand():
    # All of eight seeds on one side: 2 of 256 flips.
    [verdict] = judge([[apart(*CLEAR)]])
    assert (verdict.text, verdict.p, verdict.adjusted) == ("supported", 2 / 256, 2 / 256)
    [verdict] = judge([[apart(*CONTRARY)]])
    assert (verdict.text, verdict.p) == ("contradicted", 2 / 256)
    [verdict] = judge([[apart(*UNCLEAR)]])
    assert verdict.text == "undecided"
    assert some(verdict.p) > 0.5


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_too_few_seeds_say_so(n):
    [verdict] = judge([[apart(*[0.01] * n)]])
    assert verdict.text == f"undecided (too few seeds ({n} of at least 6))"
    assert verdict.p is None


def test_six_equal_differences_decide_and_no_p_is_zero():
    [verdict] = judge([[apart(*[1 / 360] * 6)]])
    assert (verdict.verdict, verdict.adjusted) == ("supported", 2 / 64)


def test_a_claim_of_several_comparisons():
    [all_hold] = judge([[apart(*CLEAR), apart(*CLEAR)]])
    [one_open] = judge([[apart(*CLEAR), apart(*UNCLEAR)]])
    [one_against] = judge([[apart(*CLEAR), apart(*CONTRARY)]])
    assert [v.verdict for v in (all_hold, one_open, one_against)] == ["supported", "undecided", "contradicted"]
    assert (one_open.weakest, one_against.weakest) == (1, 1)
    assert [some(part).side for part in one_against.comparisons] == [1, -1]


def test_missing_comparisons():
    [verdict] = judge([[apart(*CLEAR), None]])
    assert verdict.text == "undecided (1 of 2 comparisons not run)"
    [verdict] = judge([[apart(*CONTRARY), None]])
    assert verdict.verdict == "contradicted"
    [verdict] = judge([[None, None]])
    assert verdict.verdict == "not run"
    [verdict] = judge([[apart(*CLEAR), apart(0.1, 0.2)]])
    assert verdict.text == "undecided (too few seeds (2 of at least 6))"


def test_a_claim_that_cannot_be_supported_yet_stays_in_the_family():
    """Its comparisons may still contradict it, so others are corrected for them as before."""
    lone, other = [apart(0.9, 0.2, 0.7, 0.4, 1.3, 0.1, 0.6, 0.8)], apart(*CLEAR[:4], -1.0, *CLEAR[5:])
    settled = judge([lone, [apart(*CLEAR)]])[0]
    open_one = judge([lone, [apart(*CLEAR), None]])
    assert (open_one[1].verdict, open_one[1].adjusted) == ("undecided", 1.0)
    assert some(open_one[0].adjusted) >= some(settled.adjusted)
    assert some(judge([lone, [other, None]])[0].adjusted) > 2 / 256


def test_margins_in_both_directions():
    zeros = by_seed(*[0.0] * 10)
    near_zero = by_seed(*np.linspace(-0.1, 0.1, 10))
    far, farther = by_seed(*np.linspace(0.8, 1.2, 10)), by_seed(*np.linspace(-1.2, -0.8, 10))

    def verdicts(*claims: Amounts) -> list[str]:
        return [judge([[claim]])[0].verdict for claim in claims]

    assert verdicts(*(amounts.within(side, zeros, 0.5) for side in (near_zero, far, farther))) == [
        "supported", "contradicted", "contradicted",
    ]  # fmt: skip
    assert verdicts(*(amounts.not_worse(side, zeros, 0.5) for side in (near_zero, far, farther))) == [
        "supported", "supported", "contradicted",
    ]  # fmt: skip
    assert verdicts(*(amounts.near(side, 0.0, 0.5) for side in (near_zero, far, farther))) == [
        "supported", "contradicted", "contradicted",
    ]  # fmt: skip
    assert verdicts(amounts.above(far, 0.5), amounts.above(farther, 0.5)) == ["supported", "contradicted"]


def test_many_open_claims_make_it_harder_and_equal_ones_do_not():
    rng = np.random.default_rng(0)
    lone = (0.9, 0.2, 0.7, 0.4, 1.3, 0.1, 0.6, 0.8)
    [alone] = judge([[apart(*lone)]])
    others = [[apart(*rng.normal(0, 1, 8))] for _ in range(20)]
    among = judge([[apart(*lone)], *others])[0]
    same = judge([[apart(*lone)] for _ in range(21)])[0]
    assert some(alone.adjusted) == some(same.adjusted) == 2 / 256
    assert some(among.adjusted) > 5 * some(alone.adjusted)
    assert among.p == alone.p
    # And yet by less than Bonferroni's factor of 21.
    assert some(among.adjusted) < 21 * 2 / 256


def test_a_strong_effect_keeps_the_least_p_in_a_large_family():
    rng = np.random.default_rng(1)
    others = [[apart(*rng.normal(0, 1, 10))] for _ in range(40)]
    strong = apart(*(1 + 0.001 * rng.normal(0, 1, 10)))
    assert judge([[strong], *others])[0].adjusted == 2 / 1024


def test_seeds_that_only_some_claims_have():
    """Comparisons of two seeds decide nothing and disturb nobody, however extreme they are."""
    verdict = judge([[apart(*CLEAR)], *([apart(1 / 360, 1 / 360)] for _ in range(30))])[0]
    assert verdict.adjusted == 2 / 256


def test_two_groups_share_the_level_until_one_is_settled():
    row, constant = [apart(*CLEAR)], [amounts.above(by_seed(*CLEAR), 0.0)]
    unsettled = [amounts.above(by_seed(*UNCLEAR), 0.0)]
    assert judge([row])[0].adjusted == 2 / 256
    # Constants have a quarter of the level (8 / 256 there); what is settled leaves its part to the others.
    assert judge([row, constant])[0].adjusted == pytest.approx(2 / 256 / 0.75)
    assert judge([row, unsettled])[0].adjusted == pytest.approx(2 / 256 / 0.75)
    assert judge([row, constant])[1].adjusted == pytest.approx(2 / 256 / 0.75)
    assert judge([constant])[0].adjusted == 2 / 256


def test_deterministic_measurements_are_compared_without_a_test():
    tight = [amounts.above(by_seed(0.02, 0.02), 0.0, deterministic=True)]
    assert judge([tight, [apart(*UNCLEAR)]])[0] == compare(tight)
    assert (compare(tight).text, compare(tight).p) == ("supported", None)
    assert compare([amounts.above(by_seed(-0.02, -0.02), 0.0, deterministic=True)]).verdict == "contradicted"
    mixed = compare([amounts.above(by_seed(0.02, -0.02), 0.0, deterministic=True)])
    assert mixed.verdict == "undecided"
    assert "deterministic" in mixed.reason
    assert compare([*tight, None]).text == "undecided (1 of 2 comparisons not run)"
    near = amounts.near(by_seed(5.0), 0.0, 1.0, deterministic=True)
    assert compare([near]).verdict == "contradicted"


def test_fragile_verdicts():
    solid = [apart(*(1 + 0.1 * np.arange(10)))]
    # Nine seeds in favour and one against: without another seed it is 4 of 512 and more.
    narrow = [apart(*CLEAR, 1.0, -0.4)]
    others = [[apart(*np.random.default_rng(k).normal(0, 1, 10))] for k in range(3)]
    claims = [solid, narrow, *others]
    verdicts = judge(claims)
    counts = undone(claims, verdicts)
    assert counts[0] == 0
    assert counts[2:] == [None] * 3
    for seed in range(10):
        left = [[one.at(set(range(10)) - {seed}) for one in claim] for claim in claims]
        if judge(left)[1].verdict != verdicts[1].verdict:
            counts[1] = some(counts[1]) - 1
    assert counts[1] in (0, None)


def false_families(draw, repetitions=400) -> float:
    rng = np.random.default_rng(0)
    return float(np.mean([any(v.decided for v in judge(draw(rng))) for _ in range(repetitions)]))


def test_family_wise_error_over_known_truth():
    """Twelve skewed rows on shared seeds, one against all others, and a margin: at most 5 % (± 1.1)."""

    def draw(rng):
        rows = [by_seed(*np.exp(rng.normal(0, 1, 8) + 0.5 * shared)) for shared in [rng.normal(0, 1, 8)] * 12]
        worse = {seed: value - 0.3 for seed, value in rows[1].items()}
        return [
            *([amounts.difference(rows[0], row)] for row in rows[1:]),
            [amounts.difference(rows[1], row) for row in rows[2:5]],
            [amounts.not_worse(worse, rows[2], 0.3)],
            [amounts.steadier(rows[3], rows[4])],
        ]

    assert false_families(draw) <= 0.05 + 3 * 0.011
