"""Leases: who is training a cell right now, so that nobody else does.

A lease is a file lease.<number> in the cell's folder, created so that only one process can succeed. Its
holder touches it every few seconds. Once it has not been touched for STALE_SECONDS (or its holder on this
host is gone), anybody may take over by creating the next number; nothing is ever renamed or deleted under
another's lease, so two takers cannot both succeed. The highest number is the lease in force.
"""

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clopbench.results.files import Unreadable, read_json

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 120.0
LENGTH = 1024
"""Bytes of a lease. What its holder reports is shorter, so that its file never grows."""
MOST_BYTES = 2**16
MOST_NUMBER = 2**62
_NAME = re.compile(r"lease\.([0-9]{1,9})")
_NUMBERS = {"pid": int, "epoch": int, "epochs": int, "views_per_second": float, "seconds_per_epoch": float}


@dataclass(frozen=True)
class Lease:
    """A lease file and what it says: host, pid, process start, and the progress its holder reports."""

    path: Path
    holder: dict[str, Any]
    age: float
    """Seconds since the last heartbeat, by the file system's own clock."""

    @property
    def number(self) -> int:
        return int(self.path.suffix[1:])

    @property
    def stale(self) -> bool:
        """True where the holder is known to be gone, or has not been heard of for STALE_SECONDS."""
        if self.holder.get("host") == _host():
            pid, started = self.holder.get("pid"), self.holder.get("started")
            return pid is None or _process_start(pid) != started
        # A heartbeat from the future is none: somebody has copied the file, or set its time.
        return abs(self.age) > STALE_SECONDS


class Held:
    """A lease of ours. Use as a context manager: the heartbeat stops and the lease goes at the end."""

    def __init__(self, path: Path, holder: dict[str, Any]):
        self.path = path
        self.holder = holder
        self._length = len(_encoded(holder))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Held":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for path, number in _numbered(self.path.parent):
            if number <= int(self.path.suffix[1:]):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def report(self, **progress: Any) -> None:
        """Say how far the cell is; readers see it in `Lease.holder`."""
        content = _encoded(self.holder | progress)
        # One small write over the old content, never shorter than it: a reader sees the one or the other.
        self._length = max(self._length, len(content))
        with contextlib.suppress(OSError):
            handle = os.open(self.path, os.O_WRONLY)
            try:
                os.write(handle, content.ljust(self._length))
            finally:
                os.close(handle)

    @property
    def in_force(self) -> bool:
        """False once another process has taken over (we were thought dead): then leave, write nothing."""
        numbers = [number for _, number in _numbered(self.path.parent)]
        return bool(numbers) and max(numbers) == int(self.path.suffix[1:])

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self.path)


def acquire(folder: Path) -> Held | None:
    """Take the lease on a cell's folder, over from a stale one if need be; None where it is held by another."""
    folder.mkdir(parents=True, exist_ok=True)
    present = current(folder)
    if present is not None and not present.stale:
        return None
    path = folder / f"lease.{present.number + 1 if present else 1}"
    holder = {"host": _host(), "pid": os.getpid(), "started": _process_start(os.getpid())}
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_encoded(holder))
    except OSError:  # A full disk: without its holder's name the lease would block the cell until it is stale.
        path.unlink(missing_ok=True)
        raise
    return Held(path, holder)


def current(folder: Path, now: float | None = None) -> Lease | None:
    """The lease in force in a cell's folder, or None. now: from `filesystem_now`, where many are looked at."""
    for path, _ in sorted(_numbered(folder), key=lambda entry: -entry[1]):
        try:
            touched = path.lstat().st_mtime  # Of a link itself: it takes the name, wherever it leads.
        except OSError:
            continue
        return Lease(path, _holder(path), (filesystem_now(folder) if now is None else now) - touched)
    return None


def _holder(path: Path) -> dict[str, Any]:
    """What a lease says, as far as it is of the kind that we write; what is not is left out."""
    try:
        said = read_json(path, MOST_BYTES)
    except (FileNotFoundError, Unreadable):
        return {}
    if not isinstance(said, dict):
        return {}
    return {key: value for key, value in said.items() if _is_sound(value, _NUMBERS.get(key))}


def _is_sound(value: Any, kind: type | None) -> bool:
    if kind is None:
        return isinstance(value, str | int | float | None)
    number = isinstance(value, kind if kind is int else int | float) and not isinstance(value, bool)
    return number and 0 <= value < MOST_NUMBER


def _encoded(holder: dict[str, Any]) -> bytes:
    """As text of LENGTH at least: whoever reads a file while it grows gets pieces of two reports."""
    return json.dumps(holder).encode().ljust(LENGTH)


def _numbered(folder: Path) -> Iterator[tuple[Path, int]]:
    # os.listdir, because this is done for thousands of folders, most of which are not there or hold no lease.
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if named := _NAME.fullmatch(name):
                yield folder / name, int(named[1])


def filesystem_now(folder: Path) -> float:
    """The time by the clock that stamps the heartbeats: a server's clock may differ from this host's."""
    probe = folder / f".now.{os.getpid()}.{threading.get_ident()}"
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return time.time()
    return now


def _host() -> str:
    """Where a pid has a meaning: host, boot and process namespace (containers share host names)."""
    marks = [socket.gethostname()]
    with contextlib.suppress(OSError):
        marks.append(
            Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8", errors="replace").strip()
        )
        marks.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(marks)


def _process_start(pid: int) -> str | None:
    """A mark that tells a process from a later one with the same pid; None where it is gone or a zombie."""
    if not Path("/proc/self/stat").exists():
        return _alive_without_proc(pid)
    try:
        state, *fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return None if state == "Z" else fields[18]


def _alive_without_proc(pid: int) -> str | None:
    """Without /proc (macOS) the pid alone has to do."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "alive"
