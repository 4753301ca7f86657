"""Declared claims over a table with two axes: which points they compare, what they say, what they refuse."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from checkout import ROOT, some
from scipy import stats
from synthetic import record

from clopbench.errors import UserError
from clopbench.parameters import validated
from clopbench.report import summary
from clopbench.report.claims.kinds import kind_of
from clopbench.report.document import collect, make_document
from clopbench.report.formats import sheets, wording
from clopbench.report.html.markup import to_text
from clopbench.report.html.tables import Groups, at_scale
from clopbench.report.observations import group_by_arm
from clopbench.report.planning import needs
from clopbench.report.tables import build_table, judge_together
from clopbench.statistics.comparisons import Comparison
from clopbench.statistics.family import judge
from clopbench.suite.declarations import TableDeclaration
from clopbench.suite.suite import Suite

AXES = {"method": ["simclr", "supcon", "clop"], "label_fraction": ["1", "10", "100"]}

BENCHMARK = """\
defaults:
  - scale: laptop
  - _self_
title: "A grid"
axes:
  method:
    simclr: {method: {name: simclr}}
    supcon: {method: {name: supcon}}
    clop: {method: {name: clop}}
  label_fraction:
    "1": {data.label_fraction: 0.01}
    "10": {data.label_fraction: 0.1}
    "100": {data.label_fraction: 1.0}
method: {name: clop}
"""
SHARED = {
    "title": "Grid",
    "benchmark": "grid",
    "rows": "method",
    "columns": "label_fraction",
    "metric": "probe_top1",
    "metric_title": "top-1",
    "labels": {"clop": "CLOP", "supcon": "SupCon", "1": "1 %", "10": "10 %"},
    "paper": {
        "source": "abstract",
        "setting": "CIFAR-100",
        "values": [{"at": {"method": "clop", "label_fraction": 10}, "mean": 0.743}],
    },
}


def claim(kind, **fields):
    return {"name": kind, "text": f"It is {kind}", "paper": "words", "kind": kind} | fields


def declared(*claims, **changes):
    return validated(TableDeclaration, SHARED | {"claims": list(claims)} | changes, "tables/grid.yaml")


def pairs(**fields):
    table = declared(claim(**fields))
    return list(kind_of(table.claims[0], table).pairs(AXES))


def compared(**fields):
    """The pairs of one claim, as (method fraction, method fraction)."""
    found = pairs(**fields)
    return [tuple(" ".join(side[0].values()) for side in (pair.first, pair.second)) for pair in found]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            # YAML reads 10 as a number; a rival takes the first side's point of an axis it does not name.
            {
                "kind": "better",
                "better": {"method": "clop", "label_fraction": 10},
                "than": {"method": "supcon"},
            },
            [("clop 10", "supcon 10")],
        ),
        (
            # An axis that nobody names: the claim must hold at each of its points.
            {"kind": "better", "better": {"method": "clop"}, "than": {"method": "supcon"}},
            [(f"clop {f}", f"supcon {f}") for f in ("1", "10", "100")],
        ),
        (
            {"kind": "best", "best": {"method": "clop"}},
            [(f"clop {f}", f"{m} {f}") for f in ("1", "10", "100") for m in ("simclr", "supcon")],
        ),
        (
            {
                "kind": "best",
                "best": {"method": "clop", "label_fraction": 1},
                "among": {"method": ["clop", "supcon"]},
            },
            [("clop 1", "supcon 1")],
        ),
        (
            {
                "kind": "each_beats",
                "each": {"method": "clop", "label_fraction": [10, 100]},
                "than": {"label_fraction": 1},
            },
            [("clop 10", "clop 1"), ("clop 100", "clop 1")],
        ),
        (
            {
                "kind": "equivalent",
                "among": {"label_fraction": ["1", "10", "100"], "method": "clop"},
                "margin": 0.01,
                "margin_reason": "because",
            },
            [("clop 1", "clop 10"), ("clop 1", "clop 100"), ("clop 10", "clop 100")],
        ),
        (
            {
                "kind": "equivalent",
                "among": {"label_fraction": ["1", "10"]},
                "margin": 0.01,
                "margin_reason": "because",
            },
            [(f"{m} 1", f"{m} 10") for m in ("simclr", "supcon", "clop")],
        ),
        (
            {
                "kind": "at_least_as_good",
                "candidate": {"method": "clop", "label_fraction": [10, 100]},
                "than": {"method": ["simclr", "supcon"]},
                "margin": 0.01,
                "margin_reason": "because",
            },
            [(f"clop {f}", f"{m} {f}") for f in ("10", "100") for m in ("simclr", "supcon")],
        ),
        (
            {
                "kind": "spread",
                "smaller": {"method": "clop", "label_fraction": 1},
                "than": {"label_fraction": 100},
            },
            [("clop 1", "clop 100")],
        ),
    ],
)
def test_points_that_a_claim_compares(fields, expected):
    assert compared(**fields) == expected


def test_sensitivity_is_compared_over_whole_rows():
    fields = {"less": {"method": "clop"}, "than": {"method": ["simclr", "supcon"]}, "to": "label_fraction"}
    found = pairs(kind="less_sensitive", **fields)
    assert len(found) == 2
    assert [place["label_fraction"] for place in found[0].second] == ["1", "10", "100"]
    assert {place["method"] for place in found[0].second} == {"simclr"}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A suite with one benchmark of two axes, and no tables."""
    folder = tmp_path_factory.mktemp("suite")
    shutil.copytree(ROOT / "methods", folder / "methods")
    shutil.copytree(ROOT / "benchmarks" / "scale", folder / "benchmarks" / "scale")
    (folder / "benchmarks" / "grid.yaml").write_text(BENCHMARK)
    (folder / "tables").mkdir()
    return Suite(folder)


