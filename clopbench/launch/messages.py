"""What a launcher and its workers tell each other: a Task goes down, an End comes back.

A worker says how its cell ended on a channel of its own, just before it exits. Its exit status decides nothing
while it has said something, and never speaks for success: whatever a method does to its process (sys.exit(0),
os._exit(75), a signal), a worker that has said nothing has failed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any, TypedDict

Failure = Mapping[str, str]
"""class (one of FAILURE_CLASSES), message, traceback."""


class Task(TypedDict):
    """One cell to run."""

    cell: Mapping[str, Any]
    results: str
    method_folders: list[str]
    launch: Mapping[str, Any]
    """A LaunchConfig as plain data."""
    data: str
    """The folder of prepared data sets, which a fork server's environment need not name."""
    device: str
    gpu: str | None
    """The GPU that this cell gets, as CUDA_VISIBLE_DEVICES names it; several with commas between them."""
    followers: Sequence[Connection]
    """The other processes of a Slurm task or of torchrun, which run their share of a cell's ranks."""
    since: float
    """When the launcher started: a failure recorded later than this is not tried again."""
    provenance: Mapping[str, Any]


class Ending(StrEnum):
    """How a worker, or a rank of one, came to its end."""

    RECORDED = "recorded"
    """The record is written; of a rank: it has done its share."""
    HELD = "held"
    """Another process holds the cell (or took it over); nothing was written."""
    STOPPED = "stopped"
    """Asked to stop in the middle of training; the checkpoint is saved and no record was written."""
    LEFT = "left"
    """Asked to stop before or after training; no record was written."""
    UNWRITTEN = "unwritten"
    """The record could not be written, say to a full disk; the checkpoint is kept."""
    FAILED = "failed"
    """It has said why, and has recorded nothing."""
    DIED = "died"
    """It has said nothing. Never sent."""


Said = tuple[Ending, Failure | None]
"""A worker's last words; with a failure where it has recorded none itself."""

STOPS = (Ending.STOPPED, Ending.LEFT)


@dataclass(frozen=True)
class End:
    """What a worker said of its end, and the exit status of its process (negative: a signal)."""

    ending: Ending
    status: int = 0
    failure: Failure | None = None


def tell(channel: Connection, ending: Ending, failure: Failure | None = None) -> None:
    """Say how this process's cell ended. The first word counts."""
    channel.send_bytes(json.dumps([ending, failure]).encode())


def heard(channel: Connection, status: int) -> End:
    """How a process ended that has exited with this status, by what it said before."""
    try:
        if channel.poll():
            word, failure = json.loads(channel.recv_bytes())
            return End(Ending(word), status, failure)
    except (EOFError, OSError, ValueError, TypeError):  # Nothing, or half a message, or none of ours.
        pass
    return End(Ending.DIED, status)
