"""Views per second of training as a cell does it, and which part of the device's peak that is.

A view of an image passes encoder and head once, forward and backward; augmentation, loss and the optimiser's
step are in the time. Work is counted by torch's counter: multiplications and additions of a forward
pass times three. The peak is that of a large matrix product in bfloat16, measured beside it.
"""

import importlib
import multiprocessing
import queue
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clopbench.cell import Cell
from clopbench.launch.process import configure
from clopbench.suite.overrides import parse
from clopbench.suite.suite import Suite
from clopbench.training.encoders import build_encoder, build_head
from clopbench.training.feed import Resident
from clopbench.training.loop import Trainer
from clopbench.training.model import build_model

ROOT = Path(__file__).resolve().parents[2]
IMAGES, CLASSES = 20_000, 100
MATRIX, TINY_MATRIX = 8192, 512
SECONDS, TINY_SECONDS = 6.0, 0.5
PASSES = 3
"""A backward pass costs two forward ones."""


@dataclass(frozen=True)
class Setting:
    """What is timed. packed: so many cells at once, each in a process of its own."""

    name: str
    batch: int
    compiled: bool = False
    packed: int = 1
    who: str = "clop-bench"
    tiny: bool = False

    @property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.tiny else "cuda")

    @property
    def seconds(self) -> float:
        return TINY_SECONDS if self.tiny else SECONDS

    def cell(self) -> Cell:
        """Table 7's cell of CLOP at scale gpu."""
        values, _ = parse([f"training.batch_size={self.batch}"] + (["encoder.width=8"] if self.tiny else []))
        only = {"prototypes": ["orthonormal"]}
        scale = "cpu" if self.tiny else "gpu"
        return Suite(ROOT).benchmark("table7", scale, values, only).entries[-1].cell(0)


def settings(tiny: bool) -> list[Setting]:
    """The most telling first."""
    if tiny:
        chosen = [Setting("", 16), Setting("", 16, packed=2), Setting("", 16, who="lightly")]
    else:
        chosen = [
            Setting("", 512), Setting("", 512, compiled=True), Setting("", 512, who="lightly"),
            *(Setting("", 512, packed=packed) for packed in (2, 4, 8)),
            Setting("", 1024), Setting("", 1024, compiled=True),
            *(Setting("", 512, compiled=True, packed=packed) for packed in (2, 4)),
        ]  # fmt: skip
    return [
        Setting(
            f"speed: {one.who}, batch {one.batch}{', compiled' * one.compiled}, {one.packed} at once",
            one.batch, one.compiled, one.packed, one.who, tiny,
        )
        for one in chosen
    ]  # fmt: skip