# What a seed adds at every point, and to a method's values (times −1, 1 and 2 at the three fractions).
OFFSETS = (0.0, 0.01, -0.01, 0.02, -0.02) * 2
NOISE = {"simclr": (3, 1, 0, -2, 1) * 2, "supcon": (-1, 2, 0, 1, -2) * 2, "clop": (0, 1, -1, -1, 1) * 2}
MEANS = {"simclr": (0.50, 0.60, 0.70), "supcon": (0.55, 0.65, 0.75), "clop": (0.70, 0.72, 0.74)}


def records_of(benchmark, change=lambda place, seed, value: value):
    records = []
    for entry in benchmark.entries:
        method, fraction = entry.coordinates.values()
        column = AXES["label_fraction"].index(fraction)
        mean = MEANS[method][column]
        for seed, (offset, noise) in enumerate(zip(OFFSETS, NOISE[method], strict=True)):
            top1 = change((method, fraction), seed, mean + offset + noise * (-1, 1, 2)[column] / 1000)
            status = "done" if top1 is not None else "diverged"
            records.append(record(entry.cell(seed), top1, status))
    return records


def found(claim) -> Comparison:
    """The comparison that a claim hangs on."""
    assert claim.weakest is not None
    return claim.weakest[1]


def table_of(suite, *claims, records=None, **changes):
    benchmark = suite.benchmark("grid")
    present = records_of(benchmark) if records is None else records
    arms = group_by_arm(r.to_json() for r in present)
    return judge_together([build_table("grid", declared(*claims, **changes), benchmark, arms)])[0]


BETTER = claim("better", better={"method": "clop", "label_fraction": 10}, than={"method": "supcon"})
BEST = claim("best", best={"method": "clop"})
LESS = claim("less_sensitive", less={"method": "clop"}, than={"method": "supcon"}, to="label_fraction")
SAME = claim(
    "equivalent", among={"method": "clop", "label_fraction": ["1", "10", "100"]},
    margin=0.05, margin_reason="half a step",
)  # fmt: skip
GOOD = claim(
    "at_least_as_good", candidate={"method": "clop"}, than={"method": "supcon"},
    margin=0.02, margin_reason="a guess",
)  # fmt: skip


