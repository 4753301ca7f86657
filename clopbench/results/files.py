"""Reading files that may be anything: it takes no longer, and no more memory, than the file itself asks for."""

import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Unreadable(Exception):
    """There is something, but no content can be had from it; the message says why."""


def read_bytes(path: Path, most: int, last: int | None = None) -> bytes:
    """The content of a plain file; of `last` bytes only the end. Never waits for a writer.

    Raises FileNotFoundError where there is nothing, and Unreadable for a file that cannot be read, is no plain
    file, or is longer than `most` bytes.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        if os.path.lexists(path):
            raise Unreadable("a link that leads nowhere") from None
        raise
    except (OSError, ValueError) as error:
        raise Unreadable(reason(error)) from None
    with os.fdopen(handle, "rb", buffering=0) as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(f"{_KINDS.get(stat.S_IFMT(found.st_mode), 'something')} in place of a file")
        if found.st_size > most:
            raise Unreadable(f"{found.st_size} bytes long, where {most} are the most that is read")
        try:
            if last is not None:
                file.seek(max(0, found.st_size - last))
            return _all(file.fileno(), most)
        except OSError as error:
            raise Unreadable(reason(error)) from None


def reason(error: Exception) -> str:
    """What went wrong, without the path, which stands beside it."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{words[0].lower()}{words[1:]}"


def _all(handle: int, most: int) -> bytes:
    """To the end: a single read may give less than there is. A file that grows meanwhile is cut at `most`."""
    parts, left = [], most
    while left > 0 and (part := os.read(handle, min(left, 2**20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
