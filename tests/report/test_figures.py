"""Figures of tables: what is drawn agrees with the records, fits the page, and is the same twice."""

import io
import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from drawing import (
    ALL,
    COLLAPSES,
    CURVE,
    HEATMAP,
    METHODS,
    NOISE,
    RATES,
    SPECTRUM,
    TOP1,
    TSNE,
    fill_store,
    make_records,
    make_suite,
    make_tables,
)
from hypothesis import given
from hypothesis import strategies as st
from links import anchors, links, resolved
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.text import Text
from PIL import Image
from scipy import stats
from synthetic import record

from clopbench.errors import UserError
from clopbench.report.document import collect, make_document
from clopbench.report.figures import canvas, curves, looks, paired_dots, spectra, swarm
from clopbench.report.figures.attachments import Attachments, LocalAttachments
from clopbench.report.figures.far_off import far_off
from clopbench.report.figures.pictures import Files, Picture, pictures
from clopbench.report.observations import group_by_arm
from clopbench.suite.figures import Curve, PairedDots, SpectrumFigure

MANY_RATES = ("0.1", "0.2", "0.5", "1", "2", "5", "10")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The suite, its tables and a results folder, with every kind of figure declared."""
    folder = tmp_path_factory.mktemp("drawn")
    suite = make_suite(folder)
    records = make_records(suite)
    return suite, make_tables(suite, records), LocalAttachments(fill_store(folder / "results", records))


@pytest.fixture(autouse=True)
def _themed():
    with canvas.theme():
        yield
    plt.close("all")


def panels_of(figure: Any) -> list[Any]:
    """The axes that hold something, in reading order."""
    figure.canvas.draw()
    return [axes for axes in figure.get_axes() if axes.get_visible()]


def test_curve_shows_means_and_t_intervals(drawn):
    _, tables, attachments = drawn
    figure = curves.draw(Curve(**CURVE), tables, attachments)
    top1, _rank = panels_of(figure)
    assert top1.get_xscale() == "log"
    assert [label.get_text() for label in top1.get_xticklabels()] == list(RATES)
    assert (top1.get_xlabel(), top1.get_ylabel()) == ("learning rate", "linear probe top-1 (%)")
    lines = [line for line in top1.lines if len(line.get_xdata()) == len(RATES)]
    bands = [band for band in top1.collections if len(band.get_paths())]
    for method, line, band in zip(METHODS, lines, bands, strict=True):
        values = 100 * (TOP1[method] + np.array(NOISE) * (1 + METHODS.index(method)))
        np.testing.assert_allclose(line.get_ydata()[0], values.mean())
        low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        at_first = [y for x, y in band.get_paths()[0].vertices if np.isclose(x, 0.1)]
        np.testing.assert_allclose([min(at_first), max(at_first)], [low, high])
    # A line is told by its marker as well as by its colour.
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == len(METHODS)
    assert len({line.get_marker() for line in lines}) == len(METHODS)


def test_curve_marks_what_collapsed_and_diverged(drawn):
    _, tables, attachments = drawn
    figure = curves.draw(Curve(**CURVE), tables, attachments)
    top1, rank = panels_of(figure)
    for panel in (top1, rank):
        assert sorted(text.get_text() for text in panel.texts) == ["2/4", "3/4", "4/4"]
        crosses = sorted(
            (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
            for line in panel.lines
            if line.get_marker() == "x"
        )
        assert [x for x, _ in crosses] == sorted(float(rate) for _, rate in COLLAPSES)
    # All of SimCLR's cells collapsed at 10; two of SupCon's did, one diverged, one is left (0.70 + 2 · 0.004).
    at_ten = sorted(
        float(line.get_ydata()[0])
        for line in top1.lines
        if line.get_marker() == "x" and line.get_xdata()[0] == 10
    )
    assert at_ten == pytest.approx([10, (10 + 10 + 70.8) / 3])
    assert "k of n cells collapsed or diverged" in curves.caption(Curve(**CURVE), tables, attachments)


def test_a_point_where_every_cell_diverged_is_marked_at_the_bottom(tmp_path):
    suite = make_suite(tmp_path)
    entries = suite.benchmark("rates").entries
    records = make_records(suite)
    lost = [record(entries[0].cell(seed), None, "diverged") for seed in range(2)]
    tables = make_tables(suite, [*lost, *(r for r in records if r.cell.arm != entries[0].template.arm)])
    figure = curves.draw(Curve(**{**CURVE, "metrics": []}), tables, Attachments(suite))
    (top1,) = panels_of(figure)
    low, high = top1.get_ylim()
    [y] = [
        line.get_ydata()[0] for line in top1.lines if line.get_marker() == "x" and line.get_xdata()[0] == 0.1
    ]
    assert (y - low) / (high - low) < 0.1
    assert "2/2" in [text.get_text() for text in top1.texts]


def test_one_point_is_no_curve(tmp_path):
    suite = make_suite(tmp_path, [CURVE])
    records = make_records(suite)
    at_first = [r for r in records if r.cell.training.learning_rate == 0.1]
    text = make_document(suite, {"rates": make_tables(suite, at_first)}).texts["tables/rates/README.md"]
    assert "Not in figure curve at scale laptop: no line has two points.\n" in text
    two = [r for r in records if r.cell.method.name == "clop" and r.cell.training.learning_rate < 1]
    tables = make_tables(suite, [*two, *at_first])
    figure = curves.draw(Curve(**CURVE), tables, Attachments(suite))
    # SimCLR and SupCon have one point each: a bar instead of a band.
    bars = [some for some in panels_of(figure)[0].collections if isinstance(some, LineCollection)]
    assert len(bars) == 2


def test_one_line_needs_no_legend(drawn):
    _, tables, attachments = drawn
    declared = Curve(**{**CURVE, "lines": None, "x": "linear", "points": {"method": ["clop"]}})
    figure = curves.draw(declared, tables, attachments)
    assert not figure.legends
    assert curves.caption(declared, tables, attachments).endswith("Scale laptop: n = 4 seeds.")


def test_spectrum_shows_median_and_range_over_seeds(drawn):
    _, tables, attachments = drawn
    figure = spectra.draw(SpectrumFigure(**SPECTRUM), tables, attachments)
    low, high = panels_of(figure)
    assert (low.get_title(), high.get_title()) == ("learning rate 0.1", "learning rate 1")
    assert low.get_yscale() == "log"
    seeds = np.exp(-np.outer(0.2 + 0.02 * np.arange(4), np.arange(16)))
    seeds /= np.linalg.norm(seeds, axis=1, keepdims=True)
    assert len(low.lines) == len(METHODS)
    np.testing.assert_allclose(low.lines[0].get_ydata(), np.median(seeds, axis=0))
    at_last = [y for x, y in low.collections[0].get_paths()[0].vertices if x == 16]
    np.testing.assert_allclose([min(at_last), max(at_last)], [seeds[:, -1].min(), seeds[:, -1].max()])


def test_empty_panels_say_so(drawn):
    """A rate at which nothing was run, beside one at which all was."""
    suite, _, attachments = drawn
    some = [r for r in make_records(suite) if r.cell.training.learning_rate <= 0.5]
    tables = make_tables(suite, some)
    by_rate = {**CURVE, "along": "method", "lines": None, "panels": "learning_rate", "x": "linear"}
    by_rate |= {"values": {method: place for place, method in enumerate(METHODS)}, "metrics": []}
    for figure in (
        spectra.draw(SpectrumFigure(**SPECTRUM), tables, attachments),
        curves.draw(Curve(**by_rate), tables, attachments),
    ):
        panels = panels_of(figure)
        said = [[text.get_text() for text in panel.texts] for panel in panels]
        assert said == [[] if len(panel.lines) else ["no values"] for panel in panels]
        assert ["no values"] in said


def test_spectra_come_from_published_files_too(drawn, tmp_path):
    from clopbench.results.published import publish

    records = make_records(drawn[0])
    suite = make_suite(tmp_path)
    publish(records, tmp_path / "results" / "published" / "laptop.parquet")
    published = Attachments(suite)
    assert (
        published.spectrum(records[0].cell.id) == records[0].spectrum == drawn[2].spectrum(records[0].cell.id)
    )
    assert published.spectrum("0" * 16) == () == drawn[2].spectrum("0" * 16)


def test_dots_stand_where_the_values_are(drawn):
    _, tables, attachments = drawn
    figure = paired_dots.draw(PairedDots(), tables, attachments)
    panels = panels_of(figure)
    assert [panel.get_title() for panel in panels] == [f"learning rate {rate}" for rate in RATES]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["SimCLR", "SupCon", "CLOP"]
    scattered: list[Any] = [some for some in panels[0].collections if isinstance(some, PathCollection)]
    dots = [offset for some in scattered for offset in some.get_offsets().tolist()]
    expected = [
        (100 * (TOP1[method] + noise * (1 + row)), row) for row, method in enumerate(METHODS) for noise in NOISE
    ]
    np.testing.assert_allclose(sorted(x for x, _ in dots), sorted(x for x, _ in expected))
    assert sorted((round(y), round(x, 6)) for x, y in dots) == sorted((y, round(x, 6)) for x, y in expected)
    lines = [some.get_segments() for some in panels[0].collections if isinstance(some, LineCollection)]
    (joined,) = [segments for segments in lines if len(segments) == len(NOISE)]  # The others are error bars.
    by_seed = [[expected[seed + row * len(NOISE)] for row in range(len(METHODS))] for seed in range(len(NOISE))]
    ways = sorted([[(x, round(y)) for x, y in way] for way in map(np.ndarray.tolist, joined)])
    np.testing.assert_allclose(ways, sorted(map(list, by_seed)))
    assert all(dot in dots for way in joined for dot in way.tolist())  # Lines end in the dots themselves.


def test_more_than_six_rows_are_intervals_without_lines(tmp_path):
    """Seven learning rates down the table; means stand off the dots of their row."""
    suite = make_suite(tmp_path, None, rows="learning_rate", columns="method", rates=MANY_RATES)
    tables = make_tables(suite, make_records(suite))
    figure = paired_dots.draw(PairedDots(), tables, Attachments(suite))
    panel = panels_of(figure)[-1]  # CLOP: none of its cells collapsed.
    segments = [some.get_segments() for some in panel.collections if isinstance(some, LineCollection)]
    ends = sorted({round(float(y), 2) for some in segments for way in some for _, y in way})
    assert ends == [pytest.approx(row + paired_dots.INTERVALS.mean_at) for row in range(len(MANY_RATES))]
    caption = paired_dots.caption(PairedDots(), tables, Attachments(suite))
    assert "lines join" not in caption
    assert "means with 95 % t intervals" in caption


def test_rows_that_were_not_run_are_left_out(tmp_path):
    suite = make_suite(tmp_path)
    some = [one for one in make_records(suite) if one.cell.method.name != "supcon"]
    tables = make_tables(suite, some)
    figure = paired_dots.draw(PairedDots(), tables, Attachments(suite))
    panels = panels_of(figure)
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["SimCLR", "CLOP"]
    drawn = curves.draw(Curve(**CURVE), tables, Attachments(suite))
    named = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert named[:2] == ["SimCLR", "CLOP"]
    assert "SupCon" not in named


def test_a_baseline_far_off_is_said_in_words(tmp_path):
    """SimCLR at 10 collapsed to 10 %; beside it SupCon and CLOP would share a twentieth of the axis."""
    suite = make_suite(tmp_path)
    some = [
        r for r in make_records(suite) if r.cell.method.name != "supcon" or r.cell.training.learning_rate < 5
    ]
    tables = make_tables(suite, [*some, *sound_supcon(suite)])
    figure = paired_dots.draw(PairedDots(), tables, Attachments(suite))
    panel = panels_of(figure)[-1]
    assert [text.get_text() for text in panel.texts] == ["◂ 10.00 ± 0.00"]
    assert panel.get_xlim()[0] > 50
    assert "in words" in paired_dots.caption(PairedDots(), tables, Attachments(suite))
    top1 = panels_of(curves.draw(Curve(**CURVE), tables, Attachments(suite)))[0]
    assert "▾ 10.0" in [text.get_text() for text in top1.texts]
    assert top1.get_ylim()[0] > 40


def sound_supcon(suite):
    """SupCon's cells at 5 and 10 as those at 0.5."""
    return [
        record(entry.cell(seed), TOP1["supcon"] + 2 * noise)
        for entry in suite.benchmark("rates").entries
        if entry.coordinates["method"] == "supcon" and entry.coordinates["learning_rate"] in ("5", "10")
        for seed, noise in enumerate(NOISE)
    ]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(1e-3, 1e3))
