"""Fixtures that run a real Slurm: one for the session, and others where a test needs other settings."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import ROOT

COMMANDS = ROOT / "slurm" / "lab"
PATH_OF_DAEMONS = f"{os.environ['PATH']}:/usr/sbin:/sbin"
SLURM = ("slurm", "yes")
# Short enough not to wait, long enough for a checkpoint on a busy machine.
SETTINGS = {"KILL_WAIT": 3, "GRACE": 10, "NODE_TIMEOUT": 10}


class Lab:
    """A running Slurm of our own. Its commands work in any process that has SLURM_CONF as `conf` says."""

    def __init__(self, folder: Path, accounting: bool = False, **settings: int):
        self.folder = folder
        self.conf = folder / "etc" / "slurm.conf"
        self.accounting = accounting
        self.settings = SETTINGS | settings

    def start(self) -> str:
        """Start, or start again with an empty queue; returns the line for a shell."""
        switch = ["--accounting"] if self.accounting else []
        settings = {f"LAB_{name}": str(value) for name, value in self.settings.items()}
        return run("start", *switch, self.folder, **settings)

    def stop(self) -> None:
        run("stop", self.folder)

    def daemon(self, action: str, name: str) -> None:
        """start, stop, kill or crash 'controller' or a node: slurm/lab/daemon."""
        run("daemon", action, name, self.folder)

    def ask(self, *command: str | Path) -> str:
        """What one of Slurm's commands prints, without the last newline. Fails the test where it fails."""
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, timeout=60,
            env=os.environ | {"SLURM_CONF": str(self.conf)},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def sbatch(self, script: str, *options: str) -> str:
        """Submit lines of shell; returns the job id."""
        return self.ask("sbatch", "--parsable", "--output=/dev/null", *options, "--wrap", script)

    def states(self, job: str) -> list[str]:
        """States of a job, or of all tasks of an array, in the order of their index; ended ones included."""
        lines = self.ask("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%K %T").splitlines()
        tasks = [line.split() for line in lines]
        return [state for _, state in sorted(tasks, key=lambda task: int(task[0]) if task[0] != "N/A" else 0)]

    def idle(self) -> bool:
        """Nothing is queued, and every node is ready."""
        nodes = self.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split()
        return not self.ask("squeue", "-h") and set(nodes) == {"idle"}

    def reset(self) -> None:
        """As after a start: no jobs, all daemons up, all nodes ready."""
        nodes = self.ask_conf("nodes").split()
        for name in ("controller", *nodes):
            self.daemon("start", name)
        self.wait(self.answers, "the controller to answer")
        if self.idle():
            return
        self.ask("scancel", "--me", "--state=PENDING")
        # At once: tasks under submitit do not end on SIGTERM.
        self.ask("scancel", "--me", "--quiet", "--full", "--signal=KILL")
        self.ask("scancel", "--me", "--quiet")
        for node in nodes:
            if self.ask("sinfo", "-h", "-n", node, "-p", "main", "-o", "%T").startswith(("down", "drain")):
                self.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
        self.wait(self.idle, "an empty queue and idle nodes")

    def answers(self) -> bool:
        environment = os.environ | {"SLURM_CONF": str(self.conf)}
        ping = subprocess.run(
            ["scontrol", "ping"], capture_output=True, text=True, check=False, env=environment
        )
        return " is UP" in ping.stdout

    def ask_conf(self, key: str) -> str:
        """What start wrote at the head of slurm.conf."""
        lines = self.conf.read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith(f"# {key}:"))

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        """Until something is so. Fails the test, showing queue and log, if it never is."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                log = (self.folder / "log" / "slurmctld.log").read_text().splitlines()[-15:]
                queue = self.ask("squeue", "-t", "all") if self.answers() else "no controller"
                pytest.fail("\n".join([f"waited {seconds:g} s in vain for {what}", queue, *log]))
            time.sleep(0.2)


def run(name: str, *arguments: str | Path, **environment: str) -> str:
    """What one of the lab's own commands prints. Fails the test where it fails."""
    done = lab_command(name, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lab_command(name: str, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run slurm/lab/<name>. Output goes to files: daemons that kept a pipe open would make us wait for them."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("LAB_")}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [COMMANDS / name, *arguments], stdout=out, stderr=err, stdin=subprocess.DEVNULL, check=False,
            timeout=240, env=ours | environment,
        )  # fmt: skip
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


def require(*programs: str) -> None:
    """Skip the test where one of these is not installed."""
    for program in programs:
        if shutil.which(program, path=PATH_OF_DAEMONS) is None:
            switch = " --accounting" if program in ("slurmdbd", "mariadbd") else ""
            pytest.skip(f"no {program} on this machine; slurm/lab/install{switch} installs it")


def uses_slurm(item: pytest.Item) -> bool:
    """Whether a test is one of the Slurm part."""
    return bool({"lab", "lab_with", "running_lab"} & set(getattr(item, "fixturenames", ())))


def pytest_runtest_makereport(item: pytest.Item) -> None:
    """Notes which tests are the Slurm part; their reports carry the item's properties."""
    if uses_slurm(item) and SLURM not in item.user_properties:
        item.user_properties.append(SLURM)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long the Slurm part took, which is to stay below ten minutes on an idle machine."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    seconds = sum(
        report.duration for report in reports if SLURM in (getattr(report, "user_properties", None) or ())
    )
    if seconds:
        terminalreporter.write_line(f"tests with a real Slurm took {seconds:.0f} s")


@pytest.fixture
def lab_with() -> Iterator[Callable[..., Lab]]:
    """Labs of the test's own: lab_with(MAX_ARRAY_SIZE=10) starts one, and it is stopped at the end."""
    require("slurmctld", "slurmd", "munged")
    with _labs() as start:
        yield start


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    """One Slurm for the whole session. Tests take `lab`, which also cleans up."""
    require("slurmctld", "slurmd", "munged")
    with _labs() as start:
        yield start()


@pytest.fixture
def lab(running_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The session's Slurm, with an empty queue, as the one that commands of this process find."""
    monkeypatch.setenv("SLURM_CONF", str(running_lab.conf))
    running_lab.reset()
    yield running_lab
    running_lab.reset()


class _labs:  # noqa: N801
    """Starts labs in folders with short names (sockets want that), and removes them all at the end."""

    def __enter__(self) -> Callable[..., Lab]:
        self.labs: list[Lab] = []
        return self.start

    def start(self, accounting: bool = False, **settings: int) -> Lab:
        lab = Lab(Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp")), accounting, **settings)
        self.labs.append(lab)
        lab.start()
        return lab

    def __exit__(self, *_: object) -> None:
        for lab in self.labs:
            lab.stop()
            shutil.rmtree(lab.folder)
