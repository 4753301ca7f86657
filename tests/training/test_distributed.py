"""Cells on several devices: the numbers of one process, and a clean end whatever dies. With real ranks."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from checkout import QUICK
from code_read import imports, modules
from runs import digests, leftovers, wait_until
from together import (
    METHODS,
    all_gradients,
    cell_for,
    disagreeing,
    gradients,
    norm_cases,
    normalised_inputs,
    run_together,
    shared_bytes,
    trained,
)

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.launch.devices import slots
from clopbench.launch.messages import End, Ending
from clopbench.launch.ranks import cause
from clopbench.results import leases
from clopbench.results.index import scan
from clopbench.results.records import Store

ONE = ["run", "table7", "--seeds", "1", "--only", "prototypes=orthonormal", "--workers", "1"]
LONGER = [
    *("training.epochs=14", "training.warmup_epochs=0", "encoder.width=4", "evaluation.collapse_rank=0"),
    *("launch.checkpoint_seconds=0", "training.devices=2"),
]


@pytest.fixture(scope="module", params=[2, 3])
def answers(request, tmp_path_factory):
    """What 2, and 3, ranks find: one start of processes for all questions."""
    folder = tmp_path_factory.mktemp("together") / "ranks"
    questions = (all_gradients, normalised_inputs, trained, shared_bytes, disagreeing)
    found = run_together(folder, request.param, *questions)
    return {question.__name__: answer for question, answer in zip(questions, found, strict=True)}


@pytest.mark.parametrize("method", [*METHODS, "learned"])
def test_loss_and_gradients_are_those_of_one_process(answers, method):
    """Every method file, with partial labels; and a method with weights, features and a teacher at once."""
    expected = gradients(method)
    assert expected["loss"] > 0
    assert len(expected) > 30
    for found in answers["all_gradients"]:
        assert found[method].keys() == expected.keys()
        for name, value in expected.items():
            scale = max(value.abs().max().item(), 1e-3)
            assert (found[method][name] - value).abs().max().item() <= 1e-6 * scale, name


def test_batch_norm_is_that_of_the_whole_batch(answers):
    """Against torch's own on the undivided inputs."""
    parts = answers["normalised_inputs"]
    for name, norm, inputs, slope in norm_cases():
        inputs.requires_grad_()
        output = norm(inputs)
        output.backward(slope)
        for key, value in (("output", output.detach()), ("gradient", inputs.grad)):
            found = torch.cat([part[f"{name} {key}"] for part in parts])
            torch.testing.assert_close(found, value, rtol=1e-9, atol=1e-9)
        for key, parameter in norm.named_parameters():
            found = torch.stack([part[f"{name} {key}"] for part in parts]).sum(0)
            torch.testing.assert_close(found, parameter.grad, rtol=1e-9, atol=1e-9)
        evaluated = norm.eval()(inputs).detach()
        for part in parts:
            for key, buffer in norm.named_buffers():
                torch.testing.assert_close(part[f"{name} {key}"], buffer, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(part[f"{name} evaluated"], evaluated, rtol=1e-9, atol=1e-9)


def test_ranks_stay_equal_and_near_one_process(answers):
    """Two epochs of LARS in float32: the same bits on every rank, and the losses of a single process."""
    first, *others = answers["trained"]
    for other in others:
        assert other["weights"].equal(first["weights"])
        assert other["history"] == first["history"]
    alone = trained(None)
    assert [row["loss_total"] for row in first["history"]] == pytest.approx(
        [row["loss_total"] for row in alone["history"]], rel=1e-4
    )


def test_rank_0_is_heard_by_all_and_differences_are_named(answers):
    size = len(answers["shared_bytes"])
    assert answers["shared_bytes"] == [[b"from rank 0", None, True, False]] * size
    words = f"rank {size - 1} has other data or initial weights than rank 0"
    assert answers["disagreeing"] == [words] * size


def test_devices_are_part_of_the_identity_only_above_1():
    plain, two = cell_for(), cell_for(devices=2)
    assert cell_for(devices=1).id == plain.id
    assert two.id != plain.id
    assert Cell.from_config(two.config()) == two


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"devices": 5}, "batch_size 12 cannot be shared evenly by devices 5"),
        ({"devices": 2, "micro_batch": 3}, "micro_batch and devices above 1 exclude each other"),
        ({"devices": 0}, "training.devices: input should be greater than 0"),
    ],
)
def test_what_cannot_be_shared_is_refused(settings, words):
    with pytest.raises(UserError, match=words):
        cell_for(**settings)


