"""Seeds that collapse or diverge: counted with intervals, part of means and claims, said beside the verdict."""

import pytest
from checkout import ROOT
from scipy import stats
from synthetic import record

from clopbench.report.formats import endings, sheets
from clopbench.report.observations import group_by_arm
from clopbench.report.tables import build_table, judge_together
from clopbench.suite.suite import Suite

BEST = {seed: 0.90 + 0.005 * seed for seed in range(10)}
CLASSES = {"digits": 10, "cifar100": 100, "imagenet": 1000, "imagenet200": 200}


def table_of(suite, statuses):
    """Table 7 at scale laptop: orthonormal always well, random as `statuses` says of its seeds."""
    benchmark = suite.benchmark("table7", "laptop")
    orthonormal, random = benchmark.entries
    records = [record(orthonormal.cell(seed), value) for seed, value in BEST.items()]
    for seed, status in enumerate(statuses):
        value = {"diverged": None, "collapsed": 0.1}.get(status, 0.80 + 0.005 * seed)
        records.append(record(random.cell(seed), value, status))
    arms = group_by_arm(one.to_json() for one in records)
    return judge_together([build_table("table7", suite.table("table7"), benchmark, arms)])[0]


def test_nothing_is_said_where_all_ended_well(suite):
    assert endings.sheets(table_of(suite, ["done"] * 10)) == []


def test_shares_and_the_middle_half_stand_beside_the_mean(suite):
    """Two collapsed at 10 %, one diverged (which counts as chance, 10 %), seven at 81.5 to 84.5 %."""
    table = table_of(suite, ["collapsed", "collapsed", "diverged", *["done"] * 7])
    *_, sheet = sheets.sheets(table)
    [line] = sheet.body
    low, high = stats.beta.ppf([0.025, 0.975], [3, 4], [8, 7])  # Clopper & Pearson's of 3 of 10.
    assert line[:4] == [
        "CLOP, random prototypes", "2 of 10", "1 of 10", f"30 [{100 * low:.0f}, {100 * high:.0f}]",
    ]  # fmt: skip
    # (3 · 10 + 81.5 + … + 84.5) / 10 = 61.1, of which the t interval passes no bound.
    assert line[4].startswith("61.10 ± ")
    # Two are left out at either end: 10, 81.5, 82, 82.5, 83, 83.5.
    assert line[5].startswith("70.42 [")
    assert table.claims[0].text.endswith("; collapsed or diverged in 3 of 10 seeds")


def test_a_row_that_diverges_in_all_seeds_loses(suite):
    claim = table_of(suite, ["diverged"] * 10).claims[0]
    assert claim.verdict.verdict == "supported"
    assert claim.left_out == ()
    # Without a declared value it would have vanished.
    assert claim.text.endswith("; collapsed or diverged in 10 of 10 seeds")


def test_the_columns_beside_count_them_too(suite):
    benchmark = suite.benchmark("table8a", "laptop")
    entry = benchmark.entries[0]
    records = [record(entry.cell(seed), None, "diverged") for seed in range(2)]
    arms = group_by_arm(one.to_json() for one in records)
    number = build_table("table8a", suite.table("table8a"), benchmark, arms).numbers[0]
    assert number.values_of("effective_rank") == {0: 1.0, 1: 1.0}
    assert number.values_of("probe_top1") == {0: 0.1, 1: 0.1}
    assert number.values_of("mean_norm") == {}


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "tables").glob("*.yaml")))
def test_every_accuracy_has_the_chance_of_its_data(name):
    """What a diverged cell counts as at each scale: one class of how many, nothing of a transfer or a box."""
    suite = Suite(ROOT)
    declaration = suite.table(name)
    for scale in suite.scale_names():
        entries = suite.benchmark(declaration.benchmark, scale).entries
        data = {str((entry.template.config().get("data") or {}).get("name")) for entry in entries}
        lost = declaration.lost(scale)
        for metric in (declaration.metric, *(column.metric for column in declaration.also)):
            if data and "top1" in metric and name != "transfer":
                assert lost[metric] == 1 / CLASSES[next(iter(data))], (scale, metric)
            elif metric.startswith(("transfer", "detection")):
                assert lost[metric] == 0
