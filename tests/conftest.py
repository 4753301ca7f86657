"""Fixtures shared by all tests. Cells are real but small: one epoch of a narrow network, under a second."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import ROOT
from hypothesis import HealthCheck, settings

from clopbench.cell import Cell
from clopbench.cli import main
from clopbench.suite.plugins import Plugins
from clopbench.suite.suite import Suite

# The same examples everywhere, and none that fails because a machine is busy.
settings.register_profile(
    "same", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", parent=settings.get_profile("same"), derandomize=False, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A shell starts its background jobs with SIGINT ignored, and what they start inherits that: then nothing could
# be interrupted here. A handler becomes the default again in whatever these tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["lab", "patience", "programs", "shares"]


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests work in a folder of their own, whatever the developer's environment says."""
    for name in list(os.environ):
        # Slurm's variables too: the tests may themselves run in a job of a cluster.
        if name.startswith(("BENCH_", "SLURM", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SUBMITIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BENCH_SUITE", str(ROOT))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path.parent / "no-configuration"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run the command line in this process."""

    def call(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def suite() -> Suite:
    return Suite(ROOT)


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return Plugins([ROOT / "methods"])


@pytest.fixture(scope="session")
def cell(suite: Suite) -> Cell:
    """The first cell of table 7 at scale laptop."""
    return suite.benchmark("table7").entries[0].cell(0)


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> Iterator[None]:
    """One thread, as in a cell: results then do not depend on the machine's core count."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def environment() -> dict[str, str]:
    """For subprocesses: coverage of this checkout, without bytecode switches of the shell."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
