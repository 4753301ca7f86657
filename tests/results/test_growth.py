"""Nothing that looks at records or cells takes time that grows faster than their number.

Calls of functions are counted, not seconds: the count is the same on every machine, busy or idle. Twice as many
cells again must add twice as many calls; work that compares each with each would add four times as many.
"""

import cProfile
import time
from collections.abc import Callable

import pytest
from checkout import QUICK, suite_of
from cluster import SUBMIT, state
from lab import Lab
from synthetic import record

from clopbench.results.records import Store

COUNTS = (30, 60, 120)
SLACK = 10_000
"""A search for the number of seeds that a claim needs takes some thousand calls more or less."""
HELD = "slurm_additional_parameters={hold:true}"


def calls(work: Callable[[], object]) -> int:
    """How many functions were called, Python's own included."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())


def assert_linear(counted: list[int]) -> None:
    first, second = counted[1] - counted[0], counted[2] - counted[1]
    assert first > COUNTS[0], "the work does not grow at all: it is not the work that was meant"
    assert second < 2.5 * first + SLACK, counted


@pytest.fixture
def grow(suite, tmp_path) -> Callable[[int], None]:
    """Adds records of table 7, of both rows, up to a number of seeds."""
    store, done = Store(tmp_path / "results"), set()
    entries = suite.benchmark("table7").entries

    def add(seeds: int) -> None:
        for seed in set(range(seeds)) - done:
            for number, entry in enumerate(entries):
                store.write(record(entry.cell(seed), 0.9 + 0.01 * number + 0.001 * (seed % 7)))
            done.add(seed)

    return add


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "table7", "--json", "--seeds"),
        # Each cell is missing, and each record differs from one of them in one field.
        ("plan", "table7", "training.epochs=3", "--explain", "--seeds"),
        ("report", "--local", "--out", "out"),
    ],
    ids=" ".join,
)
def test_reading_records(bench, grow, tmp_path, monkeypatch, command):
    monkeypatch.setenv("BENCH_SUITE", str(suite_of(tmp_path / "suite", "table7").root))
    bench("plan", "table7")  # Imports are not counted.
    counted = []
    for seeds in COUNTS:
        grow(seeds)
        words = [*command, str(seeds)] if command[-1] == "--seeds" else command
        assert bench(*words).code == 0  # Writes the index.
        counted.append(calls(lambda words=words: bench(*words)))
    assert_linear(counted)


def test_submission_and_status(bench, lab: Lab):
    """Half of each submission is in the queue already, or was; in the end all of it is cancelled."""
    submit = [*SUBMIT, *QUICK, HELD]
    assert bench(*submit, "--seeds", "1").code == 0
    submitted, seen, cancelled = [], [], []
    for seeds in COUNTS:
        submitted.append(calls(lambda seeds=seeds: bench(*submit, "--seeds", str(seeds))))
        assert state(bench)["queued"] == 2 * seeds
        seen.append(calls(lambda: bench("status")))
    assert_linear(submitted)
    assert_linear(seen)
    for seeds in COUNTS:
        only = ["--results", f"cancelled-{seeds}"]
        assert bench(*submit, "--seeds", str(seeds), *only).code == 0
        assert bench("cancel", *only).code == 0
        assert state(bench, *only)["cancelled"] == 2 * seeds
        cancelled.append(calls(lambda only=only: bench("status", *only)))
    assert_linear(cancelled)


@pytest.mark.slow
def test_status_of_2000_cells_takes_less_than_two_seconds(bench, lab: Lab, suite, tmp_path):
    """A quarter is done, the rest waits. CPU time, since the tests' machine may be doing other things."""
    assert bench(*SUBMIT, "--seeds", "1000", HELD).code == 0
    store, entries = Store(tmp_path / "results"), suite.benchmark("table7").entries
    for seed in range(250):
        for entry in entries:
            store.write(record(entry.cell(seed)))
    bench("status")
    begun = time.process_time()
    done = bench("status")
    seconds = time.process_time() - begun
    assert done.out.startswith("table7: 2000 cells: 500 done, 1500 queued")
    assert seconds < 2
