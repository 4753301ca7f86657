"""Numbers of the paper beside ours: which verdict they get, and what they let us expect of a claim."""

import csv
import io
import math

import pytest
from checkout import some
from scipy import stats
from synthetic import record

from clopbench.parameters import validated
from clopbench.report.document import make_document
from clopbench.report.formats import wording
from clopbench.report.formats.csv_file import to_csv
from clopbench.report.observations import group_by_arm
from clopbench.report.paper_numbers import judge
from clopbench.report.tables import build_table, judge_together
from clopbench.suite.declarations import PaperValue, TableDeclaration

# Table 7 of the paper, section 5.3.
ORTHONORMAL, RANDOM = ({"mean": 0.780, "sd": 0.009, "n": 10}, {"mean": 0.768, "sd": 0.015, "n": 10})
AT = {"prototypes": "orthonormal"}
OURS = [0.781 + 0.009 * (seed - 4.5) / 3.0277 for seed in range(10)]  # Mean 0.781, sd 0.009.


@pytest.mark.parametrize(
    ("values", "paper", "margin", "comparable", "verdict", "reason"),
    [
        ([], ORTHONORMAL, 0.012, True, "not run", ""),
        (OURS, None, 0.012, True, "paper's number not known", ""),
        (OURS, ORTHONORMAL, 0.012, False, "not comparable", ""),
        (OURS, ORTHONORMAL, None, True, "open", "no margin declared"),
        (OURS, ORTHONORMAL, 0.012, True, "reproduced", ""),
        (OURS[:1], ORTHONORMAL, 0.012, True, "open", "one seed"),
        ([0.041 + value for value in OURS], ORTHONORMAL, 0.012, True, "outside the margin", ""),
        (OURS, {"mean": 0.780}, 0.012, True, "open", "the paper's number is taken as one draw with our spread"),
    ],
)
def test_verdicts(values, paper, margin, comparable, verdict, reason):
    number = PaperValue.model_validate({"at": AT} | paper) if paper else None
    found = judge(values, number, margin, comparable)
    assert (found.verdict, found.reason) == (verdict, reason)


@pytest.fixture
def table(suite):
    """Table 7 with ten seeds at the paper's scale; changes are those of its declaration."""
    benchmark = suite.benchmark("table7", "paper")

    def build(orthonormal, random, scale="paper", **changes):
        at = benchmark if scale == "paper" else suite.benchmark("table7", scale)
        records = [
            record(entry.cell(seed), values[seed])
            for entry, values in zip(at.entries, (orthonormal, random), strict=True)
            for seed in range(len(values))
        ]
        declared = suite.table("table7").model_dump() | changes
        declaration = validated(TableDeclaration, declared, "tables/table7.yaml")
        return judge_together(
            [build_table("table7", declaration, at, group_by_arm(one.to_json() for one in records))]
        )[0]

    return build


def test_the_papers_numbers_predict_the_effect_of_a_claim(table):
    """78.0 (0.9) against 76.8 (1.5), n = 10 each and of ours: variance (0.9² + 1.5²) (1/10 + 1/10) = 0.612."""
    found = table(OURS, [value - 0.012 for value in OURS])
    better, spread = found.claims
    [expected] = better.expected
    one, other = 0.009**2 / 5, 0.015**2 / 5
    freedom = (one + other) ** 2 / (one**2 / 9 + other**2 / 9)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(0.0000612)
    assert (expected.effect, expected.low, expected.high) == pytest.approx((0.012, 0.012 - half, 0.012 + half))
    assert wording.effect(found, better).endswith(
        "; the paper lets expect +1.20 [−0.47, +2.87]: ours lies inside"
    )
    assert spread.expected == [None]  # No difference of two means.
    far = table(OURS, [value - 0.03 for value in OURS])
    assert wording.effect(far, far.claims[0]).endswith(": ours lies outside")
    lines = [row for row in csv.DictReader(io.StringIO(to_csv([far]))) if row["kind"] == "comparison"]
    assert [(row["expected"], row["inside"]) for row in lines] == [("0.01200000000000001", "False"), ("", "")]


def test_where_less_is_better_the_expectation_turns_with_the_effect(table):
    up = table(OURS, [value - 0.012 for value in OURS]).claims[0].expected[0]
    down = table(OURS, [value - 0.012 for value in OURS], direction="lower").claims[0].expected[0]
    assert (down.effect, down.low, down.high) == (-up.effect, -up.high, -up.low)


def test_nothing_is_expected_at_another_scale_or_of_one_number(table, suite):
    assert table(OURS, OURS, "laptop").claims[0].expected == [None]
    paper = suite.table("table7").paper.model_dump()
    alone = paper | {"values": paper["values"][:1]}
    assert table(OURS, OURS, paper=alone).claims[0].expected == [None]


def test_numbers_without_sd_take_our_spread_and_say_so(table, suite):
    paper = suite.table("table7").paper.model_dump()
    bare = paper | {"values": [{"at": one["at"], "mean": one["mean"]} for one in paper["values"]]}
    found = table(OURS, [value - 0.012 for value in OURS], paper=bare)
    assert wording.effect(found, found.claims[0]).endswith("one draw with our spread")
    assert some(found.claims[0].expected[0]).effect == pytest.approx(0.012)


def test_differences_have_their_interval_and_verdicts_their_names(table, suite):
    found = table(OURS, [value - 0.012 for value in OURS])
    document = make_document(suite, {"table7": [found]})
    page = document.texts["tables/table7/README.md"]
    assert "78.0 (sd 0.9, n 10) | +0.1 [90 %: −0.6, +0.8] | reproduced |" in page
    laptop = table(OURS, OURS, "laptop")
    assert (
        "| – | not comparable |" in make_document(suite, {"table7": [laptop]}).texts["tables/table7/README.md"]
    )
