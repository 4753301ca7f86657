"""A cell that is killed in the middle must go on and end with the bits of one that was left alone."""

import time
from pathlib import Path
from typing import Any

from commands import kill, run, start

from clopbench.results.records import Record, Store

TABLE = "table7"
WORDS = (TABLE, "--seeds", "1", "--only", "prototypes=orthonormal")
GPU = ("--scale", "gpu", "--device", "cuda", "training.epochs=6", "launch.checkpoint_seconds=0")
TINY = ("--scale", "laptop", "--device", "cpu", "training.epochs=6", "launch.checkpoint_seconds=0")


def train(folder: Path, kills: int, tiny: bool, deadline: float) -> dict[str, Any] | None:
    """Train the cell; as often as `kills` says it is ended by SIGKILL soon after it has saved a checkpoint."""
    words = ["run", *WORDS, *(TINY if tiny else GPU), "--results", str(folder)]
    for _ in range(kills):
        process = start(words)
        while process.poll() is None and not _saved(folder) and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is not None:
            return {"right": False, "said": process.communicate()[0].strip().splitlines()[-5:]}
        kill(process)
    done = run(words, deadline)
    if done is None:
        return None
    record = _record(folder)
    resumed = bool(record.provenance.get("resumed")) if record else None
    return {"right": done.code == 0 and resumed == bool(kills), "resumed": resumed}


def compare(folders: dict[str, Path]) -> dict[str, Any] | None:
    """The digest of each result: everything in a record that training and evaluation have computed."""
    records = {name: _record(folder) for name, folder in folders.items()}
    if None in records.values():
        return None
    digests = {name: record.result_digest for name, record in records.items() if record}
    return {"right": len(set(digests.values())) == 1, "digests": digests}


def _saved(folder: Path) -> bool:
    return any(folder.glob("*/*/checkpoint.pt"))


def _record(folder: Path) -> Record | None:
    ids = [path.name for path in folder.glob("??/*")]
    return Store(folder).read(ids[0]) if ids else None
