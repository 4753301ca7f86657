"""Files that may be anything: reading takes no longer, and no more memory, than the file itself asks for."""

import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from clopbench.errors import visible

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Unreadable(Exception):
    """There is something, but nothing that can be used; the message says why."""


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
    except OSError as error:
        raise Unreadable(_unopened(path) or reason(error)) from None
    except ValueError as error:  # A name that no system takes.
        raise Unreadable(reason(error)) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(_in_place(found))
        if found.st_size > most and last is None:
            raise Unreadable(f"{found.st_size} bytes long, where {most} are the most that is read")
        if last is not None:
            os.lseek(handle, max(0, found.st_size - last), os.SEEK_SET)
        return _all(handle, most if last is None else last)
    except OSError as error:
        raise Unreadable(reason(error)) from None
    finally:
        os.close(handle)


def plain(path: Path) -> Path:
    """The same path, for a reader who would wait for ever at a pipe; there may be nothing at all.

    Raises Unreadable for what is no plain file.
    """
    if os.path.lexists(path) and not path.is_file():
        raise Unreadable(_unopened(path) or "no file")
    return path


def open_to_append(path: Path) -> int:
    """A handle at the end of a plain file, which is made where there is none. Never waits for a reader.

    Raises OSError, and Unreadable for what is no plain file.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if (kind := _unopened(path)) is not None:
            raise Unreadable(kind) from None
        raise error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise Unreadable(_in_place(found))
    return handle


def read_json(path: Path, most: int) -> Any:
    """What a JSON file holds. Raises FileNotFoundError, and Unreadable as `read_bytes` and `parse_json` do."""
    return parse_json(read_bytes(path, most))


def parse_json(content: bytes | str) -> Any:
    """Plain data of JSON in the strict sense, in UTF-8. Raises Unreadable for anything else."""
    try:
        text = content if isinstance(content, str) else content.decode()
        value = json.loads(text, parse_constant=_refuse)
        if r"\ud" in text:  # Half of a surrogate pair could be neither printed nor stored.
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeError as error:
        raise Unreadable(f"not UTF-8 text ({str(error).rpartition(': ')[2]})") from None
    except json.JSONDecodeError:
        raise Unreadable("not valid JSON, perhaps truncated") from None
    except RecursionError:
        raise Unreadable("not valid JSON of ours (nested too deep)") from None
    except ValueError as error:  # Numbers of thousands of digits, NaN.
        raise Unreadable(f"not valid JSON of ours ({str(error).partition(';')[0]})") from None


def is_folder(path: Path) -> bool:
    """Whether there is a folder that one may go to; a link to itself leads to none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def reason(error: Exception) -> str:
    """What went wrong, without the path, which stands beside it."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{words[0].lower()}{words[1:]}"


def shown(path: str | Path) -> str:
    """A path as text on one line that can be printed and stored, whatever bytes it is made of."""
    return visible(os.fsencode(path).decode(errors="backslashreplace"))


def _in_place(found: os.stat_result) -> str:
    return f"{_KINDS.get(stat.S_IFMT(found.st_mode), 'something')} in place of a file"


def _unopened(path: Path) -> str | None:
    """What a path is that cannot even be opened, a socket say; None for a file, or where nobody can tell."""
    try:
        found = path.stat()
    except OSError:
        return None
    return None if stat.S_ISREG(found.st_mode) else _in_place(found)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _all(handle: int, most: int) -> bytes:
    """To the end: a single read may give less than there is. A file that grows meanwhile is cut at `most`."""
    parts, left = [], most
    while left > 0 and (part := os.read(handle, min(left, 2**20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
