"""docs/statistics.md says what the code does: its examples are run, and its numbers recomputed."""

import csv
import doctest
import re

import numpy as np
from checkout import ROOT
from scipy import stats

TEXT = (ROOT / "docs" / "statistics.md").read_text()


def test_examples_come_out_as_printed():
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    example = doctest.DocTestParser().get_doctest("".join(blocks), {}, "statistics.md", None, 0)
    assert len(example.examples) > 20
    report: list[str] = []
    assert doctest.DocTestRunner().run(example, out=report.append).failed == 0, "".join(report)


def test_every_kind_of_claim_and_every_verdict_is_explained():
    from clopbench.parameters import kinds
    from clopbench.report.summary import NUMBER_VERDICTS, SYMBOLS
    from clopbench.suite.claims import ClaimDeclaration

    assert all(f"`{kind}`" in TEXT for kind in kinds(ClaimDeclaration))
    assert all(f"| {verdict} |" in TEXT for verdict in (*NUMBER_VERDICTS, "paper's number not known"))
    assert all(verdict in TEXT.lower() for verdict in SYMBOLS)


def test_what_is_said_of_the_sources_of_variance_is_what_was_found():
    with (ROOT / "tables" / "variance" / "table.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["kind"].startswith("variance")]
    single = {"subset", "init", "order", "augment", "prototypes"}
    ratios = [
        line
        for line in lines
        if line["kind"] == "variance ratio" and line["row"] in single and float(line["mean"])
    ]
    means = [float(line["mean"]) for line in ratios]
    assert f"variance is {min(means):.2f} to {max(means):.2f} times theirs" in TEXT
    assert len(ratios) == 18 and all(float(one["low_95"]) < 1 < float(one["high_95"]) for one in ratios)
    sums = [float(one["mean"]) for one in lines if (one["kind"], one["row"]) == ("variance ratio", "sum")]
    assert min(sums) > 3.5 and max(sums) < 6.5, "'four to six times as much'"
    share = {
        one["row"]: 100 * float(one["mean"])
        for one in lines
        if one["kind"] == "variance share"
        and (one["point"], one["metric"]) == ("method=clop", "probe_all_top1")
    }
    assert f"augmentation with {share['augment']:.0f} % of the sum, beside {share['subset']:.0f} %" in TEXT
    control = [
        float(one["sd"]) for one in lines if (one["row"], one["point"]) == ("prototypes", "method=supcon")
    ]
    assert set(control) == {0.0}


def test_the_prose_agrees_with_scipy():
    """The numbers in the running text, from other code than the report's."""
    eight, other_nine = stats.binom.sf(7, 10, 0.5), stats.binom.cdf(1, 10, 0.5)
    assert f"p = {1024 * eight:.0f}/1024 + {1024 * other_nine:.0f}/1024 = {eight + other_nine:.3f}" in TEXT
    assert f"2 · (1/2)⁸ = {stats.binomtest(8, 8).pvalue:.3f}" in TEXT
    assert f"p = 2/64 = {stats.binomtest(6, 6).pvalue:.3f}" in TEXT
    ones = [0.3, 0.8, -0.2, 0.9, 0.5, 0.7, 0.4, -0.1, 0.6, 0.2]
    flips = stats.permutation_test((ones,), np.mean, permutation_type="samples", n_resamples=2**20)
    assert f"A claim with p = {flips.pvalue:.3f} alone" in TEXT
