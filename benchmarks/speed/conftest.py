"""What all speed suites share: two threads, the number of rounds, images, and what stands beside the times."""

import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

# The suites share modules of this folder, and pytest's importlib mode puts no folder on the path.
sys.path.insert(0, str(Path(__file__).parent))

THREADS = 2
PACKAGES = ("torch", "torchvision", "kornia", "lightly", "pytorch-metric-learning")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="two rounds of everything: does it run at all?")


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Threads and versions, as the table reports them; a package that is not installed is left out."""
    machine_info["threads"] = THREADS
    machine_info["versions"] = {}
    for name in PACKAGES:
        try:
            machine_info["versions"][name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    """Every contender computes on so many torch threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield THREADS
    torch.set_num_threads(before)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """The number of rounds that was asked for, or 2 with --quick."""
    quick = request.config.getoption("--quick")
    return lambda wanted: 2 if quick else wanted


@pytest.fixture
def peer() -> Callable[[str], Any]:
    """Import a module of an optional peer, or skip and say which dependency group has it."""

    def load(module: str) -> Any:
        package = module.partition(".")[0]
        return pytest.importorskip(module, reason=f"{package} is not installed: uv run --group peers …")

    return load


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """Images of CIFAR's size, uint8 [5120, 32, 32, 3]; random: no contender's time depends on it."""
    return np.random.default_rng(0).integers(0, 256, (5120, 32, 32, 3), np.uint8)


@pytest.fixture(scope="session")
def images(pixels: np.ndarray) -> torch.Tensor:
    """The same images as tensors, uint8 [5120, 3, 32, 32]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
