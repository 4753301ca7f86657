"""Arrays out of .npy and .npz files whose headers may say anything."""

import io
import math
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from clopbench.results.files import Unreadable, read_bytes


def read_npy(path: Path, most: int) -> np.ndarray:
    """The array of a file. Raises FileNotFoundError, and Unreadable where it is not what its header says."""
    return parse_npy(read_bytes(path, most))


def read_npz(path: Path, most: int, names: Collection[str]) -> dict[str, np.ndarray]:
    """Those of the named arrays that a file holds, of `most` bytes in all. Raises as `read_npy` does."""
    content = read_bytes(path, most)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = {name: members[name] for name in names if name in members}
            if sum(info.file_size for info in wanted.values()) > most:
                raise Unreadable(f"more than {most} bytes of arrays")
            return {name: parse_npy(archive.read(info)) for name, info in wanted.items()}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
        NotImplementedError,
    ) as e:
        raise Unreadable(f"not an archive of arrays ({e})") from None


def parse_npy(content: bytes) -> np.ndarray:
    """The array of an .npy file's content, which must be as long as the header says: nothing is allocated for
    what is not there. Raises Unreadable.
    """
    file = io.BytesIO(content)
    try:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read_header(file)
    except Exception as error:  # The header is a Python literal, so that almost anything may go wrong.
        raise Unreadable(f"not an array ({str(error).splitlines()[0] if str(error) else error!r})") from None
    rest = content[file.tell() :]
    if dtype.hasobject:
        raise Unreadable("an array of objects, not of numbers")
    said = math.prod(shape) * dtype.itemsize
    if said != len(rest):
        raise Unreadable(f"an array of {said} bytes by its header, and {len(rest)} are there")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran else "C")
