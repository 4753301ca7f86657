"""A cell on several devices: starts its ranks, watches them, and ends the others where one dies.

A rank that dies leaves the others waiting for it, for ever on a GPU. So no rank is trusted to notice: the
worker that holds the cell's lease trains nothing itself, but sees every rank end, and says why.
"""

import json
import math
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from clopbench.cell import Cell
from clopbench.launch import outcomes
from clopbench.launch.crew import Crew, Order, free_port
from clopbench.launch.messages import STOPS, End, Ending, Failure, Said, Task
from clopbench.results import leases
from clopbench.training.stop import StopRequest

GRACE_SECONDS = 3.0
"""After one rank has ended badly, the others have so long to end too, and to say why."""
FORWARD_SECONDS = 1.0
"""A stop is passed on this often, until all have left: a process that is only starting may miss one."""


def supervise(task: Task, cell: Cell, held: leases.Held, stop: StopRequest) -> Said:
    """Run a cell's ranks, here and in the followers; how the cell ended.

    devices must be a multiple of the number of processes, each of which runs an equal share.
    """
    stop.training = True  # Signals are noted here and passed on; the ranks save and leave.
    followers, size = list(task["followers"]), cell.training.devices
    kills = outcomes.memory_kills()
    with _meeting_point(followers) as (address, port):
        plain: Any = {**task, "followers": [], "gpu": None}
        share = size // (1 + len(followers))
        order = Order(task=plain, size=size, share=share, port=port, serial=time.time_ns())
        for follower in followers:
            _tell(follower, order)
        gpus = task["gpu"].split(",") if task["gpu"] else []
        crew = Crew(order, 0, address, gpus, held)
        try:
            ends = _watch(crew, followers, order, stop)
        finally:
            crew.kill()
            for follower in followers:
                _tell(follower, None)
    first = ends.get(0)
    if first is not None and first.ending in (Ending.RECORDED, Ending.HELD, Ending.UNWRITTEN):
        return first.ending, None
    endings = {end.ending for end in ends.values()} - {Ending.RECORDED}
    if stop.requested or endings <= set(STOPS):
        saved = first is not None and first.ending is Ending.STOPPED
        return (Ending.STOPPED if saved else Ending.LEFT), None
    failure = cause(ends, size, outcomes.memory_kills() - kills)
    print(f"{failure['class']}: {failure['message']}", flush=True)
    return Ending.FAILED, failure


def cause(ends: Mapping[int, End], size: int, memory_kills: int = 0) -> Failure:
    """The failure of a cell whose ranks ended like this: that of the rank which ended the others.

    A rank that has died, or is gone, before one that failed by itself; last, those that lost another one.
    """

    def weight(rank: int) -> tuple[int, int]:
        end = ends[rank]
        if end.failure is None or end.ending is Ending.DIED:
            return 0, rank
        return (2 if end.failure["class"] == "node" else 1), rank

    worst = min((rank for rank, end in ends.items() if end.ending not in (Ending.RECORDED, *STOPS)), key=weight)
    failure = outcomes.failure_of(ends[worst], memory_kills=memory_kills)
    return {**failure, "message": f"rank {worst} of {size}: {failure['message']}"}


def _watch(crew: Crew, followers: list[Connection], order: Order, stop: StopRequest) -> dict[int, End]:
    """How the ranks ended, all of them or those that did so soon after the first that ended badly."""
    ends: dict[int, End] = {}
    deadline, forwarded = math.inf, -math.inf
    listening = list(followers)
    while len(ends) < order["size"] and time.monotonic() < deadline:
        ready = wait([*crew.sentinels, *listening], timeout=0.5)
        found = crew.ended(ready)
        for number, follower in enumerate(followers, 1):
            if follower in ready and follower in listening:
                found |= _heard(follower, number, order, listening)
        ends = found | ends
        if any(end.ending is not Ending.RECORDED for end in found.values()):
            deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        if stop.requested and time.monotonic() - forwarded >= FORWARD_SECONDS:
            forwarded = time.monotonic()
            crew.signal(signal.SIGUSR2)
    return ends


def _heard(follower: Connection, number: int, order: Order, listening: list[Connection]) -> dict[int, End]:
    """What a follower says of one of its ranks; that they are gone, where it is."""
    try:
        serial, rank, ending, status, failure = json.loads(follower.recv_bytes())
        return {rank: End(Ending(ending), status, failure)} if serial == order["serial"] else {}
    except (EOFError, OSError):
        listening.remove(follower)
        first = number * order["share"]
        message = f"its process ({number} of the task's {order['size'] // order['share']}) is gone"
        failure = {"class": "node", "message": message, "traceback": ""}
        return dict.fromkeys(range(first, first + order["share"]), End(Ending.DIED, 0, failure))


def _tell(follower: Connection, order: Order | None) -> None:
    """Send an order, or None to end whatever is still running. Where nobody listens, `_heard` finds out."""
    with suppress(OSError):
        follower.send_bytes(json.dumps(order).encode())


@contextmanager
def _meeting_point(followers: Sequence[Connection]) -> Iterator[tuple[str, int]]:
    """Where ranks meet: in a file, or, where there are followers, at a port of this machine."""
    if followers:
        port = free_port()
        yield f"tcp://localhost:{port}", port
        return
    with tempfile.TemporaryDirectory(prefix="clop-bench-ranks-", ignore_cleanup_errors=True) as folder:
        yield (Path(folder) / "store").as_uri(), 0