def test_no_two_dots_of_a_lane_touch_and_a_lone_one_stays_in_the_middle(values, width):
    lanes = swarm.lanes(values, width)
    for lane in set(lanes):
        own = sorted(value for value, at in zip(values, lanes, strict=True) if at == lane)
        assert all(after - before >= width for before, after in itertools.pairwise(own))
    assert (max(values) - min(values) < width) or lanes.count(0) >= 1
    assert max(map(abs, swarm.heights(values, width, 0.1, 0.3))) <= 0.3 + 1e-9


def test_coinciding_dots_stand_symmetrically():
    assert swarm.lanes([1.0, 1.0, 5.0, 1.0], 0.5) == [0, 1, 0, -1]
    assert swarm.heights([1.0, 1.0, 1.0], 0.5, step=0.2, room=0.1) == [0, 0.1, -0.1]


@pytest.mark.parametrize(
    ("spans", "off"),
    [
        ([(95, 97), (94, 96), (10, 12)], {2}),  # A baseline below.
        ([(95, 97), (200, 201), (94, 96)], {1}),  # One above.
        ([(95, 97), (94, 96), (10, 12), (11, 30)], {2, 3}),  # Half of the rows.
        ([(95, 97), (10, 12)], set()),  # Of two rows neither is the baseline.
        ([(95, 97), (10, 12), (11, 13)], {0}),
        ([(90, 97), (85, 96), (80, 88)], set()),  # The others would gain little.
        ([(95, 97), (94, 96), (10, 96)], set()),  # Its interval reaches among them.
        ([], set()),
    ],
)  # fmt: skip
def test_what_is_far_off(spans, off):
    assert far_off(spans) == off


