"""docs/statistics.md says what the code does: its examples are run, and its numbers recomputed."""

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


def test_the_prose_agrees_with_scipy():
    """The numbers in the running text, from other code than the report's."""
    clop, supcon = np.array([92, 94, 96, 93, 95]), np.array([91, 92, 93, 92, 93])
    test = stats.ttest_rel(clop, supcon)
    assert f"t = 1.8 / (0.84 / √5) = {test.statistic:.2f} and p = {test.pvalue:.3f}" in TEXT
    _, p = stats.pearsonr(clop + supcon, clop - supcon)
    assert f"p is {p:.3f}" in TEXT
    ones = np.array([0.2, -0.1, 0.1, 0.0, -0.2])
    half = stats.ttest_1samp(ones, 0).confidence_interval(0.90).high
    assert f"the 90 % interval ±{half:.2f}" in TEXT
    near = stats.ttest_rel([0.51, 0.52, 0.50, 0.53, 0.49], [0.55] * 5, alternative="less")
    assert f"= {-near.statistic:.2f}, so p = {near.pvalue:.4f}" in TEXT
    below = stats.ttest_rel([1.5, 1.0, 2.5, 0.5, 1.0], [2.0] * 5, alternative="less")
    assert f"√5) = {-below.statistic:.2f} and p = {below.pvalue:.3f}" in TEXT
