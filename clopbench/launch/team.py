"""Several processes for one cell, as srun or torchrun starts them: the first one leads, the others follow.

The leader does what a single process would. A follower connects to it and runs its share of each cell's ranks,
until the leader is gone. Connections are authenticated with a key that only whoever may read it finds, and are
kept alive, so that either side hears within a minute that the other's machine is dead.
"""

import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge, wait
from typing import Any

from clopbench.errors import UserError
from clopbench.launch.crew import Crew, Order
from clopbench.launch.devices import visible_gpus
from clopbench.launch.local import PRELOAD, process_context
from clopbench.launch.messages import End, Ending

START_SECONDS = 300.0
"""So long may the processes of one task take to start, on all nodes."""
HANDSHAKE_SECONDS = 10
LOOK_SECONDS = 0.5
# A dead machine says nothing: asked after 20 silent seconds, then three times.
KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class Missing(Exception):
    """Not all processes of a task came."""


@dataclass(frozen=True)
class Seat:
    """A process among those that were started together; `local` counts those of its machine."""

    number: int
    count: int
    local: int = 0

    @classmethod
    def in_slurm(cls, environment: Mapping[str, str] = os.environ) -> "Seat":
        """From the variables that srun sets; the only one, where there are none."""
        number, local = (int(environment.get(name) or 0) for name in ("SLURM_PROCID", "SLURM_LOCALID"))
        return cls(number, int(environment.get("SLURM_STEP_NUM_TASKS") or 1), local)

    def gpus(self, device: str, share: int) -> list[str]:
        """The GPUs of this process's ranks; none where cells run on the CPU. Raises UserError for too few.

        Processes of a machine that all see its GPUs take them in turn; where each sees its own, those.
        """
        found = [] if device == "cpu" else visible_gpus()
        if not found and device != "cuda":
            return []
        first = 0 if len(found) == share else self.local * share
        if len(found) < first + share:
            raise UserError(
                f"training.devices: process {self.local + 1} of its machine needs {share} GPUs, "
                f"and {len(found)} are visible there in all"
            )
        return found[first : first + share]


def lead(seat: Seat, publish: Callable[[str], None], stopping: Callable[[], bool]) -> list[Connection]:
    """Wait for the other processes; returns connections in the order of their seats.

    publish: makes the text, which holds address and key, known to them alone. Raises Missing.
    """
    key, found = secrets.token_bytes(32), dict[int, Connection]()
    deadline = time.monotonic() + START_SECONDS
    with socket.create_server(("", 0)) as server:
        server.settimeout(LOOK_SECONDS)
        hosts = [socket.gethostname(), os.environ.get("SLURM_LAUNCH_NODE_IPADDR")]
        place = {"hosts": [host for host in hosts if host], "port": server.getsockname()[1]}
        publish(json.dumps(place | {"key": key.hex()}))
        while len(found) < seat.count - 1:
            if stopping() or time.monotonic() > deadline:
                came = f"{len(found) + 1} of {seat.count} processes of the task"
                raise Missing(f"only {came} came within {START_SECONDS:.0f} s")
            with contextlib.suppress(TimeoutError):
                peer, _ = server.accept()
                with peer, contextlib.suppress(OSError, EOFError, AuthenticationError, ValueError):
                    connection = _greeted(peer, key, leading=True)
                    found[int(connection.recv_bytes(16))] = connection
    return [found[number] for number in sorted(found)]


def follow(seat: Seat, find: Callable[[], str | None]) -> int:
    """Run this process's share of every cell of the leader, until it is gone; returns an exit status.

    find: the text that the leader published, or None where it is not there yet. Raises Missing.
    """
    for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # The leader hears of it too, and decides.
    connection, host = _reach(seat, find)
    context = process_context()
    context.set_forkserver_preload(PRELOAD)
    crew, order = None, None
    while True:
        ready = wait([connection, *(crew.sentinels if crew else [])])
        if crew is not None and order is not None:
            for rank, end in crew.ended(ready).items():
                _report(connection, order, rank, end)
        if connection not in ready:
            continue
        if crew is not None:
            crew.kill()
        try:
            order = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return 0
        crew = _start(seat, order, host, context, connection) if order is not None else None


def _start(seat: Seat, order: Order, host: str, context: Any, connection: Connection) -> Crew | None:
    """The ranks of this process; where they cannot start, the leader is told why."""
    first = seat.number * order["share"]
    try:
        gpus = seat.gpus(order["task"]["device"], order["share"])
    except UserError as error:
        failure = {"class": "node", "message": str(error), "traceback": ""}
        _report(connection, order, first, End(Ending.FAILED, 0, failure))
        return None
    return Crew(order, first, f"tcp://{host}:{order['port']}", gpus, context=context)


def _report(connection: Connection, order: Order, rank: int, end: End) -> None:
    said = [order["serial"], rank, end.ending, end.status, end.failure]
    with contextlib.suppress(OSError):  # Gone: the next look at the connection says so.
        connection.send_bytes(json.dumps(said).encode())


def _reach(seat: Seat, find: Callable[[], str | None]) -> tuple[Connection, str]:
    """The connection to the leader, and the name by which its machine was reached."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        text = find()
        if text is not None:
            place = json.loads(text)
            for host in _names(place["hosts"]):
                with contextlib.suppress(OSError, EOFError, AuthenticationError):
                    with socket.create_connection((host, place["port"]), HANDSHAKE_SECONDS) as peer:
                        peer.settimeout(None)
                        connection = _greeted(peer, bytes.fromhex(place["key"]), leading=False)
                    connection.send_bytes(str(seat.number).encode())
                    return connection, host
        time.sleep(LOOK_SECONDS)
    raise Missing(f"the first process of the task was not reached within {START_SECONDS:.0f} s")


def _names(hosts: list[str]) -> list[str]:
    """Names to try: on the leader's own machine loopback first, which needs no name to be resolved."""
    return ["127.0.0.1", *hosts] if hosts[0] == socket.gethostname() else hosts


def _greeted(peer: socket.socket, key: bytes, leading: bool) -> Connection:
    """An authenticated connection over a socket, which may be closed. Raises OSError, AuthenticationError."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # macOS names one of them otherwise.
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", HANDSHAKE_SECONDS, 0))
    connection = Connection(os.dup(peer.fileno()))
    try:
        for step in (deliver_challenge, answer_challenge) if leading else (answer_challenge, deliver_challenge):
            step(connection, key)
    except BaseException:
        connection.close()
        raise
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
    return connection