def measured(setting: Setting, deadline: float) -> dict[str, Any] | None:
    """Time it in fresh processes; None where they did not end in time."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(setting.packed), context.Queue()
    processes = [context.Process(target=_one, args=(setting, barrier, answers)) for _ in range(setting.packed)]
    for process in processes:
        process.start()
    found: list[dict[str, Any]] = []
    while len(found) < len(processes):
        try:
            found.append(answers.get(timeout=1.0))
        except queue.Empty:
            if time.monotonic() > deadline:
                break
            if died := [one.exitcode for one in processes if one.exitcode]:
                found = [{"problem": f"a process ended with status {died[0]}"}]
                break
    for process in processes:
        process.join(timeout=5 if found else 0)
        process.kill()
    if not found:
        return None
    problems = [one["problem"] for one in found if "problem" in one]
    if problems:
        return {"not measured": problems[0]}
    views = sum(one["views_per_second"] for one in found)
    flop, peak = found[0]["flop_per_view"], found[0]["peak_flop_per_second"]
    return {
        "views_per_second": round(views), "share_of_peak": round(views * flop / peak, 4),
        "flop_per_view": flop, "peak_tflop_per_second": round(peak / 1e12, 1),
        "device": found[0]["device"], "torch": torch.__version__,
    }  # fmt: skip


def _one(setting: Setting, barrier: Any, answers: Any) -> None:
    try:
        configure(1)
        peak = _peak(setting)
        step = _ours(setting) if setting.who == "clop-bench" else _lightlys(setting)
        for number in range(3 if setting.tiny else 12):
            step(number)
        _wait(setting.device)
        barrier.wait()
        views, number, start = 0, 0, time.perf_counter()
        while time.perf_counter() - start < setting.seconds:
            step(number)
            number += 1
            views += 2 * setting.batch
        _wait(setting.device)
        taken = time.perf_counter() - start
        answers.put({
            "views_per_second": views / taken, "flop_per_view": PASSES * _flop(setting.cell()),
            "peak_flop_per_second": peak, "device": _device_name(setting.device),
        })  # fmt: skip
    except Exception as error:  # Whatever it is, the other pieces shall go on.
        barrier.abort()
        answers.put({"problem": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"})


def _ours(setting: Setting):
    cell, device = setting.cell(), setting.device
    model = build_model(cell, Suite(ROOT).plugins, 3, CLASSES)
    for module in model.modules().values():
        module.to(device)
    model.encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if setting.compiled:
        model.compile()
    images = _images(setting).to(device)
    labels = torch.randint(CLASSES, (len(images),), generator=torch.Generator().manual_seed(0)).to(device)
    trainer = Trainer(cell, model, Resident(images), labels)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1)).numpy()
    last = trainer.steps_per_epoch - 1  # The last step of an epoch measures geometry too: it is left out.

    def step(number: int) -> None:
        at = number % last
        positions = order[at * setting.batch : (at + 1) * setting.batch]
        trainer.step_on(next(trainer.images.batches([positions])), positions, at)

    return step


def _lightlys(setting: Setting):
    """lightly as its documentation has it: PIL images, its transform in loader processes, its loss."""
    from torchvision.transforms.functional import to_pil_image

    losses, transforms = map(
        importlib.import_module, ("lightly.loss", "lightly.transforms")
    )  # Not always there.

    cell, device = setting.cell(), setting.device
    encoder, features = build_encoder(cell.encoder, 3)
    network = nn.Sequential(encoder, build_head(cell.projection, features)).to(device)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    transform = transforms.SimCLRTransform(input_size=32, cj_strength=0.5, gaussian_blur=0.0)
    pictures = [to_pil_image(image) for image in _images(setting)]
    loader = torch.utils.data.DataLoader(
        _Transformed(pictures, transform), setting.batch, shuffle=True, drop_last=True,
        pin_memory=not setting.tiny, num_workers=0 if setting.tiny else 14, persistent_workers=not setting.tiny,
    )  # fmt: skip
    criterion = losses.NTXentLoss(temperature=0.2)
    config = cell.training
    optimizer = torch.optim.SGD(network.parameters(), lr=config.learning_rate, momentum=config.momentum)
    batches = _again_and_again(loader)

    def step(_number: int) -> None:
        first, second = (view.to(device, non_blocking=True) for view in next(batches))
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            z_first, z_second = network(first), network(second)
        optimizer.zero_grad()
        criterion(z_first.float(), z_second.float()).backward()
        optimizer.step()

    return step


class _Transformed(torch.utils.data.Dataset[Any]):
    def __init__(self, pictures: list[Any], transform: Any):
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.pictures[index])


def _again_and_again(loader: Any):
    while True:
        yield from loader


def _images(setting: Setting) -> Tensor:
    """Noise: no step is faster or slower for what an image shows."""
    size = (200 if setting.tiny else IMAGES, 3, 32, 32)
    return torch.randint(256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def _flop(cell: Cell) -> float:
    """Of one view's forward pass."""
    encoder, features = build_encoder(cell.encoder, 3)
    network = nn.Sequential(encoder, build_head(cell.projection, features))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(2, 3, 32, 32))
    return counter.get_total_flops() / 2


def _peak(setting: Setting) -> float:
    size = TINY_MATRIX if setting.tiny else MATRIX
    # A CPU without instructions for bfloat16 takes a thousand times as long for it.
    kind = torch.float32 if setting.tiny else torch.bfloat16
    matrix = torch.ones(size, size, dtype=kind, device=setting.device)
    best = float("inf")
    for _ in range(12):
        _wait(setting.device)
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        _wait(setting.device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
