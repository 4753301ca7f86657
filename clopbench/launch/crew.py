"""The ranks of one cell that run on this machine, each in its own process."""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

from clopbench.cell import Cell
from clopbench.launch.child import Child, say_end
from clopbench.launch.messages import End, Ending, Said, Task
from clopbench.launch.recording import CHECKPOINT, run_and_record
from clopbench.results import leases
from clopbench.results.records import Store
from clopbench.training.place import Place
from clopbench.training.stop import Stopped, StopRequest

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


class Order(TypedDict):
    """A cell for all processes that share it: each runs `share` of its `size` ranks."""

    task: Task
    size: int
    share: int
    port: int
    """Where rank 0 listens, on its machine."""
    serial: int
    """Tells what is said of one order from what is said of another."""


class Crew:
    """Ranks first … first + share − 1 of an order, started at once. `address`: where they meet."""

    def __init__(
        self,
        order: Order,
        first: int,
        address: str,
        gpus: Sequence[str],
        held: leases.Held | None = None,
        context: BaseContext | None = None,
    ):
        context = context or _child_context()
        self._members: dict[int, tuple[int, Child]] = {}
        for number in range(order["share"]):
            place = Place(first + number, order["size"], address)
            gpu = gpus[number] if gpus else None
            lease = (str(held.path), held.holder) if held is not None and place.first else None
            given = (order["task"], place, gpu, lease)
            child = Child(context, be_a_rank, *given, name=f"rank {place.rank}")
            self._members[child.sentinel] = (place.rank, child)

    @property
    def sentinels(self) -> list[int]:
        """Of the ranks that have not been seen to end."""
        return list(self._members)

    def ended(self, ready: Iterable[Any]) -> dict[int, End]:
        """How the ranks ended whose sentinels are among `ready`, by rank."""
        found = {}
        for sentinel in [sentinel for sentinel in ready if sentinel in self._members]:
            rank, child = self._members.pop(sentinel)
            found[rank] = child.end()
        return found

    def signal(self, number: int) -> None:
        for _, child in self._members.values():
            with contextlib.suppress(ProcessLookupError):
                if child.process.pid is not None and child.process.is_alive():
                    os.kill(child.process.pid, number)

    def kill(self) -> None:
        """End what is left, and wait for it."""
        for _, child in self._members.values():
            child.process.kill()
        for _, child in self._members.values():
            child.end()
        self._members.clear()


def be_a_rank(
    task: Task,
    place: Place,
    gpu: str | None,
    lease: tuple[str, dict[str, Any]] | None,
    channel: Connection,
) -> None:
    """The process of one rank: trains, and as rank 0, which has the lease, judges and records."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = StopRequest()
    stop.install()
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    os.environ["BENCH_DATA"] = task["data"]
    if gpu is not None:  # Before CUDA starts in this process.
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    if urlsplit(place.store).scheme == "file":  # All on this machine: no other one need hear of it.
        os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK
    store, cell = Store(Path(task["results"])), Cell.from_config(task["cell"])
    held = leases.Held(Path(lease[0]), lease[1]) if lease is not None else None

    def share() -> Said:
        if held is not None:
            return run_and_record(task, store, cell, held, stop, place)
        return _train_along(task, store, cell, stop, place)

    say_end(share, stop, channel)


def _train_along(task: Task, store: Store, cell: Cell, stop: StopRequest, place: Place) -> Said:
    from clopbench.launch.process import choose_device, configure
    from clopbench.launch.run_cell import train_along
    from clopbench.suite.declarations import LaunchConfig
    from clopbench.suite.plugins import Plugins
    from clopbench.training.assembly import Hooks

    launch = LaunchConfig(**task["launch"])
    configure(launch.threads)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} rank {place.rank} {cell.id} pid {os.getpid()}", flush=True)
    hooks = Hooks(lambda _row, _trainer: None, store.folder(cell.id) / CHECKPOINT, launch, stop, place)
    plugins = Plugins([Path(folder) for folder in task["method_folders"]])
    try:
        failure = train_along(cell, plugins, choose_device(task["device"]), hooks)
    except Stopped:
        return Ending.STOPPED, None
    return (Ending.RECORDED, None) if failure is None else (Ending.FAILED, failure)


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def _end_with_the_parent() -> None:
    """Whoever watches over us is gone: nobody would record anything of what we do."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _child_context() -> BaseContext:
    """A worker has everything imported and nothing started: forked, its ranks begin at once."""
    return multiprocessing.get_context("spawn" if sys.platform == "darwin" else "fork")
