"""Real runs from outside: started as a shell would, watched, and what they left compared."""

import os
import subprocess
import sys
import time
from pathlib import Path

from checkout import ROOT

from clopbench.results import leases
from clopbench.results.index import scan
from clopbench.results.records import RESULT_STATUSES, Store

METHOD = '''
"""A third party's method, which fails as it is told."""
import os, signal, torch
from clopbench.contrastive import info_nce
from clopbench.method import Method, Positive

class Theirs(Method):
    name, version = "theirs", 1

    def __init__(self, dim: int, num_classes: int, *, fault: str = "none", generator: torch.Generator):
        super().__init__()
        self.fault, self.calls = fault, 0

    def loss(self, batch):
        self.calls += 1
        total = info_nce(batch.z_VBD, 0.2)
        if self.calls == 3:
            if self.fault == "raise":
                raise RuntimeError("the third step went wrong")
            if self.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "memory":
                raise torch.OutOfMemoryError("too large")
            if self.fault == "not_a_number":
                total = total * float("nan")
            if self.fault == "exit":
                os._exit(9)
        return {"total": total}
'''


def digests(results: Path) -> dict[str, str]:
    """Cell → SHA-256 of its numbers, for all results in a folder."""
    entries = scan(Store(results)).values()
    return {e.id: e.content["result_digest"] for e in entries if e.status in RESULT_STATUSES}


def leftovers(results: Path) -> list[str]:
    """Files of cells that should not outlive a run; a checkpoint stays until there is a result."""
    kept = {"record.json", "history.csv", "spectrum.npy", "run.log", "embeddings.npz"}
    done = digests(results)
    return [
        str(path)
        for path in results.glob("??/*/*")
        if path.name not in kept and (path.name != "checkpoint.pt" or path.parent.name in done)
    ]


def start(arguments: list[str], **options) -> "subprocess.Popen[str]":
    """`bench …` as its own process group, as a shell would start it."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        [sys.executable, "-c", "from clopbench.cli.main import main; main()", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env=variables | {"BENCH_SUITE": str(ROOT)}, **options,
    )  # fmt: skip


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def holder(results: Path, epoch: int) -> int | None:
    """The worker's pid, once it is past an epoch."""
    for folder in results.glob("??/*"):
        lease = leases.current(folder)
        if lease is not None and lease.holder.get("epoch", 0) >= epoch:
            return lease.holder["pid"]
    return None