def test_a_method_has_one_colour_in_every_figure():
    """In whatever company, and under its other name; no two share one, and no other axis has any of them."""
    alone = {name: looks.of_points("method", [name])[name] for name in looks.KNOWN}
    together = looks.of_points("method", ["mine", *looks.KNOWN[::-1], "yours"])
    assert {name: together[name] for name in looks.KNOWN} == alone
    assert len({style.colour for style in together.values()}) == len(looks.KNOWN) + 2
    assert looks.of_method("method", "clop_simclr") == looks.of_method("variant", "clop") == alone["clop"]
    others = {style.colour for style in looks.of_points("temperature", ["0.1", "0.2", "clop"]).values()}
    others |= {looks.of_row("augmentation", "simclr"), *looks.classes(10)}
    assert not others & {style.colour for style in together.values()}


def overlapping(texts, renderer):
    """Pairs of visible texts whose boxes share more than a hair."""
    boxes = [
        (text, text.get_window_extent(renderer)) for text in texts if text.get_text() and text.get_visible()
    ]
    return [
        (one.get_text(), other.get_text())
        for position, (one, first) in enumerate(boxes)
        for other, second in boxes[position + 1 :]
        if min(first.x1, second.x1) - max(first.x0, second.x0) > 1
        and min(first.y1, second.y1) - max(first.y0, second.y0) > 1
    ]


