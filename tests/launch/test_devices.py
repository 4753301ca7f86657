"""Cells and GPUs: who gets which, tried with real processes and without any GPU."""

from pathlib import Path

import pytest
from checkout import QUICK

from clopbench.launch import devices
from clopbench.launch.devices import slots, visible_gpus

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


METHOD = '''
"""Says which GPU it was given."""
import os, torch
from clopbench.contrastive import info_nce
from clopbench.method import Method

class Telling(Method):
    name, version = "telling", 1

    def __init__(self, dim: int, num_classes: int, *, generator: torch.Generator):
        super().__init__()
        print("given GPU", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)

    def loss(self, batch):
        return {"total": info_nce(batch.z_VBD, 0.2)}
'''


def test_each_worker_sees_one_gpu(bench, tmp_path, monkeypatch):
    """Two (made-up) GPUs: each cell is shown one of them; torch finds neither and trains on the CPU."""
    (tmp_path / "telling.py").write_text(METHOD)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    arguments = ["--seeds", "4", "--method", "telling", "--only", "prototypes=random", *QUICK]
    done = bench("run", "table7", "--methods-dir", tmp_path, *arguments)
    assert done.code == 0
    assert "with 2 workers" in done.out
    logs = [path.read_text() for path in Path("results").glob("??/*/run.log")]
    given = [line.split()[-1] for log in logs for line in log.splitlines() if line.startswith("given GPU")]
    assert len(given) == 4
    assert set(given) <= {"6", "7"}
