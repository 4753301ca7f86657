"""A run that is stopped at any moment, by real signals, and run again ends in the bits of one that was not."""

import copy
import inspect
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from batches import PLUGINS
from checkout import pixels_of
from runs import digests, holder, leftovers, wait_until

from clopbench.method import Embedded
from clopbench.results.index import scan
from clopbench.results.records import PARTIAL, Store
from clopbench.training.checkpoint import Checkpointer
from clopbench.training.feed import Resident
from clopbench.training.loop import Trainer
from clopbench.training.model import Model, Teacher, backward_in_chunks, build_model, embed_in_chunks
from clopbench.training.stop import Stopped, StopRequest

# One cell of a few seconds that saves its checkpoint after every step.
ARGUMENTS = [
    *("run", "table7", "--seeds", "1", "--only", "prototypes=orthonormal", "--workers", "1"),
    *("training.epochs=14", "encoder.width=4", "evaluation.collapse_rank=0", "launch.checkpoint_seconds=0"),
]


def small(cell, **changes):
    training = cell.training.model_copy(
        update={"epochs": 3, "batch_size": 8, "warmup_epochs": 1, "learning_rate": 0.05} | changes
    )
    encoder = cell.encoder.model_copy(update={"width": 4})
    return cell.model_copy(update={"training": training, "encoder": encoder})


def trainer_of(cell, plugins, images=35) -> Trainer:
    data = pixels_of("digits").train
    model = build_model(cell, plugins, 1, 10)
    shown = Resident(torch.from_numpy(data.images[:images]))
    return Trainer(cell, model, shown, torch.from_numpy(data.labels[:images]))


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("step", range(1, 13))
def test_every_step_can_be_resumed_from(cell, plugins, tmp_path, step):
    """12 steps in all (3 epochs of 4): stop after each of them, restore into a fresh trainer, finish."""
    whole = trainer_of(small(cell), plugins)
    whole.run(lambda _: None, lambda _: None)
    count = 0

    def stop_in_time(trainer):
        nonlocal count
        count += 1
        request.requested = count == step
        checkpointer.after_step(trainer)

    request = StopRequest()
    checkpointer = Checkpointer(tmp_path / "checkpoint.pt", 1e9, request)
    with pytest.raises(Stopped):
        trainer_of(small(cell), plugins).run(stop_in_time, lambda _: None)
    fresh = trainer_of(small(cell), plugins)
    assert Checkpointer(tmp_path / "checkpoint.pt", 1e9, StopRequest()).restore(fresh)
    assert (fresh.epoch, fresh.step) == divmod(step, 4)
    fresh.run(lambda _: None, lambda _: None)
    assert weights(fresh).equal(weights(whole))
    assert fresh.history == whole.history
    assert fresh.views == whole.views == 12 * 2 * 8


def test_a_checkpoint_that_cannot_be_read_is_passed_over(cell, plugins, tmp_path, capsys):
    path = tmp_path / "checkpoint.pt"
    checkpointer = Checkpointer(path, 1e9, StopRequest())
    trainer = trainer_of(small(cell), plugins)
    assert not checkpointer.restore(trainer)
    path.write_bytes(b"half of a checkp")
    assert not checkpointer.restore(trainer)
    assert "checkpoint not used" in capsys.readouterr().out
    path.unlink()
    os.mkfifo(path)
    assert not checkpointer.restore(trainer)
    assert "checkpoint not used: a named pipe in place of a file" in capsys.readouterr().out
    assert (trainer.epoch, trainer.step) == (0, 0)


def test_a_checkpoint_that_does_not_fit_is_removed_and_never_trained_on(cell, plugins, tmp_path):
    path = tmp_path / "checkpoint.pt"
    checkpointer = Checkpointer(path, 1e9, StopRequest())
    other = trainer_of(small(cell).model_copy(update={"seed": 5}), plugins)
    checkpointer.save(other)
    with pytest.raises(ValueError, match=f"checkpoint of cell {other.cell.id}"):
        checkpointer.restore(trainer_of(small(cell), plugins))
    assert not path.exists()
    # The same cell, as earlier code would have built it: encoder restored, then the optimiser does not fit.
    earlier = trainer_of(small(cell), plugins)
    earlier.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    checkpointer.save(earlier)
    with pytest.raises(ValueError, match="parameter group"):
        checkpointer.restore(trainer_of(small(cell), plugins))
    assert not path.exists()