def test_gpus_are_handed_out_in_groups(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    assert slots("auto", None, 1, 1, each=2) == ["0,1", "2,3"]
    assert slots("auto", 1, 1, 1, each=4) == ["0,1,2,3"]
    with pytest.raises(UserError, match=r"training\.devices: 8 GPUs are needed for a cell, 5 are visible"):
        slots("auto", None, 1, 1, each=8)


def test_other_cells_do_not_load_what_only_these_need():
    """torch.distributed and what is built on it stand at the head of no module that any cell imports."""
    ours = {"distributed", "collectives", "syncnorm"}
    theirs = {"torch.distributed", *(f"clopbench.training.{name}" for name in ours)}
    loading = {path.stem for path in modules() if imports(path, top_level_only=True) & theirs}
    assert loading == ours


@pytest.mark.slow
def test_accuracy_is_that_of_one_process_within_noise(bench, tmp_path):
    """The same batches and views: only rounding differs, and what it grows to in four epochs."""
    settings = ["training.epochs=4", "training.warmup_epochs=1", "encoder.width=8"]
    metrics = []
    for devices in (1, 2):
        results = tmp_path / str(devices)
        done = bench(*ONE, *settings, f"training.devices={devices}", "--results", results)
        assert done.code == 0, done.out
        (entry,) = scan(Store(results)).values()
        metrics.append(entry.content["metrics"])
        assert leftovers(results) == []
    alone, together = metrics
    assert alone["probe_top1"] > 0.7
    assert together["probe_top1"] == pytest.approx(alone["probe_top1"], abs=0.03)
    assert together["effective_rank"] == pytest.approx(alone["effective_rank"], rel=0.1)


def ranks_of(results: Path) -> dict[int, int]:
    """Rank → process, of the cell's present run, by its log."""
    (log,) = results.glob("??/*/run.log")
    found = {}
    for line in log.read_text().splitlines():
        words = line.split()
        if " rank " in line and words[-2] == "pid":
            found[int(words[3])] = int(words[-1])
        elif " start " in line:
            found[0] = int(words[-1])
    return found


def past_epoch(results: Path, epoch: int) -> bool:
    return any(
        lease is not None and lease.holder.get("epoch", 0) >= epoch
        for lease in map(leases.current, results.glob("??/*"))
    )


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_stopped_and_killed_it_goes_on_to_the_same_bits(bench, tmp_path):
    """SIGTERM to the cell's worker, then to one rank alone, then SIGKILL of the worker: no process is left."""
    results, undisturbed = tmp_path / "results", tmp_path / "undisturbed"
    assert bench(*ONE, *LONGER, "--results", undisturbed).code == 0
    for epoch, number, victim in ((2, signal.SIGTERM, None), (5, signal.SIGUSR2, 1), (8, signal.SIGKILL, None)):

        def disturb(epoch=epoch, number=number, victim=victim) -> None:
            wait_until(lambda: past_epoch(results, epoch), 120)
            (lease,) = map(leases.current, results.glob("??/*"))
            assert lease is not None
            os.kill(lease.holder["pid"] if victim is None else ranks_of(results)[victim], number)

        thread = threading.Thread(target=disturb)
        thread.start()
        done = bench(*ONE, *LONGER, "--results", results)
        thread.join()
        assert done.code == 1, done.out
        assert "killed: the worker was " in done.out
        wait_until(lambda: not any(map(is_alive, ranks_of(results).values())))
    assert bench(*ONE, *LONGER, "--results", results).code == 0
    assert digests(results) == digests(undisturbed)
    assert leftovers(results) == []
    log = next(results.glob("??/*/run.log")).read_text()
    assert log.count("resuming at epoch") == 3


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_dead_rank_fails_the_cell_within_a_minute(bench, tmp_path, rank):
    results, died = tmp_path / "results", [0.0]

    def kill() -> None:
        wait_until(lambda: past_epoch(results, 2), 120)
        died[0] = time.monotonic()
        os.kill(ranks_of(results)[rank], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    done = bench(*ONE, *LONGER, "training.epochs=500", "--results", results)
    took = time.monotonic() - died[0]
    thread.join()
    assert done.code == 1
    assert f"killed: rank {rank} of 2: the worker was killed by SIGKILL" in done.out
    assert took < 60
    assert not any(map(is_alive, ranks_of(results).values()))
    (record,) = results.glob("??/*/record.json")
    assert json.loads(record.read_text())["failure"]["class"] == "killed"


@pytest.mark.slow
def test_torchrun_gives_the_same_bits(bench, tmp_path, environment):
    """Started by torchrun: rank 0 is `bench`, and trains with the other process."""
    command = [*ONE, *QUICK, "training.devices=2"]
    assert bench(*command, "--results", tmp_path / "local").code == 0
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "clopbench.cli.torchrun", *command, "--results", str(tmp_path / "torchrun")),
        ],
        capture_output=True, text=True, check=False, env=environment, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "torchrun") == digests(tmp_path / "local")
    assert len(digests(tmp_path / "local")) == 1
    log = next((tmp_path / "torchrun").glob("??/*/run.log")).read_text()
    assert " start " in log
    assert " rank 1 " not in log
    assert " rank 1 " in done.stdout  # Of the other process, whose output is torchrun's.


