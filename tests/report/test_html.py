"""The HTML report: its data against the records, and the page itself in a real headless browser."""

import base64
import html as html_text
import json
import re
import shutil
import zlib
from urllib.parse import urlsplit

import pytest
from checkout import ROOT, some
from pages import EVIL, FLAT, flat_records, make_suite, sweep_records
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from synthetic import record

from clopbench.report.formats.markdown import Markdown
from clopbench.report.html import page as html
from clopbench.report.html.cells import Pool, history_columns, rounded, thinned
from clopbench.report.html.markup import inline, prose, to_text
from clopbench.report.html.tables import leading_number
from clopbench.report.publication import published_records
from clopbench.suite.suite import Suite

PATIENCE = 30
SEEDS = 8


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(suite, scale → records) with a table of 5 rows, and one of 3 × 6 points at two scales."""
    suite = make_suite(tmp_path_factory.mktemp("pages"))
    laptop = [*flat_records(suite), *sweep_records(suite, "laptop", SEEDS)]
    return suite, {"laptop": laptop, "cpu": list(sweep_records(suite, "cpu", SEEDS))}


@pytest.fixture(scope="module")
def page(made):
    return html.report(*made)


@pytest.fixture(scope="module")
def path(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page)
    return path


def data_of(page):
    packed = some(re.search(r'<script type="text/plain" id="data">(.*?)</script>', page))[1]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


# What stands in the file.


def test_equal_records_give_equal_bytes(made):
    suite, records = made
    flat = records["laptop"][:8]
    assert html.report(suite, {"laptop": flat[::-1]}) == html.report(suite, {"laptop": flat})


def test_the_data_are_those_of_the_records(made, page):
    data, checked = data_of(page), 0
    for one in [one for found in made[1].values() for one in found]:
        cell = data["cells"][one.cell.id]
        names, values = cell["metrics"]
        metrics = dict(zip(data["names"][names], values, strict=True))
        assert metrics == pytest.approx(one.metrics, rel=1e-5)
        assert (cell["seed"], cell["status"]) == (one.cell.seed, one.status)
        assert data["arms"][cell["arm"]]["training.learning_rate"] == one.cell.training.learning_rate
        assert data["pairings"][cell["pairing"]] == one.pairing
        assert data["origins"][cell["origin"]] | cell["run"] == one.provenance
        titles, *curves = cell["curves"]
        found = dict(zip(data["names"][titles], curves, strict=True))
        epochs, loss = (data["series"][at] for at in found["loss_total"])
        lines = [line.split(",") for line in one.history.splitlines()[1:]]
        assert epochs == [int(line[0]) for line in lines]
        assert loss == pytest.approx([float(line[1]) for line in lines], rel=6e-3)
        spectrum = data["series"][found["singular values"][1]]
        assert spectrum == pytest.approx(thinned(one.spectrum), rel=6e-3)
        checked += 1
    assert checked == len(data["cells"])


def test_fifteen_hundred_cells_fit_into_a_few_megabytes(made, page):
    """The page without its pictures grows with the cells; 25 epochs × 7 curves and 64 singular values each."""
    cells = sum(map(len, made[1].values()))
    assert cells > 250
    without_pictures = re.sub(r"data:image/webp;base64,[^\"]*", "", page)
    assert len(without_pictures.encode()) / cells * 1500 < 2e6


def test_texts_are_escaped(page):
    assert EVIL not in page
    assert "&lt;/script&gt;&lt;b&gt;bold&lt;/b&gt; &amp;" in page
    assert "</script>" in json.dumps(data_of(page))


def test_the_answer_comes_first_and_tables_in_order_of_importance(made, page):
    suite, _ = made
    text = re.sub(r"<script.*", "", page, flags=re.DOTALL)
    order = re.findall(r'<section class="table" id="(\w+)"', text)
    assert order == sorted(suite.table_names(), key=lambda name: (suite.table(name).importance, name))
    cards = re.findall(r'<details class="card" role="listitem">.*?<span class="claim">(.*?)</span>', text)
    run = [claim.text for name in order for claim in suite.table(name).claims]
    assert [html_text.unescape(card) for card in cards] == run
    assert text.index('class="card"') < text.index('<section class="table"')


def test_sort_keys():
    expected = {
        "96.75 ± 0.56": "96.75", "−0.39 [−1.07, +0.29]": "-0.39", "+2.00": "2.00", "< 0.001": "0.001",
        "3 of 10": "3", "2/4 (1 collapsed)": "2", "ratio of sd 1.34 [0.64, 2.82]": "1.34",
        "ratio of sd ∞": "Infinity", "78.0 (sd 0.9, n 10)": "78.0", "–": None, "not run": None, "SimCLR": None,
    }  # fmt: skip
    assert {text: leading_number(text) for text in expected} == expected


def test_rounding_and_thinning():
    assert [rounded(value) for value in (0.123456789, 2.0, -0.0, None, float("nan"), float("inf"))] == [
        0.123457, 2, 0, None, None, None,
    ]  # fmt: skip
    assert thinned(range(5), 5) == [0, 1, 2, 3, 4]
    assert thinned(range(101), 5) == [0, 25, 50, 75, 100]
    assert len(thinned(range(1000))) == 25
    assert history_columns("epoch,loss,note\n1,2.5,x\n2,nan,y\n3,,z\n") == {
        "epoch": [1, 2, 3],
        "loss": [2.5, None, None],
    }
    assert history_columns("") == {}
    pool = Pool()
    assert [pool.put(value) for value in ([1, 2], {"a": 1}, [1, 2])] == [0, 1, 0]


def test_prose_keeps_to_the_page():
    assert to_text(
        inline(Markdown("[a](tables/x/README.md#laptop-1) [b](tables/x/README.md) [c](docs/y.md) `1 < 2`"))
    ) == ('<span><a href="#x-laptop-1">a</a> <a href="#x">b</a> <span>c</span> <code>1 &lt; 2</code></span>')
    assert (
        to_text(prose(Markdown("<b>raw</b>\n\nnext")))
        == "<div><p>&lt;b&gt;raw&lt;/b&gt;</p>\n<p>next</p>\n</div>"
    )


def test_pictures_stand_with_the_table_in_whose_folder_they_lie():
    """Whatever other tables' names begin with; captions of the same name elsewhere are not theirs."""
    names = ("t/dots", "t/curve", "t_x/curve", "t_x/other")
    pictures = {f"tables/{name}.webp": name.encode() for name in names}
    shown = {"tables/t/dots": "Dots", "tables/t/curve": "Its curve", "tables/t_x/curve": "Another curve"}
    found = html._by_folder(html.Document({}, pictures | {"tables/t/dots.pdf": b""}, shown))

    def content(figure):
        return base64.b64decode(figure[0].get("src").partition(",")[2]).decode(), figure[1].text

    assert {folder: [content(figure) for figure in figures] for folder, figures in found.items()} == {
        "tables/t": [("t/dots", "Dots"), ("t/curve", "Its curve")],
        "tables/t_x": [("t_x/curve", "Another curve"), ("t_x/other", "other")],
    }