def test_checkpoints_come_with_epochs_and_by_the_clock(cell, plugins, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Checkpointer, "save", lambda self, trainer: saved.append((trainer.epoch, trainer.step)))
    never = Checkpointer(tmp_path / "c", 1e9, StopRequest())
    trainer_of(small(cell), plugins).run(never.after_step, lambda _: None)
    assert saved == []
    monkeypatch.setattr("clopbench.training.checkpoint.SHARE_BETWEEN_EPOCHS", 0.0)
    trainer_of(small(cell), plugins).run(never.after_step, lambda _: None)
    assert saved == [(1, 0), (2, 0), (3, 0)]
    saved.clear()
    always = Checkpointer(tmp_path / "c", 0.0, StopRequest())
    trainer_of(small(cell), plugins).run(always.after_step, lambda _: None)
    assert len(saved) == 12


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(cell, plugins, tmp_path, monkeypatch, capsys):
    def full(_):
        raise OSError(28, "No space left on device")

    checkpointer = Checkpointer(tmp_path / "checkpoint.pt", 0.0, StopRequest())
    monkeypatch.setattr(os, "fsync", full)
    trainer = trainer_of(small(cell), plugins)
    trainer.run(checkpointer.after_step, lambda _: None)
    assert trainer.epoch == 3
    assert "checkpoint not saved: [Errno 28]" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def signal_at(results: Path, epoch: int, number: signal.Signals) -> threading.Thread:
    """Send a real signal to the worker, somewhere in the middle of the epoch after `epoch`."""

    def send() -> None:
        wait_until(lambda: holder(results, epoch) is not None)
        time.sleep(0.005 * epoch)
        pid = holder(results, epoch)
        assert pid is not None
        os.kill(pid, number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


MOMENTS = {signal.SIGKILL: (2, 7, 11), signal.SIGTERM: (5,), signal.SIGUSR2: (3, 9)}


def test_a_worker_that_is_signalled_goes_on_to_the_same_bits(bench, tmp_path):
    assert bench(*ARGUMENTS, "--results", tmp_path / "undisturbed").code == 0
    for number, moments in MOMENTS.items():
        results = tmp_path / number.name
        for epoch in moments:
            thread = signal_at(results, epoch, number)
            done = bench(*ARGUMENTS, "--results", results)
            thread.join()
            assert done.code == 1, done.out
            assert "killed: the worker was " in done.out
            assert digests(results) == {}
        # What a worker leaves that is killed in the middle of a write.
        (next(results.glob("??/*")) / f"{PARTIAL}checkpoint.pt-x").write_bytes(b"half")
        assert bench(*ARGUMENTS, "--results", results).code == 0
        assert digests(results) == digests(tmp_path / "undisturbed")
        (entry,) = scan(Store(results)).values()
        assert entry.content["provenance"]["resumed"] is True
        log = next(results.glob("??/*/run.log")).read_text()
        assert log.count(" start ") == log.count("resuming at epoch") + 1 == len(moments) + 1
        assert leftovers(results) == []


@pytest.mark.parametrize("name", PLUGINS.names())
def test_gradients_in_micro_batches_are_those_of_the_whole_batch(name):
    """A loss over the whole batch, backpropagated 3 images at a time, in float64 without batch norm."""
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Tanh(), torch.nn.Flatten()).double()
    head = torch.nn.Linear(4 * 36, 6).double()
    loaded = PLUGINS.get(name).load()
    sizes = {"dim": 6, "num_classes": 4, "features": 4 * 36}
    given = {size: sizes[size] for size in sizes if size in inspect.signature(loaded).parameters}
    method = loaded(**given, generator=torch.Generator().manual_seed(0)).double()
    model = Model(encoder, head, method, torch.Generator())
    teacher = Teacher(model)
    views = torch.rand(2, 10, 1, 8, 8, dtype=torch.float64)
    labels, index = torch.arange(10) % 5 - 1, torch.arange(10)

    def loss(batch: Embedded) -> torch.Tensor:
        batch.teacher = teacher.embed(views, batch)
        return method.loss(batch)["total"]

    def gradients() -> list[torch.Tensor]:
        found = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        for parameter in model.parameters():
            parameter.grad = None
        return found

    whole = loss(model.embed(views, labels, index))
    whole.backward()
    expected = gradients()
    batch = embed_in_chunks(model, views, labels, index, 3)
    total = loss(batch)
    assert total.item() == pytest.approx(whole.item(), abs=1e-12)
    backward_in_chunks(model, batch, views, total, 3)
    for one, other in zip(gradients(), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("step", [1, 4, 7])
def test_a_teacher_and_a_methods_own_weights_are_resumed(cell, plugins, tmp_path, step):
    """BYOL, whose predictor is trained, and whose teacher is moved after each step."""
    short = small(cell, epochs=2)
    parameters = plugins.get("byol").resolve({"hidden": 16})
    method = short.method.model_copy(update={"name": "byol", "parameters": parameters})
    short = short.model_copy(update={"method": method})
    states = []
    whole = trainer_of(short, plugins)
    whole.run(lambda trainer: states.append(copy.deepcopy(trainer.state())), lambda _: None)
    fresh = trainer_of(short, plugins)
    fresh.restore(states[step - 1])
    fresh.run(lambda _: None, lambda _: None)
    ours, theirs = (trainer.state()["modules"] for trainer in (fresh, whole))
    assert {"teacher_encoder", "teacher_head", "method"} <= ours.keys()
    for part, module in theirs.items():
        for name, tensor in module.items():
            assert ours[part][name].equal(tensor), (part, name)
    first = states[0]["modules"]
    assert not first["method"]["predictor.0.weight"].equal(theirs["method"]["predictor.0.weight"])
    assert not first["teacher_head"]["0.weight"].equal(theirs["teacher_head"]["0.weight"])
    assert fresh.history == whole.history


def test_micro_batches_count_once_in_the_running_statistics(cell, plugins):
    one = trainer_of(small(cell, epochs=1), plugins)
    two = trainer_of(small(cell, epochs=1, micro_batch=8), plugins)
    for trainer in (one, two):
        trainer.run(lambda _: None, lambda _: None)
    buffers = [dict(trainer.model.encoder.named_buffers()) for trainer in (one, two)]
    for name, buffer in buffers[0].items():
        torch.testing.assert_close(buffers[1][name], buffer, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(weights(two), weights(one), atol=1e-4, rtol=1e-3)


def test_bf16_trains_close_to_fp32_with_float_weights(cell, plugins):
    runs = [trainer_of(small(cell, precision=precision), plugins) for precision in ("fp32", "bf16")]
    for trainer in runs:
        trainer.run(lambda _: None, lambda _: None)
    exact, half = ([row["loss_total"] for row in trainer.history] for trainer in runs)
    assert exact != half
    assert half == pytest.approx(exact, rel=0.05)
    assert all(p.dtype == torch.float32 for p in runs[1].model.parameters())
