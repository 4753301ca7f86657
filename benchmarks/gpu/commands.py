"""Commands of the suite as processes of their own, which end by a given moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = [sys.executable, "-c", "import sys; from clopbench.cli import main; sys.exit(main.main())"]
"""`bench`, also where the package lies in a folder of wheels and has no script."""
GRACE_SECONDS = 30.0
"""For what was interrupted to save its checkpoints."""


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str


def start(words: Sequence[str], bench: bool = True) -> subprocess.Popen[str]:
    """A process of its own session, so that all that belongs to it can be ended together."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [*(BENCH if bench else ()), *words], cwd=ROOT, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def run(words: Sequence[str], deadline: float, bench: bool = True) -> Ended | None:
    """Run to the end; None where it had to be interrupted at the deadline (time.monotonic)."""
    process = start(words, bench)
    try:
        out, _ = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            kill(process)
        return None
    if process.returncode:
        print(out)
    return Ended(process.returncode, out)


def kill(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started, without a chance to save anything."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
