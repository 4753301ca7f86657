"""What is written of a worker without a record: its class and words, by hand for each way to end."""

import pytest

from clopbench.launch import outcomes
from clopbench.launch.messages import End, Ending
from clopbench.launch.outcomes import TRACEBACK_LINES, DeviceFailed, Log, failure_of, failure_of_error
from clopbench.training.place import PeerLost

OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})
"""As torch's is named."""


@pytest.mark.parametrize(
    ("end", "kills", "kind", "words"),
    [
        (End(Ending.DIED, -9), 1, "out_of_memory", "the worker was killed for memory (control group's limit)"),
        (End(Ending.DIED, -9), 0, "killed", "the worker was killed by SIGKILL"),
        (End(Ending.DIED, -15), 1, "killed", "the worker was killed by SIGTERM"),
        (End(Ending.DIED, -40), 0, "killed", "the worker was killed by signal 40"),
        (End(Ending.DIED, 255), 0, "killed", "the worker ended with status 255, or its fork server was killed"),
        (End(Ending.DIED, 0), 0, "error", "the worker ended with status 0 and no record"),
        (End(Ending.DIED, 1), 1, "error", "the worker ended with status 1"),
        (End(Ending.RECORDED, 0), 0, "error", "the worker said that it was done, and there is no record"),
        (End(Ending.LEFT, -9), 1, "killed", "the worker was asked to stop; run again"),
    ],
)
def test_class_and_words_of_an_end(end, kills, kind, words):
    found = failure_of(end, memory_kills=kills)
    assert (found["class"], found["message"]) == (kind, words)


def test_what_a_worker_has_said_counts_before_its_status():
    said = {"class": "node", "message": "gone", "traceback": ""}
    assert failure_of(End(Ending.FAILED, -9, said), memory_kills=1) == said


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (PeerLost("rank 1"), "node", "PeerLost: rank 1"),
        (DeviceFailed("no driver"), "device", "no driver"),
        (MemoryError("much"), "out_of_memory", "MemoryError: much"),
        (OutOfMemoryError("too large"), "out_of_memory", "OutOfMemoryError: too large"),
        (ValueError("odd"), "error", "ValueError: odd"),
        (SystemExit(3), "error", "the cell's own code ended its process (SystemExit: 3)"),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, BaseException) else None,
)
def test_class_and_words_of_an_error(error, kind, words):
    found = failure_of_error(error)
    assert (found["class"], found["message"]) == (kind, words)


def test_last_words_are_those_of_this_try_without_our_own_lines(tmp_path):
    path = tmp_path / "run.log"
    path.write_text("of the try before\n")
    log = Log(path)
    assert log.words() == []
    theirs = [f"their line {number}" for number in range(TRACEBACK_LINES + 3)]
    ours = ["epoch 1  loss_total 2", "resuming at epoch 2", "2026-01-02 03:04:05 start"]
    with path.open("a") as file:
        file.write("\n".join([*theirs, "", *ours, ""]))
    assert log.words() == theirs[3:]
    found = failure_of(End(Ending.DIED, 1), log)
    assert found["message"] == f"the worker ended with status 1: {theirs[-1]}"
    assert found["traceback"].splitlines() == theirs[3:]
    assert Log(tmp_path / "missing.log").words() == []


def events(folder, file, kills):
    folder.mkdir(parents=True)
    (folder / file).write_text(f"low 7\noom 5\noom_kill {kills}\n")


@pytest.mark.parametrize(
    ("groups", "kills"),
    [
        ("0::/job\n", 3),
        ("9:cpu,memory:/job\n8:cpuset:/other\n", 4),
        ("9:memory:/job\n0::/job\n", 7),
        ("8:cpuset:/job\n", 0),
        ("0::/gone\n", 0),
        ("no such line\n", 0),
    ],
)
def test_kills_for_memory_are_those_of_the_control_group_in_both_versions(tmp_path, monkeypatch, groups, kills):
    """The kernel's files, with 3 kills in the second version's group and 4 in the first's."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    events(tmp_path / "sys/fs/cgroup/job", "memory.events", 3)
    events(tmp_path / "sys/fs/cgroup/memory/job", "memory.oom_control", 4)
    monkeypatch.setattr(outcomes, "Path", lambda path: tmp_path / path.lstrip("/"))
    assert outcomes.memory_kills() == kills