def test_verdicts_and_words_of_each_kind(grid):
    """Means by hand: at 10 % CLOP has 72, SupCon 65, SimCLR 60; CLOP at 100 % is 1 point below SupCon."""
    table = table_of(grid, BETTER, BEST, LESS, SAME, GOOD)
    better, _, less, same, _ = table.claims
    rows = sheets.claim_rows(table)
    assert [c.verdict.verdict for c in table.claims] == [
        "supported", "contradicted", "supported", "supported", "supported",
    ]  # fmt: skip
    assert found(better).estimate == pytest.approx(0.07)
    assert rows[1][1].startswith("−1.00 [")
    assert rows[1][1].endswith("(weakest of 6: CLOP, 100 against SupCon)")
    # Ranges over the fractions: SupCon 20 points, CLOP 4, in every seed.
    assert found(less).estimate == pytest.approx(0.16)
    assert found(less).in_favour == 10
    assert found(same).estimate == pytest.approx(-0.04)
    assert "[90 %: " in rows[3][1]
    assert "margin ±5.00" in rows[3][1]
    assert "margin −2.00" in rows[4][1]
    assert "(weakest of 3: CLOP, 100 against SupCon)" in rows[4][1]
    assert table.family == 5
    assert len(sheets.comparison_rows(table)) == 1 + 6 + 1 + 3 + 3
    assert rows[0][3] == wording.p_value(better.verdict.adjusted)


def test_every_comparison_stands_beside_its_standardised_effect_and_the_correlation_of_its_rows(grid):
    """By numpy, from the values of CLOP and SupCon at 10 %: both share the offsets of the seeds."""
    table = table_of(grid, BETTER, MOST)
    first, second = (
        np.array([MEANS[m][1] + o + n / 1000 for o, n in zip(OFFSETS, NOISE[m], strict=True)])
        for m in ("clop", "supcon")
    )
    [row, *limits] = sheets.comparison_rows(table)
    assert row[1] == "CLOP, 10 % against SupCon"
    assert row[3:6] == [
        f"{np.mean(first - second) / np.std(first - second, ddof=1):+.2f}",
        f"{np.corrcoef(first, second)[0, 1]:+.2f}",
        "10",
    ]
    # All ten seeds on one side: two of the 2¹⁰ flips.
    assert row[6] == wording.p_value(2 / 1024)
    assert [line[4] for line in limits] == ["–", "–"]


NEAR = claim(
    "near", at={"method": "clop", "label_fraction": 10}, value=0.71, margin=0.03, margin_reason="a guess"
)  # fmt: skip
MOST = claim("at_most", at={"method": "simclr", "label_fraction": [1, 10]}, limit=0.65, limit_reason="a budget")


def test_claims_against_a_number(grid):
    """CLOP at 10 % lies within the margin of 71 in ten seeds, SimCLR (50, 60) below 65 in all: sign test."""
    table = table_of(grid, NEAR, MOST, BETTER)
    near, most, _ = table.claims
    rows = sheets.claim_rows(table)
    assert near.verdict.p == most.verdict.p == stats.binomtest(10, 10).pvalue
    assert rows[0][1].startswith("+1.00 [90 %: ")
    assert rows[0][1].endswith("from 71.00, margin ±3.00")
    assert (found(near).in_favour, found(most).in_favour) == (10, 10)
    assert rows[1][1].startswith("+4.94 [90 %: ")  # The noise of SimCLR's seeds has the mean 0.06.
    assert rows[1][1].endswith("below 65.00 (weakest of 2: simclr, 10 %)")
    assert [c.verdict.verdict for c in table.claims] == ["supported"] * 3
    places = ["CLOP, 10 %", "simclr, 1 %", "simclr, 10 %"]
    assert [row[1] for row in sheets.comparison_rows(table)][:3] == places
    turned = table_of(grid, NEAR | {"value": 0.8}, MOST | {"limit": 0.55}, BETTER)
    assert [c.verdict.verdict for c in turned.claims][:2] == ["contradicted", "contradicted"]
    # The direction of the table changes neither: nearness has none, and a limit is always from above.
    lower = table_of(grid, NEAR, MOST, BETTER, direction="lower")
    assert [found(c).estimate for c in lower.claims[:2]] == [found(c).estimate for c in table.claims[:2]]


