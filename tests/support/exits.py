"""A method that ends its process in the way that is asked for, and a benchmark with a cell for each way."""

import signal
from pathlib import Path

import yaml
from checkout import ROOT, suite_of

from clopbench.suite.suite import Suite

ENDS = {
    "raise": ("raise RuntimeError('as it should')", "error: RuntimeError: as it should"),
    "exit_none": ("sys.exit()", "the cell's own code ended its process (SystemExit)"),
    "exit_text": ("sys.exit('text')", "the cell's own code ended its process (SystemExit: text)"),
    "interrupt": ("raise KeyboardInterrupt", "the cell's own code ended its process (KeyboardInterrupt)"),
    "generator_exit": ("raise GeneratorExit", "the cell's own code ended its process (GeneratorExit)"),
    "last_words": (
        "print('the disk is on fire', flush=True); os._exit(9)",
        "error: the worker ended with status 9: the disk is on fire",
    ),
    "abort": ("os.abort()", "killed: the worker was killed by SIGABRT"),
    "term": ("os.kill(os.getpid(), signal.SIGTERM)", "killed: the worker was asked to stop"),
    "usr2": ("os.kill(os.getpid(), signal.SIGUSR2)", "killed: the worker was asked to stop"),
    "realtime": (
        f"os.kill(os.getpid(), {int(signal.SIGRTMIN) + 3})",
        "killed: the worker was killed by signal",
    ),
    "record_gone": (
        "shutil.rmtree(here()); os._exit(0)",
        "error: the worker ended with status 0 and no record",
    ),
}
"""Name → what the method does in its first step, and how the failure begins or what it holds."""
# Among them all statuses that have meant something to a launcher: done, failed, stopped, held, not written.
for status in (0, 1, 3, 74, 75, 76, 77, 128 + signal.SIGTERM, 128 + signal.SIGUSR2, 255):
    ENDS[f"status_{status}"] = (f"os._exit({status})", f"the worker ended with status {status}")
for status in (0, 75, 143):
    ENDS[f"exit_{status}"] = (f"sys.exit({status})", f"its process (SystemExit: {status})")

METHOD = f'''
"""Ends its process."""
import os, shutil, signal, sys, torch
from clopbench.method import Method

ENDS = { ({name: source for name, (source, _) in ENDS.items()})!r}

def here():
    return os.path.dirname(os.readlink("/proc/self/fd/1"))

class Leaver(Method):
    name, version = "leaver", 1

    def __init__(
        self, dim: int, num_classes: int, *, end: str = "raise", rank: int = -1, generator: torch.Generator
    ):
        super().__init__()
        self.end, self.rank = end, rank

    def loss(self, batch):
        if self.rank in (-1, torch.distributed.get_rank() if torch.distributed.is_initialized() else -1):
            exec(ENDS[self.end])
        return {{"total": batch.z_VBD.sum()}}
'''


def suite_of_ends(folder: Path) -> Suite:
    """A suite with the benchmark `ends` alone: a cell for each way to end."""
    suite = suite_of(folder)
    (folder / "methods" / "leaver.py").write_text(METHOD)
    axes = {"end": {name: {"method.end": name} for name in ENDS}}
    rest = yaml.safe_load((ROOT / "benchmarks" / "table8b.yaml").read_text())
    rest |= {"title": "Ends", "axes": axes, "method": {"name": "leaver"}}
    (folder / "benchmarks" / "ends.yaml").write_text(yaml.safe_dump(rest, sort_keys=False))
    return suite
