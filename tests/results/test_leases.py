"""Leases: one holder at a time, stale ones are taken over by exactly one."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from code_read import PACKAGE, modules

from clopbench.results import leases


def test_a_lease_is_exclusive_and_goes_away(tmp_path):
    held = leases.acquire(tmp_path)
    assert held is not None
    with held:
        assert leases.acquire(tmp_path) is None
        held.report(epoch=3, epochs=10)
        lease = leases.current(tmp_path)
        assert lease is not None
        assert not lease.stale
        assert lease.holder["epoch"] == 3
        assert held.in_force
    assert leases.current(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_claim_is_a_sentence_of_the_paper_and_never_a_lock():
    of_the_paper = {"suite", "report", "statistics", "cli"}
    found = [path.relative_to(PACKAGE) for path in modules() if "claim" in path.read_text().lower()]
    # Looks at the paper's claims are kept beside the records.
    looks = {Path("results/looks.py"), Path("results/importing.py")}
    assert {path.parts[0] for path in found if path not in looks} == of_the_paper
    assert looks <= set(found)


def test_a_reader_always_sees_a_whole_report(tmp_path):
    """While the holder reports as fast as it can, shorter and longer ones."""
    held = leases.acquire(tmp_path)
    assert held is not None
    ended = threading.Event()

    def write() -> None:
        for number in range(2000):
            held.report(epoch=number, words="x" * (number * 37 % 100))
        ended.set()

    with held:
        held.report(epoch=0)
        writer = threading.Thread(target=write)
        writer.start()
        seen = []
        while not ended.is_set():
            lease = leases.current(tmp_path)
            assert lease is not None
            seen.append(lease.holder["epoch"])
        writer.join()
    assert seen == sorted(seen)


def test_heartbeat_touches_the_lease(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.05)
    held = leases.acquire(tmp_path)
    assert held is not None
    os.utime(held.path, (1, 1))
    with held:
        deadline = time.monotonic() + 5
        while held.path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert held.path.stat().st_mtime > 1


def test_lease_of_another_host_is_stale_only_when_old(tmp_path):
    path = tmp_path / "lease.1"
    path.write_text('{"host": "elsewhere", "pid": 1, "started": "0"}')
    assert leases.acquire(tmp_path) is None
    old = time.time() - leases.STALE_SECONDS - 5
    os.utime(path, (old, old))
    held = leases.acquire(tmp_path)
    assert held is not None
    assert held.path.name == "lease.2"
    assert held.in_force


def test_lease_that_is_just_being_written_is_respected(tmp_path):
    (tmp_path / "lease.1").touch()
    assert leases.acquire(tmp_path) is None


def test_lease_of_a_dead_process_is_taken_over_at_once(tmp_path, environment):
    script = (
        "import sys, pathlib, os, signal; from clopbench.results import leases;"
        "leases.acquire(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=False)
    assert [path.name for path in tmp_path.iterdir()] == ["lease.1"]
    held = leases.acquire(tmp_path)
    assert held is not None
    with held:
        pass
    assert list(tmp_path.iterdir()) == []


def test_holder_notices_that_it_was_taken_over_and_leaves_the_new_lease_alone(tmp_path):
    held = leases.acquire(tmp_path)
    assert held is not None
    with held:
        (tmp_path / "lease.2").write_text('{"host": "elsewhere"}')
        assert not held.in_force
    assert [path.name for path in tmp_path.iterdir()] == ["lease.2"]


def _race(folder, barrier, winners):
    barrier.wait()
    held = leases.acquire(folder)
    if held is not None:
        winners.put(os.getpid())
        time.sleep(0.3)


@pytest.mark.parametrize("stale", [False, True])
def test_of_many_takers_one_wins(tmp_path, stale):
    if stale:
        path = tmp_path / "lease.7"
        path.write_text('{"host": "elsewhere"}')
        os.utime(path, (1, 1))
    context = multiprocessing.get_context("forkserver")
    barrier, winners = context.Barrier(6), context.Queue()
    takers = [context.Process(target=_race, args=(tmp_path, barrier, winners)) for _ in range(6)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert winners.get(timeout=5)
    assert winners.empty()
    assert (tmp_path / ("lease.8" if stale else "lease.1")).exists()
