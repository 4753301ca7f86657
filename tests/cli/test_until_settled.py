"""`bench run --until settled`: looks declared beforehand, and what is said at each."""

import json

import pytest
from synthetic import record

from clopbench.cli.until_settled import seconds
from clopbench.errors import UserError
from clopbench.results.looks import NAME
from clopbench.results.records import Store


@pytest.fixture
def recorded(tmp_path, suite):
    """A results folder in which Table 7 is there with 40 seeds: no cell is left to train."""
    store = Store(tmp_path / "results")
    orthonormal, random = suite.benchmark("table7", "laptop").entries
    for seed in range(40):
        store.write(record(orthonormal.cell(seed), 0.83 + 0.001 * (seed % 3)))
        # Lower but in every fifth seed, and much wider, so that neither claim is open for ever.
        store.write(record(random.cell(seed), 0.8 + 0.015 * (seed % 5 - 2)))
    return store.root


def lines(done, start):
    return [line for line in done.out.splitlines() if line.startswith(start)]


def test_looks_are_taken_until_the_last_and_noted(bench, tmp_path, suite):
    """Both rows come to the same, one seed up and one down: nothing is settled."""
    store = Store(tmp_path / "results")
    for place, entry in enumerate(suite.benchmark("table7", "laptop").entries):
        for seed in range(12):
            store.write(record(entry.cell(seed), 0.8 + 0.01 * ((seed + place) % 2)))
    recorded = store.root
    done = bench("run", "table7", "--until", "settled", "--max-seeds", "12", "--results", recorded)
    assert done.code == 0
    assert lines(done, "looks at") == [
        "looks at 5, 10, 12 seeds, which share the 5 %; the first that settles all is the last"
    ]
    assert [line.partition(":")[0] for line in lines(done, "look at")] == [
        "look at 5 seeds", "look at 10 seeds", "look at 12 seeds",
    ]  # fmt: skip
    assert lines(done, "the next look, at 10 seeds: 0 cells, about 0.0 min")
    assert done.out.count("Table 7:") == 1  # The tables come once, at the end.
    # At five seeds nothing can be decided, so that is none to speak of.
    assert "declared look 2 (seeds: 10, 12)" in " ".join(done.out.split())
    noted = [json.loads(line) for line in (recorded / NAME).read_text(encoding="utf-8").splitlines()]
    assert [(look["declared"], set(look["claims"].values())) for look in noted] == [
        ([5, 10, 12], {"0-9"}), ([5, 10, 12], {"0-11"}),
    ]  # fmt: skip


def test_it_ends_when_all_is_settled_and_says_what_was_decided(bench, recorded):
    done = bench("run", "table7", "--until", "settled", "--results", recorded)
    assert done.code == 0
    counts = [line.partition(": ")[2] for line in lines(done, "look at")]
    assert counts[0] == "2 undecided"
    assert "undecided" not in counts[-1]
    assert len(counts) < 8
    assert lines(done, "  supported: Orthonormal prototypes have the smaller spread over seeds")
    assert lines(done, "  supported: Orthonormal prototypes beat random ones")
    again = bench("show", "table7", "--results", recorded, "--seeds", "10")
    assert "declared look" in again.out


def test_a_budget_is_kept_and_said(bench, tmp_path, suite):
    """Ten cells are missing for the second look, and none can be trained in a second."""
    store = Store(tmp_path / "results")
    for entry in suite.benchmark("table7", "laptop").entries:
        for seed in range(5):
            store.write(record(entry.cell(seed)))
    done = bench("run", "table7", "--until", "settled", "--budget", "1s", "--results", store.root)
    assert done.code == 0
    assert lines(done, "the next look, at 10 seeds: 10 cells, about ")
    assert lines(done, "not taken: ")
    assert [line.partition(":")[0] for line in lines(done, "look at")] == ["look at 5 seeds"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--until", "setled"], "error: --until: unknown end 'setled': did you mean 'settled'?"),
        (["--until", "settled", "--seeds", "10"], "error: --seeds: --until settled adds seeds look by look"),
        (
            ["--until", "settled", "--only", "prototypes=random"],
            "error: --only: cannot go with --until settled",
        ),
        (["--until", "settled", "--method", "supcon"], "error: --method: cannot go with --until settled"),
        (
            ["--until", "settled", "training.epochs=1"],
            "error: training.epochs=1: cannot go with --until settled",
        ),
        (["--until", "settled", "--budget", "soon"], "error: --budget: a time such as 2h, 90m or 1h30m"),
        (["--until", "settled", "--budget", "0m"], "error: --budget: more than nothing"),
        (["--budget", "2h"], "error: --budget: is for --until settled"),
        (["--max-seeds", "20"], "error: --max-seeds: is for --until settled"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(bench, tmp_path, words, message):
    done = bench("run", "table7", *words, "--results", tmp_path / "results")
    assert done.code == 2
    assert [line.startswith(message) for line in done.err.splitlines()] == [True]
    assert not (tmp_path / "results").exists()


def test_times_by_hand():
    assert [seconds(text) for text in ("90s", "90m", "1h30m", "0.5h", "2d", "10min")] == [
        90, 5400, 5400, 1800, 172800, 600,
    ]  # fmt: skip
    assert seconds(None) is None
    for text in ("", "h", "5", "1h 30m", "-1h", "1h30"):
        with pytest.raises(UserError, match="--budget: a time such as"):
            seconds(text)
