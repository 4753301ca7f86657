"""How long `bench` takes over 1,000 to 100,000 records, and to submit thousands of cells to a real Slurm.

Each time is that of a whole command in a process of its own, imports included, as a user waits for it. Beside
the records, 1,000 cells are unfinished: 32 of them are being trained, the others wait in the queue of a Slurm
on this machine (slurm/lab), which holds them. Without index means: the first command after `index.parquet` was
deleted; the files themselves are in the system's memory by then.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import synthetic_records as synthetic
from lab import Lab, require
from synthetic_records import PER_SEED, TABLES

from clopbench.results.index import INDEX
from clopbench.results.records import Store

SIZES = (1_000, 10_000, 100_000)
SUBMITTED = (1_000, 10_000)
MAX_JOB_COUNT = 30_000  # Slurm's own 10,000 is reached by ten thousand cells.
UNFINISHED = 2 * PER_SEED
TRAINING = 32
HELD = ("--profile", "lab", "slurm_additional_parameters={hold:true}")
# The kernel's own count of the peak, which belongs to the program alone; rusage has its parent's before exec.
SCRIPT = """
import sys
from pathlib import Path
from clopbench.cli.main import main
try:
    main(sys.argv[2:])
finally:
    Path(sys.argv[1]).write_text(Path("/proc/self/status").read_text())
"""
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@dataclass
class Command:
    """Runs `bench` with some words, in a process of its own; keeps CPU time and peak memory of each run."""

    folder: Path
    words: tuple[str, ...]
    allowed: tuple[int, ...] = (0,)
    peaks: list[int] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """With those processes that it started and waited for."""
    answer: str = ""

    def __call__(self) -> None:
        output, status = self.folder / "output.txt", self.folder / "status.txt"
        command = [sys.executable, "-c", SCRIPT, str(status), *self.words]
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, cwd=self.folder)
            _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        self.answer = output.read_text()
        assert process.returncode in self.allowed, self.answer[-2000:]
        peak = PEAK.search(status.read_text())
        assert peak is not None
        self.peaks.append(int(peak[1]) * 1024)
        self.cpu_seconds.append(usage.ru_utime + usage.ru_stime)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards: pytest's own would be kept, with a million files."""
    with tempfile.TemporaryDirectory(prefix="records-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def suite(folder: Path) -> Iterator[synthetic.Suite]:
    """Ten tables, as the suite of all commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_SUITE", str(folder / "suite"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "no-configuration"))
        yield synthetic.write_suite(folder / "suite")


@pytest.fixture(scope="module")
def slurm(suite) -> Iterator[None]:
    """A Slurm of our own, as the one that all commands find."""
    require("slurmctld", "slurmd", "munged")
    lab = Lab(Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp")), MAX_JOB_COUNT=MAX_JOB_COUNT)
    with pytest.MonkeyPatch.context() as patch:
        lab.start()
        patch.setenv("SLURM_CONF", str(lab.conf))
        yield
        lab.stop()
    shutil.rmtree(lab.folder)


@pytest.fixture(scope="module", params=SIZES)
def size(request) -> int:
    if request.config.getoption("--quick") and request.param != SIZES[0]:
        pytest.skip("--quick: only the smallest size")
    return request.param


@pytest.fixture(scope="module")
def recorded(suite, folder: Path, size: int) -> Iterator[Store]:
    """A results folder with so many records."""
    store = Store(folder / f"results-{size}")
    synthetic.write_records(store, synthetic.cells(suite, range(size // PER_SEED)))
    yield store
    shutil.rmtree(store.root)


@pytest.fixture(scope="module")
def underway(recorded: Store, suite, slurm, folder: Path, size: int) -> list[Path]:
    """Cells in the queue and cells that are being trained besides; returns the latters' leases."""
    seeds = range(size // PER_SEED, (size + UNFINISHED) // PER_SEED)
    everything = ("--seeds", str(seeds.stop), "--results", str(recorded.root))
    Command(folder, ("submit", *TABLES, *everything, *HELD, "tasks=1000"))()
    training = [cell for number, cell in enumerate(synthetic.cells(suite, seeds)) if number < TRAINING]
    return synthetic.pretend_training(recorded, training, seconds=0.3)


@pytest.fixture
def time_command(benchmark, rounds: Callable[[int], int]):
    """Time a command; `work` and `size` are the names under which the table shows it."""

    def measure(command: Command, work: str, size: int, setup: Callable[[], object] | None = None) -> str:
        # What takes a minute is measured once; what has no setup is warmed up by its first run.
        count = rounds(3) if setup is None else rounds(2) if size < SIZES[-1] else 1
        benchmark.pedantic(command, setup=setup, rounds=count, warmup_rounds=1 if setup is None else 0)
        extra = {"peak_bytes": max(command.peaks), "cpu_seconds": command.cpu_seconds[-count:]}
        benchmark.extra_info.update(work=work, contender="clop-bench", size=size, **extra)
        return command.answer

    return measure


def plan(folder: Path, store: Store, size: int) -> Command:
    words = ("plan", *TABLES, "--seeds", str(size // PER_SEED), "--results", str(store.root))
    return Command(folder, words)


def test_plan_without_index(time_command, folder, recorded, size):
    def forget() -> None:
        (recorded.root / INDEX).unlink(missing_ok=True)

    answer = time_command(plan(folder, recorded, size), "plan, without index", size, forget)
    assert f"{size} cells: " in answer


def test_plan(time_command, folder, recorded, size):
    answer = time_command(plan(folder, recorded, size), "plan", size)
    assert f"{size} cells: " in answer


def test_status(time_command, folder, recorded, underway, size):
    def heartbeat() -> None:
        for lease in underway:
            os.utime(lease)

    command = Command(folder, ("status", "--results", str(recorded.root)), allowed=(1, 3))
    command()  # To know the queue and the files, as every round but the first does.
    answer = time_command(command, "status", size, heartbeat)
    first = next(line for line in answer.splitlines() if line.startswith(TABLES[0]))
    assert f"{(size + UNFINISHED) // len(TABLES)} cells: " in first
    assert " running, " in first


def test_report(time_command, folder, recorded, size):
    out = folder / "report"

    def forget() -> None:
        shutil.rmtree(out, ignore_errors=True)

    command = Command(folder, ("report", "--local", "--results", str(recorded.root), "--out", str(out)))
    assert "RESULTS.md" in time_command(command, "report", size, forget)


@pytest.mark.parametrize("cells", SUBMITTED)
def test_submit(time_command, request, suite, slurm, folder, cells):
    """One cell in each task, a thousand tasks in each array: sbatch is asked once per array."""
    if request.config.getoption("--quick") and cells != SUBMITTED[0]:
        pytest.skip("--quick: only the smallest size")
    results = folder / "submitted"

    def forget() -> None:
        subprocess.run(["scancel", "--me"], check=True)
        shutil.rmtree(results, ignore_errors=True)

    words = ("submit", *TABLES, "--seeds", str(cells // PER_SEED), "--results", str(results), *HELD)
    answer = time_command(Command(folder, words), "submit", cells, forget)
    assert f"{cells} cells in {cells} tasks" in answer