def test_a_claim_may_have_its_own_metric_where_less_is_better(grid):
    """CLOP has 0.7 more of it than SupCon: that speaks for the claim, or against it."""
    records = [
        replace(one, metrics=one.metrics | {"effective_rank": 10 * (one.metrics["probe_top1"] or 0)})
        for one in records_of(grid.benchmark("grid"))
    ]
    own = BETTER | {"metric": "effective_rank", "format": "number"}
    turned = table_of(grid, own | {"direction": "lower"}, records=records)
    plain = table_of(grid, own | {"direction": "higher"}, records=records, direction="lower")
    assert (turned.declaration.direction, plain.declaration.direction) == ("higher", "lower")
    for table, sign, verdict in ((turned, "−", "contradicted"), (plain, "+", "supported")):
        assert found(table.claims[0]).estimate == pytest.approx(0.7 if sign == "+" else -0.7)
        assert table.claims[0].verdict.verdict == verdict
        assert sheets.claim_rows(table)[0][1].startswith(f"{sign}0.70 [")
    lower = table_of(grid, BETTER, direction="lower")
    assert found(lower.claims[0]).estimate == pytest.approx(-0.07)
    assert lower.claims[0].verdict.verdict == "contradicted"


def test_rows_times_columns(grid):
    table = table_of(grid, BETTER)
    first, against = sheets.sheets(table)
    assert first.head == ["method", "1 %", "10 %", "100"]
    assert [line[0] for line in first.body] == ["simclr", "SupCon", "CLOP"]
    # Seeds: 72 + 0, 1.1, −1.1, 1.9, −1.9, twice, has sd 1.464, t(0.975, 9) = 2.2622, half-width 1.05.
    assert first.body[2][2] == "72.00 ± 1.05 (10)"
    assert len(first.links) == 9
    assert [line[0] for line in against.body] == ["CLOP, 10 %"]
    assert against.body[0][3:] == ["74.3 (sd not known, n not known)", "–", "not comparable"]
    assert [row[0] for row in sheets.rows(table)][:2] == ["simclr, 1 %", "simclr, 10 %"]
    page = make_document(grid, {}).texts["RESULTS.md"]
    assert "Nothing was run at scale laptop" in page


def test_a_second_metric_is_shown_where_records_have_it(grid):
    also = [{"metric": "effective_rank", "title": "rank", "format": "number"}]
    unseen = [{"metric": "probe_best_top1", "title": "best on validation"}]
    assert len(sheets.sheets(table_of(grid))) == 2
    assert len(sheets.sheets(table_of(grid, also=unseen))) == 2
    found = sheets.sheets(table_of(grid, also=also + unseen))
    assert [sheet.title for sheet in found[:2]] == ["top-1, % (n)", "rank (n)"]
    assert found[1].body[0][1] == "10.00 ± 0.00"
    flat = table_of(grid, also=also, columns=None)
    assert sheets.headings(flat)[:4] == ["row", "top-1, %", "rank", "n"]


def test_diverged_cells_are_named_and_count_as_declared(grid):
    def gone(place, seed, value):
        return None if place == ("supcon", "10") and seed < 2 else value

    records = records_of(grid.benchmark("grid"), gone)
    table = table_of(grid, BETTER, records=records)
    assert table.claims[0].left_out == ("seed 0 diverged (supcon, 10)", "seed 1 diverged (supcon, 10)")
    assert found(table.claims[0]).n == 8
    assert sheets.sheets(table)[0].body[1][2].endswith("(8/10 (2 diverged))")
    counted = table_of(grid, BETTER, records=records, diverged_as={"laptop": 0.1})
    assert counted.claims[0].left_out == ()
    assert found(counted.claims[0]).n == 10
    assert sheets.sheets(counted)[0].body[1][2].endswith("(10 (2 diverged))")
    none_left = records_of(grid.benchmark("grid"), lambda p, s, v: None if p == ("supcon", "10") else v)
    [claim] = table_of(grid, BETTER, records=none_left).claims
    assert claim.text == "undecided: no seed has a value on both sides: see the diverged cells"


def test_a_run_restricted_to_some_points_leaves_the_others_open(grid):
    benchmark = grid.benchmark("grid", only={"method": ["clop", "supcon"], "label_fraction": ["10"]})
    arms = group_by_arm(r.to_json() for r in records_of(benchmark))
    [table] = judge_together([build_table("grid", declared(BETTER, BEST, SAME), benchmark, arms)])
    assert [c.verdict.verdict for c in table.claims] == ["supported", "supported", "not run"]