METHOD = '''
"""Fails on one rank only."""
import torch
from clopbench.contrastive import info_nce
from clopbench.method import Method

class Lame(Method):
    name, version = "lame", 1

    def __init__(self, dim: int, num_classes: int, *, generator: torch.Generator):
        super().__init__()
        self.calls = 0

    def loss(self, batch):
        self.calls += 1
        if self.calls == 3 and torch.distributed.get_rank() == 1:
            raise ValueError("only here")
        return {"total": info_nce(batch.z_VBD, 0.2)}
'''


def test_an_error_on_one_rank_is_told_as_it_is(bench, tmp_path):
    (tmp_path / "lame.py").write_text(METHOD)
    more = ["--method", "lame", "--methods-dir", tmp_path, *QUICK, "training.devices=2", "--workers", "1"]
    done = bench("run", "table7", "--seeds", "1", "--only", "prototypes=random", *more)
    assert done.code == 1
    assert "error: rank 1 of 2: ValueError: only here" in done.out
    assert len(digests(tmp_path / "results")) == 1  # The other cell, which the broken one does not touch.


def test_the_cause_is_named_and_not_its_consequences():
    lost = {"class": "node", "message": "PeerLost: another rank is gone", "traceback": ""}
    memory = {"class": "out_of_memory", "message": "OutOfMemoryError: 8 GB", "traceback": ""}
    gone = {"class": "node", "message": "its process is gone", "traceback": ""}
    lame = End(Ending.FAILED, 0, lost)
    assert cause({0: lame, 1: End(Ending.DIED, -9)}, 2)["class"] == "killed"
    assert cause({0: lame, 1: End(Ending.FAILED, 0, memory)}, 2) == memory | {
        "message": "rank 1 of 2: OutOfMemoryError: 8 GB"
    }
    assert cause({0: lame, 1: End(Ending.DIED, 0, gone)}, 2)["message"] == "rank 1 of 2: its process is gone"
    assert cause({0: End(Ending.DIED, -9)}, 4, memory_kills=1)["class"] == "out_of_memory"
