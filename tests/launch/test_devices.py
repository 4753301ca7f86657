"""Cells and GPUs: who gets which, tried with real processes and without any GPU."""

from pathlib import Path

import half_broken
import pytest
import torch
from checkout import QUICK, some

from clopbench.launch import devices, taking, worker
from clopbench.launch.devices import slots, visible_gpus
from clopbench.launch.local import LocalLauncher
from clopbench.launch.run_cell import run_cell, train_along
from clopbench.results.index import scan
from clopbench.results.plan import make_plan
from clopbench.results.records import Store
from clopbench.suite import overrides
from clopbench.suite.declarations import LaunchConfig
from clopbench.training.assembly import Hooks
from clopbench.training.stop import StopRequest

LISTING = """\
GPU 0: NVIDIA H200 (UUID: GPU-1)
  MIG 3g.71gb     Device  0: (UUID: MIG-1)
GPU 1: NVIDIA H200 (UUID: GPU-2)
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """A program of that name on the path that lists two GPUs."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{LISTING}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_are_those_that_the_driver_lists(nvidia_smi, monkeypatch):
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-7")
    assert visible_gpus() == ["3", "GPU-7"]
    for nothing in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        assert visible_gpus() == []


def test_slots(nvidia_smi, monkeypatch):
    assert slots("auto", None, 1, 4) == ["0", "1"]
    assert slots("auto", None, 3, 4) == ["0", "1", "0", "1", "0", "1"]
    assert slots("cuda", 1, 3, 4) == ["0"]
    monkeypatch.setattr(devices, "_cores", lambda: 10)
    assert slots("cpu", None, 3, 4) == [None, None]
    assert slots("cpu", None, 1, 40) == [None]
    assert slots("cpu", 5, 1, 1) == [None] * 5


