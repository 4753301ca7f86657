"""`--method NAME --against NAME`: a comparison of one's own, judged like a declared claim."""

import json

import pytest
from checkout import ROOT, suite_of
from scipy import stats
from synthetic import record

from clopbench.results.records import Store
from clopbench.suite.hypotheses import OWN, hypotheses
from clopbench.suite.suite import Suite

SEEDS = range(8)
# What a seed adds to all rows, and what the added method has beyond that.
SHARED = (0.0, 0.01, -0.01, 0.02, -0.02, 0.015, -0.005, 0.03)
GAINS = (0.01, 0.012, 0.02, 0.008, 0.015, 0.011, 0.018, 0.009)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Records of table7 with a row for vicreg, which is better than the others in every seed."""
    monkeypatch.setenv("BENCH_SUITE", str(suite_of(tmp_path / "suite", "table7").root))
    benchmark = Suite.locate().benchmark("table7", extra_methods=["vicreg"])
    store = Store(tmp_path / "results")
    for entry in benchmark.entries:
        for seed in SEEDS:
            gain = GAINS[seed] if "vicreg" in entry.coordinates.values() else 0.0
            store.write(record(entry.cell(seed), 0.8 + SHARED[seed] + gain))
    return store.root


def shown(bench, folder, *words):
    done = bench("show", "table7", "--method", "vicreg", *words, "--results", folder, "--json")
    assert done.code == 0, done.err
    [table] = json.loads(done.out)
    return [claim for claim in table["claims"] if OWN in claim["claim"]], table


def test_a_row_is_compared_seed_by_seed_and_judged_with_the_claims_of_its_table(bench, folder):
    [claim], table = shown(bench, folder, "--against", "random")
    assert claim["claim"] == f"vicreg beats CLOP, random prototypes ({OWN})"
    numbers = claim["numbers"]
    low, high = stats.ttest_1samp(GAINS, 0).confidence_interval()
    assert (numbers["n"], numbers["in_favour"]) == (8, 8)
    assert [numbers[key] for key in ("estimate", "low", "high")] == pytest.approx([sum(GAINS) / 8, low, high])
    # All eight signs alike, two-sided, of 2⁸ flips; with it are corrected the table's own two claims.
    assert numbers["p"] == pytest.approx(2 / 2**8)
    assert numbers["adjusted_p"] >= numbers["p"]
    assert table["family"] == sum(one["numbers"]["p"] is not None for one in table["claims"]) >= 2
    assert claim["verdict"].startswith("supported")


def test_a_method_stands_for_all_its_rows(bench, folder):
    claims, _ = shown(bench, folder, "--against", "clop")
    assert [claim["claim"].removesuffix(f" ({OWN})") for claim in claims] == [
        "vicreg beats CLOP, orthonormal prototypes",
        "vicreg beats CLOP, random prototypes",
    ]
    # Named twice, as a row and by its method, it is one hypothesis and not two of a family.
    assert len(shown(bench, folder, "--against", "clop", "--against", "random")[0]) == 2


def test_power_says_what_a_hypothesis_needs(bench, folder):
    words = ("--method", "vicreg", "--against", "random", "--results", folder, "--json")
    found = json.loads(bench("power", "table7", *words).out)
    assert [one["seeds"] for one in found["claims"] if OWN in one["text"]] == [8]


def test_each_point_of_another_axis_is_a_hypothesis(suite):
    benchmark = suite.benchmark("label_fraction", extra_methods=["vicreg"])
    fractions = benchmark.declared_axes["label_fraction"]
    found = hypotheses(benchmark, ["vicreg"], ["clop_supcon"], {})
    sides = [claim.model_dump() for claim in found]
    assert [claim["better"] for claim in sides] == [
        {"method": ["vicreg"], "label_fraction": [one]} for one in fractions
    ]
    assert [claim["than"] for claim in sides] == [
        {"method": ["clop_supcon"], "label_fraction": [one]} for one in fractions
    ]
    assert found[0].text == f"vicreg beats clop_supcon at label fraction {fractions[0]} ({OWN})"
    # clop has two rows there.
    assert len(hypotheses(benchmark, ["vicreg"], ["clop"], {})) == 2 * len(fractions)


def test_added_methods_may_be_set_against_each_other(suite):
    benchmark = suite.benchmark("table7", extra_methods=["vicreg", "simclr"])
    [found] = hypotheses(benchmark, ["vicreg", "simclr"], ["vicreg"], {})
    claim = found.model_dump()
    assert (claim["better"], claim["than"]) == ({"prototypes": ["simclr"]}, {"prototypes": ["vicreg"]})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["table7", "--against", "clop"], "--against: says what the row of --method NAME is compared with"),
        (
            ["table7", "--method", "vicreg", "--against", "clpo"],
            "--against: table7: unknown row 'clpo': did you mean 'clop'?",
        ),
        (["table7", "--method", "vicreg", "--against", "vicreg"], "unknown row 'vicreg'"),
        (["rivals", "--method", "vicreg"], "--method: this benchmark's axis method has a row 'vicreg' already"),
        (["table7", "--method", "vicregg"], "; looked in "),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_before_anything_is_written(bench, tmp_path, words, message):
    done = bench("run", *words)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


METHOD = '''"""Alignment."""
from clopbench.contrastive import normalised
from clopbench.method import Embedded, Method
class Theirs(Method):
    name, version = "{name}", 1
    def __init__(self, dim: int, num_classes: int, *, generator):
        super().__init__()
    def loss(self, batch: Embedded):
        first, second = normalised(batch.z_VBD)
        return {{"total": (first - second).square().sum(-1).mean()}}
'''


def test_folders_of_methods_come_from_the_environment_too(bench, tmp_path, monkeypatch):
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
        (folder / f"{folder.name}_one.py").write_text(METHOD.format(name=f"{folder.name}_one"))
    monkeypatch.setenv("BENCH_METHODS_DIR", f"{folders[0]}:{folders[1]}:")
    found = Suite.locate(methods_dirs=[folders[2], folders[0]])
    assert {"first_one", "second_one", "third_one", "clop"} <= set(found.plugins.names())
    assert found.method_folders == [ROOT / "methods", folders[2], folders[0], folders[1]]
    done = bench("plan", "table7", "--method", "first_on", "--seeds", "1")
    looked = f"; looked in {ROOT / 'methods'}, {folders[0]}, {folders[1]} and in installed packages\n"
    assert done.code == 2
    assert "unknown method 'first_on': did you mean 'first_one'?" in done.err
    assert done.err.endswith(looked)
    monkeypatch.setenv("BENCH_METHODS_DIR", "nowhere")
    assert bench("plan", "table7").err == "error: $BENCH_METHODS_DIR: no folder nowhere\n"