def test_command_line(bench, tmp_path, cell):
    from clopbench.results.records import Store

    Store(tmp_path / "own").write(record(cell, provenance={"host": "secret-node", "device": "CPU test"}))
    done = bench("report", "--html", "--local", "--results", "own", "--out", "elsewhere/mine.html")
    assert done.out == f"results folder: {tmp_path}/own\nwrote elsewhere/mine.html\n"
    text = (tmp_path / "elsewhere/mine.html").read_text()
    assert data_of(text)["cells"].keys() == {cell.id}
    assert "secret-node" not in text
    assert not (tmp_path / "RESULTS.md").exists()
    for other in ("--check", "--publish"):
        done = bench("report", "--html", other)
        assert done.code == 2
        assert "--html" in done.err


# What a reader sees.


@pytest.fixture(scope="module")
def chromium():
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("chromium and chromedriver are not installed (.ci/install-browser)")
    options = Options()
    options.binary_location = binary
    # Root may not use the sandbox, and /dev/shm is small in containers.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Both paths are given, so nothing is looked for or downloaded.
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


class Page:
    """The report in the browser, opened afresh."""

    def __init__(self, browser: webdriver.Chrome, address: str):
        self.browser, self.address = browser, address
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.look(1280, "light")
        self.open()

    def open(self, fragment: str = "") -> None:
        """Leave the page and come back to it, at a fragment."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}#{fragment}" if fragment else self.address)

    def look(self, width: int, scheme: str) -> None:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        # Without motion a click does not miss what is still scrolling into view.
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def column(self, table: str, number: int) -> list[str]:
        """The texts of a table's nth column, from 1, as the page has them."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        return self.browser.execute_script(script, f"{table} tbody > tr:not(.detail) > :nth-child({number})")

    def wait(self, condition) -> None:
        WebDriverWait(self.browser, PATIENCE, 0.05).until(lambda _: condition())

    def opened(self) -> str:
        """The title of the dialog, once it is open."""
        self.wait(lambda: self.all("#cells[open] h2"))
        return self.one("#cells h2").text