def test_claims_of_several_tables_are_corrected_together(grid):
    one, two = table_of(grid, BETTER, LESS), table_of(grid, SAME, GOOD)
    together = judge_together([one, two])
    assert [table.family for table in together] == [4, 4]
    assert [table.family for table in (one, two)] == [2, 2]
    for table, alone in zip(together, (one, two), strict=True):
        for claim, same in zip(table.claims, alone.claims, strict=True):
            assert claim.verdict.p == same.verdict.p
            assert some(claim.verdict.adjusted) >= some(same.verdict.adjusted)
    # It is one family: exactly what the flips say of all four together.
    verdicts = judge([claim.amounts for table in together for claim in table.claims])
    assert [claim.verdict for table in together for claim in table.claims] == verdicts


def test_a_verdict_that_hangs_on_one_seed_is_fragile(grid):
    """Six seeds all in favour have p = 2/2⁶; any five would be too few for a verdict at all."""
    six = [r for r in records_of(grid.benchmark("grid")) if r.cell.seed < 6]
    [claim] = table_of(grid, BETTER, records=six).claims
    assert claim.text == "supported, fragile: undone by 6 of 6 seeds"
    said = "fragile: undone by 6 of 6 seeds"
    table = table_of(grid, BETTER, records=six)
    assert said in to_text(at_scale(table, Groups()))
    assert said in sheets.claim_rows(table)[0][-1]
    assert summary._outcome(claim) == summary.Outcome("supported", fragile=True)
    [solid] = table_of(grid, BETTER).claims
    assert (solid.text, solid.undone_by) == ("supported", 0)


def test_two_seeds_are_too_few_whatever_they_say(grid):
    two = [r for r in records_of(grid.benchmark("grid")) if r.cell.seed < 2]
    table = table_of(grid, BETTER, SAME, MOST, records=two)
    assert [claim.verdict.p for claim in table.claims] == [None] * 3
    assert [row[-1] for row in sheets.claim_rows(table)] == [
        "undecided: too few seeds (2 of at least 6)",
        "undecided: too few seeds (2 of at least 6)",
        "undecided: too few seeds (2 of at least 8)",
    ]
    assert sheets.claims_title(table) == "Claims (no claim has seeds enough for a test)"
    assert "<small>too few seeds (2 of at least 6)</small>" in to_text(at_scale(table, Groups()))


def test_deterministic_measurements_are_compared_without_a_test(grid):
    """One seed is enough, there is no p, and the family does not grow."""
    one = [r for r in records_of(grid.benchmark("grid")) if r.cell.seed < 1]
    table = table_of(grid, BETTER | {"deterministic": True}, BEST | {"deterministic": True}, LESS, records=one)
    assert [claim.text for claim in table.claims] == [
        "supported", "contradicted", "undecided: too few seeds (1 of at least 6)",
    ]  # fmt: skip
    assert [row[2:4] for row in sheets.claim_rows(table)] == [["–", "–"]] * 3
    assert table_of(grid, BETTER | {"deterministic": True}, LESS).family == 1


def test_power_of_each_claim(grid):
    few = [r for r in records_of(grid.benchmark("grid")) if r.cell.seed < 3]
    [too_few] = needs([table_of(grid, BETTER, records=few)])
    assert (too_few.seeds, too_few.needed, too_few.note) == (3, None, "too little data: 4 seeds at least")
    [need] = needs([table_of(grid, BETTER)])
    assert need.seeds == 10
    assert some(need.low) <= some(need.needed) <= some(need.high)
    assert need.note == "supported"
    more, fewer = some(need.detectable)[::-1]
    assert 0 < more < fewer
    [nothing] = needs([table_of(grid, BETTER, records=[])])
    assert nothing.note.startswith("too little data")