def test_tables_with_many_rows_stay_legible(tmp_path):
    """Twelve rows with long names × five columns, at two scales: no label lies on another."""
    labels = {rate: f"CLOP over SupCon, learning rate {rate}" for rate in RATES}
    suite = make_suite(tmp_path, None, rows="learning_rate", columns="method", labels=labels)
    by_scale: dict[str, Any] = {
        scale: group_by_arm(r.to_json() for r in make_records(suite, scale)) for scale in ("laptop", "cpu")
    }
    tables = collect(suite, by_scale)["rates"]
    figure: Any = paired_dots.draw(PairedDots(), tables, Attachments(suite))
    panels = panels_of(figure)
    texts = [
        *(label for axes in panels for label in (*axes.get_yticklabels(), axes.title)),
        *(text for part in figure.subfigs for text in part.texts),
    ]
    assert overlapping(texts, figure.canvas.get_renderer()) == []
    assert figure.get_size_inches()[0] == canvas.WIDTH


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: figure["kind"])
def test_no_type_is_smaller_than_seven_points(drawn, figure):
    _, tables, attachments = drawn
    chosen = next(p for p in pictures(tables, attachments) if p.name == figure["kind"])
    assert chosen.draw is not None
    made: Any = chosen.draw()
    made.canvas.draw()
    sizes = [text.get_fontsize() for text in made.findobj(Text) if text.get_text().strip()]
    assert min(sizes) >= 7
    assert made.get_size_inches()[0] == canvas.WIDTH


def test_files_are_the_same_in_another_process(drawn):
    """Whatever the order of hashes there; a PDF holds no date, and a picture is small."""
    suite, tables, attachments = drawn
    script = (
        "import hashlib, json, sys\n"
        "from clopbench.results.records import Store\n"
        "from clopbench.report.figures.attachments import LocalAttachments\n"
        "from clopbench.report.document import report\n"
        "from clopbench.report.publication import local_arms\n"
        "from clopbench.suite.suite import Suite\n"
        f"suite, store = Suite({str(suite.root)!r}), Store({str(suite.root / 'results')!r})\n"
        "arms = {'laptop': local_arms(suite, store)['laptop']}\n"
        "made = report(suite, arms, LocalAttachments(store)).pictures\n"
        "print(json.dumps({name: hashlib.sha256(made[name]).hexdigest() for name in made}))"
    )
    import hashlib
    import json
    import os

    ours = Files({"tables/rates": pictures(tables, attachments)})
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "3"},
    )  # fmt: skip
    assert json.loads(done.stdout) == {name: hashlib.sha256(ours[name]).hexdigest() for name in ours}
    assert len(ours) == len(list(ours)) == 2 * len(ALL)
    for name, content in ours.items():
        assert len(content) < 200_000, name
        if name.endswith(".pdf"):
            assert content.startswith(b"%PDF")
            assert b"Date" not in content
        else:
            assert Image.open(io.BytesIO(content)).size[0] == round(canvas.WIDTH * canvas.DPI)