def test_cuda_without_a_gpu_is_refused(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = bench("run", "table7", "--seeds", "1", "--device", "cuda")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--device cuda: no GPU is visible" in done.err


def failures(results: Path) -> list[tuple[str, str]]:
    """Class and message of each failed cell."""
    entries = scan(Store(results)).values()
    found = [entry.content["failure"] for entry in entries if entry.status == "failed"]
    return [(failure["class"], failure["message"]) for failure in found]


DRIVER = "RuntimeError: Found no NVIDIA driver on your system."
"""What torch says on a machine without one."""


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there, and works")
def test_a_device_that_does_not_start_is_recorded_with_the_drivers_words_and_not_tried_again(
    bench, monkeypatch
):
    """Two GPUs that nobody has: each is given to one cell, and to no other."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    done = bench("run", "table7", "--seeds", "50", "--device", "cuda", *QUICK)
    assert done.code == 1
    found = failures(Path("results"))
    assert len(found) == 100
    assert {kind for kind, _ in found} == {"device"}
    tried = sorted(message for _, message in found if not message.startswith("not begun: "))
    assert [message[: len(f"GPU 6 does not start: {DRIVER}")] for message in tried] == [
        f"GPU 6 does not start: {DRIVER}",
        f"GPU 7 does not start: {DRIVER}",
    ]
    assert {message.removeprefix("not begun: ") for _, message in found} == set(tried)
    assert len(list(Path("results").glob("??/*/run.log"))) == 2
    assert "98 more cells: not begun: GPU " in done.out
    assert "100 of 100 cells have no result" in done.out
    record = scan(Store(Path("results"))).popitem()[1].content
    assert {"commit", "engine", "scale"} <= record["provenance"].keys()


def test_cells_go_on_where_a_device_works(tmp_path, monkeypatch, suite):
    """GPU 0 is this machine's CPU, GPU 1 does not start: one cell finds that out."""
    monkeypatch.setattr(worker, "work", half_broken.work)
    values = overrides.parse(QUICK)[0]
    store = Store(tmp_path / "results")
    plan = make_plan([suite.benchmark("table7", overrides=values)], range(3), store)
    launcher = LocalLauncher(store, suite.method_folders, ["0", "1"], "cuda", {})
    outcome = launcher.run(plan.to_run, half_broken.Silent())
    assert (outcome.results, len(outcome.failed), len(outcome.not_begun), outcome.remaining) == (5, 1, 0, 0)
    assert [kind for kind, _ in failures(store.root)] == ["device"]


STARTS = {
    "no driver": (
        RuntimeError("Found no NVIDIA driver on your system."),
        "device",
        "GPU 0 does not start: RuntimeError: Found no",
    ),
    "not built for it": (
        AssertionError("Torch not compiled with CUDA enabled"),
        "device",
        "GPU 0 does not start: AssertionError: Torch",
    ),
    "too old": (
        RuntimeError("The NVIDIA driver on your system is too old\nmore"),
        "device",
        "GPU 0 does not start: RuntimeError: The NVIDIA driver on your system is too old",
    ),
    "taken": (
        RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nmore"),
        "device",
        "GPU 0 does not start: RuntimeError: CUDA error: all",
    ),
    "no room for an array": (
        torch.OutOfMemoryError("CUDA out of memory."),
        "out_of_memory",
        "OutOfMemoryError: CUDA out of memory.",
    ),
    "no room for the driver": (
        RuntimeError("CUDA error: out of memory\nmore"),
        "out_of_memory",
        "OutOfMemoryError: RuntimeError: CUDA error: out of memory",
    ),
}


@pytest.mark.parametrize("case", STARTS)
def test_what_the_driver_says_decides_the_class(monkeypatch, tmp_path, cell, plugins, case):
    error, kind, words = STARTS[case]

    def zeros(*_, **__):
        raise error

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(torch, "zeros", zeros)
    hooks = Hooks(lambda row, trainer: None, tmp_path / "checkpoint.pt", LaunchConfig(), StopRequest())
    failure = some(run_cell(cell, plugins, torch.device("cuda"), hooks).failure)
    assert failure["class"] == kind
    assert failure["message"].startswith(words)
    assert "\n" not in failure["message"]
    along = some(train_along(cell, plugins, torch.device("cuda"), hooks))
    assert (along["class"], along["message"]) == (kind, failure["message"])


# What nvidia-smi lists, what torch says of each, why it sees none → device, GPUs and words of the headline.
TAKES = {
    "all work": (["0", "1"], [None, None], None, "cuda", ("0", "1"), "GPU 0, 1"),
    "one works": (
        ["0", "1"],
        ["RuntimeError: CUDA error: uncorrectable ECC error encountered", None],
        None,
        "cuda",
        ("1",),
        "GPU 1; not GPU 0, which does not work: RuntimeError: CUDA error: uncorrectable ECC error encountered",
    ),
    "none works": (["0", "1"], ["E: x", "E: y"], None, "cpu", (), "the CPU, as GPU 0, 1 does not work: E: x"),
    "torch sees none": (
        ["0"],
        [],
        "RuntimeError: too old",
        "cpu",
        (),
        "the CPU, as GPU 0 does not work: RuntimeError: too old",
    ),
    "torch sees fewer": (
        ["0", "9"],
        [None],
        None,
        "cuda",
        ("0",),
        "GPU 0; not GPU 9, which does not work: torch does not see it",
    ),
    "nvidia-smi is not there": ([], [None, None], None, "cuda", ("0", "1"), "GPU 0, 1"),
    "nothing works": (
        [],
        [],
        "RuntimeError: no driver",
        "cpu",
        (),
        "the CPU, as no GPU works: RuntimeError: no driver",
    ),
}


@pytest.fixture
def device_file(tmp_path, monkeypatch):
    """A file system with a driver's device file, and no program of the driver."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


@pytest.mark.parametrize("case", TAKES)
def test_auto_takes_what_works_and_says_why_not(monkeypatch, device_file, case):
    listed, devices_, problem, *expected = TAKES[case]
    monkeypatch.setattr(taking, "visible_gpus", lambda: listed)
    monkeypatch.setattr(taking, "ask_torch", lambda: {"devices": devices_, "problem": problem})
    taken = taking.take(device_file)
    assert [taken.device, taken.gpus, taken.words] == expected


def test_nobody_asks_torch_where_nothing_looks_like_a_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(taking, "ask_torch", lambda: 1 / 0)
    assert taking.take(tmp_path).words == "the CPU, as there is no GPU"
    for sign in ("dev/nvidiactl", "proc/driver/nvidia", "dev/nvidia3"):
        (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / sign).touch()
        with pytest.raises(ZeroDivisionError):
            taking.take(tmp_path)
        (tmp_path / sign).unlink()


def test_a_hidden_gpu_is_not_asked_for(monkeypatch, device_file):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setattr(taking, "ask_torch", lambda: 1 / 0)
    assert taking.take(device_file).words == "the CPU, as CUDA_VISIBLE_DEVICES names no GPU"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there, and works")
def test_the_headline_says_why_the_cpu_was_taken(bench, monkeypatch, tmp_path, nvidia_smi):
    """By the real torch, for GPUs that CUDA_VISIBLE_DEVICES or nvidia-smi speak of and that are not there."""
    for set_up, gpus in (
        (lambda: None, "0, 1"),
        (lambda: monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5"), "5"),
    ):
        set_up()
        out = bench("plan", "table7", "--seeds", "1", *QUICK).out
        assert f"device auto: the CPU, as GPU {gpus} does not work: {DRIVER}" in out
        assert "device auto" not in bench("plan", "table7", "--device", "cpu").out
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    out = bench("plan", "table7", "--seeds", "1").out
    assert "device auto: the CPU, as no GPU works: nvidia-smi: NVIDIA-SMI has failed\n" in out
    refused = bench("run", "table7", "--device", "cuda")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert (
        "no GPU is visible (nvidia-smi, CUDA_VISIBLE_DEVICES): no GPU works: nvidia-smi: NVIDIA-SMI"
        in refused.err
    )


def test_a_torch_that_dies_or_hangs_is_told_apart(monkeypatch):
    monkeypatch.setattr(taking, "PROBE", "import sys; sys.exit('libcuda: wrong')")
    assert taking.ask_torch()["problem"] == "torch ended while it started it (libcuda: wrong)"
    monkeypatch.setattr(taking, "PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(taking, "PROBE_SECONDS", 0.2)
    assert taking.ask_torch()["problem"] == "torch has not started it within 0 s"