@pytest.fixture
def report(chromium, path):
    return Page(chromium, path.as_uri())


def test_the_page_is_silent_and_asks_for_nothing(report):
    for kind in ("browser", "performance"):
        report.browser.get_log(kind)
    report.open("sweep-laptop-clop-1")
    report.opened()
    events = [json.loads(entry["message"])["message"] for entry in report.browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert any(url.startswith("file:") for url in asked)
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data", "about"}
    assert report.browser.get_log("browser") == []


def test_a_click_on_a_heading_sorts_by_number(report):
    table = "#flat-laptop table.sortable"
    given = report.column(table, 1)
    assert given == [EVIL, "b", "c", "d", "e"]
    heading = report.one(f"{table} th:nth-child(2) button")
    orders = []
    for state in ("ascending", "descending", None):
        heading.click()
        assert report.one(f"{table} th:nth-child(2)").get_attribute("aria-sort") == state
        orders.append(report.column(table, 1))
    # 9.5, 10.05, 12, 100; as texts 10.05 and 100 would come before 9.5. What was not run stays last.
    ranked = sorted((name for name, mean in FLAT.items() if mean), key=lambda name: FLAT[name] or 0)
    named = [EVIL if name == "a" else name for name in ranked]
    assert orders == [[*named, "d"], [*named[::-1], "d"], given]


def test_keyboard_alone_sorts_and_opens(report):
    table = "#sweep-laptop > .scroll:nth-of-type(1) table"
    report.one(f"{table} th:nth-child(2) button").send_keys(Keys.ENTER)
    means = [float(text.partition(" ±")[0]) for text in report.column(table, 2)]
    assert means == sorted(means)
    number = report.one(f"{table} .number")
    number.send_keys(Keys.ENTER)
    report.opened()
    assert report.browser.switch_to.active_element.get_attribute("aria-label") == "Close"
    report.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    report.wait(lambda: not report.all("#cells[open]"))
    assert report.browser.switch_to.active_element == number
    report.one("body").send_keys("/")
    assert report.browser.switch_to.active_element.get_attribute("id") == "search"


def test_scales_are_hidden_and_shown(report):
    places = ("#sweep-laptop", "#flat-laptop", '#summary th[data-scale="laptop"]', "#sweep-cpu")

    def shown():
        return [report.one(place).is_displayed() for place in places]

    report.one("#summary .more summary").click()
    button = report.one('[data-toggles="laptop"]')
    assert shown() == [True] * 4
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert shown() == [False, False, False, True]
    assert "no-scale" in some(report.one("#flat").get_attribute("class"))
    button.click()
    assert shown() == [True] * 4


@pytest.mark.parametrize(
    ("words", "found"),
    [("supcon RATE", ["sweep"]), ("nowhere", ["flat"]), ("supcon nowhere", []), (" ", ["flat", "sweep"])],
)
def test_search_keeps_the_tables_that_hold_all_words(report, words, found):
    report.one("#search").send_keys(words)
    report.wait(lambda: report.one("#shown").text == f"{len(found)} of 2 tables")
    assert [name for name in ("flat", "sweep") if report.one(f"#{name}").is_displayed()] == found
    assert [link.text for link in report.all("nav li[data-of]") if link.is_displayed()] == [
        report.one(f"#{name} h2").text for name in found
    ]


def test_a_number_opens_its_cells(report, made):
    expected = [
        one
        for one in made[1]["laptop"]
        if one.cell.method.name == "supcon" and one.cell.training.learning_rate == 5.0
    ]
    assert len(expected) == SEEDS
    report.one('#sweep-laptop [data-opens="sweep-laptop-supcon-5"]').click()
    assert report.opened() == "SupCon, 5"
    assert report.one("#cells .endings").text.split() == [str(SEEDS), "cells:", str(SEEDS), "collapsed"]
    assert report.column("#cells .by-body", 1) == [str(seed) for seed in range(SEEDS)]
    assert report.column("#cells .by-body", 2) == [one.cell.id for one in expected]
    assert set(report.column("#cells .by-body", 3)) == {"collapsed"}
    assert report.column("#cells .by-body", 4) == [
        f"{(one.metrics['probe_top1'] or 0) * 100:.2f}" for one in expected
    ]
    assert set(report.column("#cells .by-body", 6)) == {"commit abcdef0"}
    assert set(report.column("#cells .by-body", 7)) == {"CPU test"}
    curves = report.all("#cells .chart path.curve")
    assert len(curves) == SEEDS
    # A curve of 25 epochs: one point set down, then 24 lines.
    assert some(curves[0].get_attribute("d")).count("L") == 24
    ActionChains(report.browser).move_to_element(report.one("#cells .chart")).perform()
    assert re.fullmatch(r"seed \d: loss_total [\d.]+ at epoch \d+", report.one("#cells .readout").text)
    config = report.one("#cells > .dialog-body > details").text
    assert re.search(r"training\.learning_rate\s+5\n", config)
    assert re.search(r"method\.name\s+supcon\n", config)
    report.one("#cells .toggle-cell").click()
    detail = report.one("#cells .detail").text
    assert re.search(r"init\s+init 0\n", detail)
    assert re.search(r"commit\s+abcdef0123456789\n", detail)
    assert re.search(r"seconds\s+60", detail)
    # Another curve, and the dialog's own table sorted with its details in tow.
    report.one("#cells select").send_keys("singular values")
    assert some(report.one("#cells .chart path.curve").get_attribute("d")).count("L") == 24
    report.one("#cells .by-body th button").click()
    report.one("#cells .by-body th button").click()
    assert report.column("#cells .by-body", 1) == [str(seed) for seed in reversed(range(SEEDS))]
    bodies = report.all("#cells .by-body tbody")
    assert [len(body.find_elements(By.CSS_SELECTOR, "tr")) for body in bodies] == [2] * SEEDS


def test_collapsed_and_diverged_cells_are_seen(report):
    marked = {
        state: [element.text for element in report.all(f"#sweep-laptop td.{state}")]
        for state in ("collapsed", "diverged")
    }
    assert any(f"({SEEDS} collapsed)" in text for text in marked["collapsed"])
    assert any(
        text.startswith("no value") and f"({SEEDS} diverged)" in text.replace("\n", " ")
        for text in marked["diverged"]
    )
    report.open("sweep-laptop-supcon-10")
    report.opened()
    assert report.one("#cells .endings").text.split() == [str(SEEDS), "cells:", str(SEEDS), "diverged"]
    report.one("#cells .toggle-cell").click()
    assert "loss not finite at epoch 3" in report.one("#cells .detail").text


def test_a_claim_opens_both_sides(report):
    report.one('[data-opens="sweep-laptop~claim-best"]').click()
    assert report.opened() == "CLOP is best at every rate"
    legend = [element.text for element in report.all("#cells .legend li")]
    assert "CLOP, 0.1" in legend
    assert "SupCon, 0.1" in legend
    differs = report.one('#cells [aria-label="What differs"]').text
    assert "training.learning_rate" in differs
    report.one("#cells .close").click()
    # The address follows once the dialog has told that it is closed.
    report.wait(lambda: report.browser.execute_script("return location.hash") == "")
    assert not report.all("#cells[open]")


def test_the_back_button_closes_what_a_click_opened(report):
    report.one("#flat-laptop .number").click()
    report.opened()
    report.browser.back()
    report.wait(lambda: not report.all("#cells[open]"))


def test_a_number_that_was_not_run_opens_nothing(report):
    row = report.all("#flat-laptop tbody tr")[3]
    assert row.text.startswith("d not run")
    assert row.find_elements(By.CSS_SELECTOR, "button") == []


def contrast(first: str, second: str) -> float:
    """Of two CSS colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_dark(report, scheme):
    """Body text, notes, numbers, chips and pressed buttons have a contrast of 4.5 : 1 at least."""
    report.look(1280, scheme)
    script = """
        const ground = (e) => {
          for (; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (colour !== "rgba(0, 0, 0, 0)") return colour;
          }
        };
        return arguments[0].map((selector) => {
          const e = document.querySelector(selector);
          return [selector, getComputedStyle(e).color, ground(e)];
        });"""
    selectors = [
        "main p",
        ".note",
        "td.collapsed .value",
        "td.diverged .aside",
        ".number > .value",
        ".toggle",
        ".evidence",
    ]
    selectors += [".chip.undecided", ".chip.not-run", ".chip.contradicted"]
    found = report.browser.execute_script(script, [s for s in selectors if report.all(s)])
    assert len(found) >= len(selectors) - 1
    assert {
        selector: round(contrast(*colours), 1) for selector, *colours in found if contrast(*colours) < 4.5
    } == {}
    is_dark = contrast(report.one("body").value_of_css_property("background-color"), "rgb(0, 0, 0)") < 2
    assert is_dark == (scheme == "dark")


def test_a_phone_scrolls_tables_but_not_the_page(report):
    report.look(390, "light")
    widths = "return [document.documentElement.scrollWidth, innerWidth]"
    report.open("sweep-laptop-supcon-5")
    report.opened()
    assert report.browser.execute_script(widths) == [390, 390]
    body = "const b = document.querySelector('.dialog-body'); return [b.scrollWidth, b.clientWidth]"
    inner, outer = report.browser.execute_script(body)
    assert inner <= outer
    report.open()
    assert report.browser.execute_script(widths) == [390, 390]
    assert not report.one("nav ul").is_displayed()


def test_a_card_opens_what_was_seen_and_leads_to_the_cells(report):
    card = report.one(".card")
    field = card.find_element(By.CSS_SELECTOR, "dd")
    assert not field.is_displayed()
    card.find_element(By.CSS_SELECTOR, "summary").click()
    assert field.is_displayed()
    names = [element.text for element in card.find_elements(By.CSS_SELECTOR, "dt")]
    assert names == ["the paper", "seen here", "verdict", "where"]
    card.find_element(By.CSS_SELECTOR, ".number").click()
    assert report.opened() == card.find_element(By.CSS_SELECTOR, ".claim").text


CUT = """
    for (const folded of document.querySelectorAll("main details")) folded.open = true;
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done([
      document.documentElement.scrollWidth,
      [...document.querySelectorAll(".scroll")].filter((frame) => frame.scrollWidth > frame.clientWidth + 1
        || frame.getBoundingClientRect().right > innerWidth).map((frame) => frame.getAttribute("aria-label")),
      document.querySelectorAll(".scroll").length]))));"""


@pytest.mark.parametrize("width", [390, 1300, 1920])
def test_no_table_is_cut_off(report, width):
    """Whatever is folded is unfolded first."""
    report.look(width, "light")
    report.open()
    whole, cut, tables = report.browser.execute_script(CUT)
    assert whole <= width
    assert cut == []
    assert tables > 5


def test_entries_of_a_stacked_table_say_what_they_are(report):
    report.look(390, "light")
    report.open()
    frame = report.one("#sweep-laptop .scroll.stacked")
    head = [
        heading.get_attribute("textContent") for heading in frame.find_elements(By.CSS_SELECTOR, "thead th")
    ]
    row = frame.find_elements(By.CSS_SELECTOR, "tbody tr")[0]
    entries = row.find_elements(By.CSS_SELECTOR, "th, td")
    assert [entry.get_attribute("data-label") for entry in entries] == head
    tops = [entry.rect["y"] for entry in entries]
    assert tops == sorted(set(tops))  # One below the other.


def test_the_published_report_opens(bench, chromium, tmp_path):
    assert bench("report", "--html").out == "wrote results/report.html\n"
    target = tmp_path / "results" / "report.html"
    assert target.stat().st_size < 3_000_000
    published = [one for found in published_records(Suite(ROOT)).values() for one in found]
    assert data_of(target.read_text())["cells"].keys() <= {one.cell.id for one in published}
    chromium.get_log("browser")
    shown = Page(chromium, target.as_uri())
    shown.look(1300, "light")
    # What a reader has before scrolling: the answer, and the six most important claims with their verdicts.
    for element in [shown.one(".answer"), *shown.all(".card .chip")[:6]]:
        assert element.is_displayed()
        assert element.rect["y"] + element.rect["height"] <= 800
    for width in (390, 1300, 1920):
        shown.look(width, "light")
        shown.open()
        whole, cut, _ = chromium.execute_script(CUT)
        assert whole <= width
        assert cut == []
    shown.look(1300, "light")
    shown.open()
    shown.one("#table7-laptop .number").click()
    assert shown.opened() == "CLOP, orthonormal prototypes"
    assert len(shown.all("#cells .chart path.curve")) == 10
    assert chromium.get_log("browser") == []