def test_pictures_are_drawn_only_when_asked_for():
    def fail():
        raise AssertionError("drawn")

    files = Files(
        {"t": [Picture("a", "", "", fail), Picture("b", "", "", None)], "u": [Picture("a", "", "", fail)]}
    )
    assert list(files) == ["t/a.png", "t/a.pdf", "u/a.png", "u/a.pdf"]
    assert len(files) == 4
    with pytest.raises(AssertionError):
        files["u/a.pdf"]


def test_the_documents_show_every_figure_with_its_caption(drawn):
    suite, tables, attachments = drawn
    document = make_document(suite, {"rates": tables}, attachments=attachments)
    for page in ("RESULTS.md", "tables/rates/README.md"):
        text = document.texts[page]
        led_to = {resolved(page, target) for target in links(text) if not target.startswith("docs/")}
        assert {file for file, _ in led_to} <= document.texts.keys() | set(document.pictures)
        for file, anchor in led_to:
            assert not anchor or anchors(document.texts[file]).count(anchor) == 1
    text = document.texts["tables/rates/README.md"]
    for name in ("paired_dots", "curve", "spectrum", "tsne", "prototype_heatmap"):
        assert f"]({name}.png)" in text
        assert f"([PDF]({name}.pdf))" in text
        assert {f"tables/rates/{name}.png", f"tables/rates/{name}.pdf"} <= set(document.pictures)
    assert "the band is the 95 % t interval" in text
    assert "Scale laptop: n = 4 seeds." in text
    assert document.texts["RESULTS.md"].count(".png)") == 1  # The first of them: the others are a click away.


def test_a_table_that_says_nothing_has_its_dots_only(tmp_path):
    suite = make_suite(tmp_path, None)
    document = make_document(suite, {"rates": make_tables(suite, make_records(suite))})
    assert list(document.pictures) == ["tables/rates/paired_dots.png", "tables/rates/paired_dots.pdf"]


def test_figures_name_the_scales_and_points_that_they_lack(tmp_path):
    suite = make_suite(tmp_path, [CURVE, TSNE, HEATMAP])
    document = make_document(suite, {"rates": make_tables(suite, make_records(suite))})
    assert set(document.pictures) == {"tables/rates/curve.png", "tables/rates/curve.pdf"}
    text = document.texts["tables/rates/README.md"]
    assert "Not in figure tsne at scale laptop: no embeddings are at hand.\n" in text
    assert "tsne.png" not in text


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ([{"kind": "pie"}], "figures.0.kind: unknown kind 'pie'"),
        ([CURVE, CURVE], "two figures are called 'curve'"),
        ([CURVE | {"metrics": ["loss"]}], "'loss' is no metric of the table (probe_top1, effective_rank)"),
        ([CURVE | {"along": "rate"}], "figure curve: along: unknown axis 'rate'"),
        ([CURVE | {"lines": "learning_rate"}], "must name different axes"),
        ([CURVE | {"lines": None}], "axis 'method' is not drawn, so points must name one of it"),
        ([CURVE | {"points": {"learning_rate": ["2"]}}], "unknown point of axis learning_rate '2'"),
        ([CURVE | {"along": "method", "lines": "learning_rate"}], "point 'simclr' is no number"),
        ([CURVE | {"values": {"10": 0}}], "point '10' is 0, which a log axis cannot show"),
        ([CURVE | {"values": {"3": 1}}], "values: unknown point of axis learning_rate '3'"),
        ([SPECTRUM | {"lines": "methods"}], "did you mean 'method'?"),
        ([TSNE | {"perplexity": 0}], "perplexity: input should be greater than 0"),
        ([TSNE | {"name": "../x"}], "name: string should match pattern"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(tmp_path, figures, message):
    suite = make_suite(tmp_path, figures)
    with pytest.raises(UserError) as refused:
        make_tables(suite, [])
    assert str(refused.value).startswith("tables/rates.yaml")
    assert message in str(refused.value)


def test_marks_are_moved_apart_upwards():
    assert canvas.spread_apart([10, 0, 12], 8) == [10, 0, 18]
    assert canvas.spread_apart([5, 5, 5], 8) == [5, 13, 21]
