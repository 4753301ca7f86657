"""A table's variance, source by source: from records to sheets, CSV, JSON, pages and the figure."""

import csv
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from checkout import suite_of
from synthetic import arms, record

from clopbench.errors import UserError
from clopbench.parameters import validated
from clopbench.report.document import collect, make_document
from clopbench.report.figures.pictures import pictures
from clopbench.report.formats import sheets
from clopbench.report.variance_parts import as_data, breakdowns
from clopbench.results.records import Store
from clopbench.suite.declarations import TableDeclaration

# Accuracies in 360ths at seeds 0 to 3: variances 4, 1, 1, 0 and 0, in all 6; of all together 12.
ROWS = {
    "subset": (300, 303, 303, 302),
    "init": (301, 303, 303, 301),
    "order": (302, 303, 304, 303),
    "augment": (302, 302, 302, 302),
    "prototypes": (302, 302, 302, 302),
    "all": (324, 326, 328, 330),
}
SUPCON, CLOP = {"method": "supcon"}, {"method": "clop"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A suite with the benchmark and its table."""
    return suite_of(tmp_path_factory.mktemp("suite"), "variance")


@pytest.fixture(scope="module")
def records(whole):
    """Of SupCon all rows; of CLOP two seeds, of which one has no value in one row."""
    found = []
    for entry in whole.benchmark("variance").entries:
        for seed, right in enumerate(ROWS[entry.coordinates["varies"]]):
            if entry.coordinates["method"] == "supcon" or seed < 2:
                one = record(entry.cell(seed), right / 360)
                one.provenance["test_images"] = 360
                one.metrics["probe_all_top1"] = right / 360 + 0.01
                if entry.coordinates == CLOP | {"varies": "init"} and seed == 1:
                    del one.metrics["probe_top1"], one.metrics["probe_all_top1"]
                found.append(one)
    return found


@pytest.fixture(scope="module")
def table(whole, records):
    [found] = collect(whole, {"laptop": arms(records)})["variance"]
    return found


def test_shares_in_words(table):
    """Standard deviations by hand: √(4/3), √(4/3), √(2/3) and √(20/3) of 360, in points."""
    first = sheets.variance_sheets(table)[0]
    assert first.title == ("where the variance of linear probe top-1 on the labelled images comes from, SupCon")
    assert first.head[0] == "varies" and "points" in first.head[1]
    lines = {line[0]: [text.partition(" [")[0] for text in line[1:]] for line in first.body}
    variance = {name: np.var(row, ddof=1) for name, row in ROWS.items()}
    every = sum(v for name, v in variance.items() if name != "all")
    labels = {"subset": "labelled subset", "order": "order of the images", "augment": "augmentation"}
    for name, label in labels.items():
        assert lines[label] == [
            f"{variance[name] ** 0.5 / 3.6:.2f}", f"{100 * variance[name] / every:.0f} %",
            f"{variance[name] / variance['all']:.2f}", "4",
        ]  # fmt: skip
    assert lines["augmentation"] == ["0.00", "0 %", "0.00", "4"]
    assert lines["sum of the single sources"][1:3] == ["–", f"{every / variance['all']:.2f}"]
    assert lines["all together"] == [f"{(20 / 3) ** 0.5 / 3.6:.2f}", "–", "1.00", "4"]
    # p = 327/360: the root of p (1 - p) / 360, in points.
    deviation = 100 * (327 / 360 * 33 / 360 / 360) ** 0.5
    ratio = (deviation * 3.6) ** 2 / (20 / 3)
    assert lines["other test images (360, binomial)"] == [f"{deviation:.2f}", "–", f"{ratio:.2f}", "–"]


def test_a_row_without_two_complete_seeds_is_not_run(table):
    of_clop = [one for one in breakdowns(table) if one.coordinates == CLOP]
    assert len(of_clop) == 2
    assert [(one.parts, one.incomplete) for one in of_clop] == [(None, 1)] * 2
    assert sheets.variance_sheets(table)[1].body == [["all together", "not run", "–", "–", "0 (1 incomplete)"]]
    assert as_data(of_clop[0]) == []


@pytest.mark.parametrize("said", [[360, 359], []], ids=["two numbers", "none"])
def test_where_the_records_do_not_say_how_many_test_images_there_are(whole, records, said):
    images = iter(said)
    changed = [
        record(one.cell, one.metrics.get("probe_top1"), provenance=_with(one.provenance, next(images, None)))
        for one in records
    ]
    [table] = collect(whole, {"laptop": arms(changed)})["variance"]
    first = breakdowns(table)[0]
    assert first.images is None
    assert first.parts is not None and first.parts.test_set is None


def _with(provenance, images):
    kept = {key: value for key, value in provenance.items() if key != "test_images"}
    return kept if images is None else kept | {"test_images": images}


def test_the_pages_the_csv_and_the_json_hold_the_same(whole, records, table, bench, tmp_path):
    document = make_document(whole, {"variance": [table]}, endings=(".png",))
    page, text, latex = (
        document.texts[f"tables/variance/{n}"] for n in ("README.md", "table.csv", "table.tex")
    )
    assert "Where the variance of linear probe top-1 on the labelled images comes from, SupCon" in page
    assert "| order of the images |" in page
    assert "Where the variance of linear probe top-1" in latex
    assert "variance_shares.png" in page
    lines = [line for line in csv.DictReader(io.StringIO(text)) if line["kind"].startswith("variance")]
    share = next(line for line in lines if (line["kind"], line["row"]) == ("variance share", "subset"))
    assert share["point"] == "method=supcon" and share["metric"] == "probe_top1"
    assert float(share["low_95"]) < float(share["mean"]) < float(share["high_95"])
    store = Store(tmp_path / "results")
    for one in records:
        store.write(one)
    done = bench("show", "variance", "--json", "--suite", whole.root, "--results", store.root)
    assert done.code == 0, done.err
    [shown] = json.loads(done.out)
    found = {(one["metric"], one["source"]): one for one in shown["variance"]}
    assert found["probe_top1", "subset"]["share"] == pytest.approx(float(share["mean"]))
    assert found["probe_top1", "test set"]["share"] is None
    assert len(found) == 2 * 8


def test_the_figure_shows_every_source(whole, table):
    from clopbench.report.figures.attachments import Attachments

    [shares, _] = pictures([table], Attachments(whole))
    assert "Bars are 95 % intervals" in shares.caption and "n = 4 seeds" in shares.caption
    assert "Other test images" in shares.caption
    assert shares.draw is not None
    drawn = shares.draw()
    left, right = drawn.subfigs[0].axes[:2]
    sources = [table.point_label(point) for point in ROWS if point != "all"]
    assert [text.get_text() for text in left.get_yticklabels()] == [
        *sources,
        "all together",
        "other test images",
    ]
    assert [text.get_text() for text in right.get_yticklabels()] == sources
    marks = [container.lines[0].get_xdata()[0] for container in right.containers]  # pyright: ignore[reportAttributeAccessIssue]
    assert sum(marks) == pytest.approx(100)
    plt.close(drawn)


def test_without_records_there_is_no_figure(whole):
    assert collect(whole, {}) == {"variance": []}


DECLARED = {"axis": "varies", "together": "all", "metrics": ["probe_top1"]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"axis": "vary"}, "variance.axis: unknown axis 'vary': did you mean 'varies'"),
        ({"together": "al"}, "variance.together: unknown point of axis varies 'al': did you mean 'all'"),
        ({"metrics": ["probe_top5"]}, "variance: 'probe_top5' is no metric of the table"),
        ({"metrics": []}, "variance.metrics"),
        ({"metrics": ["probe_top1", "probe_top1"]}, "'probe_top1' is listed twice"),
        ({"axes": "varies"}, "variance.axes: unknown field; did you mean 'axis'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, bench, changed, message):
    suite = suite_of(tmp_path / "suite", "variance")
    path = suite.root / "tables" / "variance.yaml"
    text = path.read_text()
    old = text[text.index("variance:\n") : text.index("\nfigures:")]
    path.write_text(text.replace(old, "variance: " + json.dumps(DECLARED | changed) + "\n"))
    done = bench("plan", "variance", "--suite", suite.root)
    assert done.code == 2
    [line] = done.err.splitlines()
    assert line.startswith("error: tables/variance.yaml:") and message in line


def test_a_figure_of_variance_needs_one():
    given = {
        "title": "t", "benchmark": "b", "rows": "r", "metric": "m", "metric_title": "m",
        "paper": {"source": "s", "setting": "s"}, "figures": [{"kind": "variance_shares"}],
    }  # fmt: skip
    with pytest.raises(UserError, match="figure variance_shares: the table declares no variance"):
        validated(TableDeclaration, given, "tables/t.yaml")