def test_where_zero_is_inside_the_interval_nothing_is_promised(grid):
    """Both rows are the same but for chance: no number of seeds, but what as many and ten more would find."""
    rng = np.random.default_rng(1)
    drawn = {method: rng.normal(0.5, 0.01, 10) for method in AXES["method"]}
    same = records_of(grid.benchmark("grid"), lambda place, seed, value: float(drawn[place[0]][seed]))
    [need] = needs([table_of(grid, BETTER, records=same)])
    assert (need.needed, need.high) == (None, None)
    assert need.note == "undecided; zero is inside the interval"
    # One comparison at half of 0.049 · 0.75: about t(0.0184, n - 1) + t(0.2, n - 1) standard errors.
    sd = float(np.std(drawn["clop"] - drawn["supcon"], ddof=1))
    tails = [sum(stats.t.isf([0.0184, 0.2], n - 1)) / n**0.5 for n in (10, 20)]
    assert some(need.detectable) == pytest.approx([sd * tail for tail in tails], rel=0.05)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (claim("bettr"), "tables/grid.yaml.claims.0.kind: unknown kind 'bettr': did you mean 'better'?"),
        ({"name": "x", "text": "y", "paper": "z"}, "tables/grid.yaml.claims.0.kind: required, but not given"),
        (
            BETTER | {"thn": {}},
            "tables/grid.yaml.claims.0.better.thn: unknown field; did you mean 'than'? (known: better,",
        ),
        (claim("better", better={"method": "clop"}), "claims.0.better.than: required, but not given"),
        (claim("best", best={"method": "clop", "label_fraction": 1}), "so among must say which points"),
        (SAME | {"margin": 0.0}, "claims.0.equivalent.margin: input should be greater than 0"),
        (SAME | {"margin_reason": ""}, "claims.0.equivalent.margin_reason: string should have at least 1"),
        (SAME | {"among": {"method": "clop"}}, "among must list two points or more of an axis"),
        (BETTER | {"better": {"method": []}}, "should have at least 1 item"),
        (NEAR | {"margin_reason": ""}, "claims.0.near.margin_reason: string should have at least 1"),
        ({k: v for k, v in MOST.items() if k != "limit"}, "claims.0.at_most.limit: required, but not given"),
    ],
)
def test_what_a_declaration_refuses(wrong, message):
    with pytest.raises(UserError) as caught:
        declared(wrong)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            BETTER | {"better": {"metod": "clop"}},
            ": claim better: better: unknown axis 'metod': did you mean 'method'?",
        ),
        (
            BETTER | {"than": {"method": "subcon"}},
            "claim better: than: unknown point of axis method 'subcon': did you mean 'supcon'?",
        ),
        (LESS | {"to": "labels"}, "claim less_sensitive: to: unknown axis 'labels'"),
        (LESS | {"less": {"label_fraction": 1}}, "axis 'label_fraction' is what `to` runs along"),
        (BETTER | {"than": {"method": "clop"}}, "compares nothing: both sides are the same points"),
        (NEAR | {"at": {"method": "clap"}}, "claim near: at: unknown point of axis method 'clap'"),
    ],
)
def test_what_does_not_fit_the_benchmark_is_refused(grid, wrong, message):
    path = grid.root / "tables" / "grid.yaml"
    import yaml

    path.write_text(yaml.safe_dump(SHARED | {"claims": [wrong]}))
    try:
        with pytest.raises(UserError) as caught:
            collect(grid, {"laptop": {}})
        assert message in str(caught.value)
    finally:
        path.unlink()


def test_margins_need_reasons_and_stand_on_the_page(grid):
    with pytest.raises(UserError, match="margin needs a margin_reason"):
        declared(paper=SHARED["paper"] | {"margin": 0.01})
    import yaml

    path = grid.root / "tables" / "grid.yaml"
    paper = SHARED["paper"] | {"margin": 0.012, "margin_reason": "as large as the effect"}
    path.write_text(yaml.safe_dump(SHARED | {"claims": [SAME, GOOD, NEAR, MOST], "paper": paper}))
    try:
        arms = group_by_arm(r.to_json() for r in records_of(grid.benchmark("grid")))
        document = make_document(grid, collect(grid, {"laptop": arms}))
    finally:
        path.unlink()
    page = document.texts["tables/grid/README.md"]
    assert "Reproduced means within ±1.20 %: as large as the effect." in page
    assert "Margin of 'It is equivalent': 5.00 %, half a step." in page
    assert "Margin of 'It is near': 3.00 %, a guess." in page
    assert "Limit of 'It is at_most': 65.00 %, a budget." in page
    assert "### Every comparison of the claims" in page
    assert '<a id="laptop-clop-10"></a>**CLOP, 10 %**' in page
    results = document.texts["RESULTS.md"]
    assert "[72.00 ± 1.05 (10)](#laptop-clop-10)" in page
    assert "72.00 ± 1.05 (10)" in results
    [line] = [one for one in results.splitlines() if one.startswith("| [It is equivalent](tables/grid")]
    assert ", scale laptop, n = 10 | ✔ supported" in line
    assert "90 cells, 1.5 hours of worker time on CPU test" in results
    assert wording.p_value(0.0004) == "< 0.001"
