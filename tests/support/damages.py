"""Ways in which a cell's folder, or a results folder, is not what we left there."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from clopbench.identity import digest

Damage = tuple[Callable[[Path], object], str]
"""What is done to a cell's folder, and why the record is damaged then."""


def sealed(folder: Path, **changes: Any) -> None:
    """Change fields of a record.json, and make its checksum right again."""
    path = folder / "record.json"
    content = json.loads(path.read_text()) | changes
    content["checksum"] = digest({key: value for key, value in content.items() if key != "checksum"})
    path.write_text(json.dumps(content))


def text(content: str | bytes, name: str = "record.json") -> Callable[[Path], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def instead(make: Callable[[Path], object], name: str = "record.json") -> Callable[[Path], object]:
    """Something else in place of a file."""

    def damage(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return damage


def of_folder(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something else in place of the cell's folder."""

    def damage(folder: Path) -> None:
        shutil.rmtree(folder)
        make(folder)

    return damage


def listening(path: Path) -> None:
    """A socket; its address is relative, because an absolute one may be too long."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def header(shape: str, kind: str = "<f8", rest: bytes = b"\0" * 16) -> bytes:
    """An .npy file that says whatever it likes."""
    words = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(words).to_bytes(2, "little") + words.encode() + rest


def sparse(path: Path) -> None:
    """A file of a terabyte that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(2**40)


def edited(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / "record.json").read_text())
        change(content)
        sealed(folder, **{name: content[name]})

    return damage


RECORDS: dict[str, Damage] = {
    "empty": (text(""), "not valid JSON, perhaps truncated"),
    "a list": (text("[]"), "it does not belong to its folder"),
    "null": (text("null"), "it does not belong to its folder"),
    "5000 digits": (text('{"id": ' + "7" * 5000 + "}"), "not valid JSON of ours (Exceeds the limit"),
    "nested": (text("[" * 10_000 + "]" * 10_000), "not valid JSON of ours (nested too deep)"),
    "not a number": (text('{"id": NaN}'), "not valid JSON of ours (NaN is no number)"),
    "latin-1": (text(b'{"id": "\xe9"}'), "not UTF-8 text"),
    "half a character": (text('{"id": "\\ud800"}'), "not UTF-8 text"),
    "no provenance": (lambda f: sealed(f, provenance=None), "provenance: input should be"),
    "seconds": (lambda f: sealed(f, provenance={"seconds": "x"}), "provenance.seconds: input should be"),
    "ended": (lambda f: sealed(f, provenance={"ended_unix": []}), "provenance.ended_unix: input should be"),
    "test images": (
        lambda f: sealed(f, provenance={"test_images": "x"}),
        "provenance.test_images: input should be",
    ),
    "no test images": (
        lambda f: sealed(f, provenance={"test_images": None}),
        "provenance.test_images: input should be",
    ),
    "metric": (lambda f: sealed(f, metrics={"probe_top1": "0.9"}), "metrics.probe_top1: input should be"),
    "metric too large": (
        lambda f: sealed(f, metrics={"probe_top1": 10**400}),
        "metrics.probe_top1: input should",
    ),
    "no metrics": (lambda f: sealed(f, metrics=[]), "metrics: input should be"),
    "unknown status": (lambda f: sealed(f, status="finished"), "status: input should be"),
    "failure of a result": (
        lambda f: sealed(f, failure={"class": "error", "message": "m", "traceback": ""}),
        "failure: goes with status failed",
    ),
    "failed without": (lambda f: sealed(f, status="failed"), "failure: goes with status failed"),
    "another arm": (lambda f: sealed(f, arm="0" * 16), "its arm or seed does not belong to its config"),
    "another seed": (lambda f: sealed(f, seed=77), "its arm or seed does not belong to its config"),
    "config a text": (lambda f: sealed(f, config="all"), "config: input should be"),
    "config empty": (lambda f: sealed(f, config={}), "config not understood"),
    "another cell": (
        edited("config", lambda content: content["config"].update(seed=78)),
        "its id does not belong to its config",
    ),
    "record a pipe": (instead(os.mkfifo), "a named pipe in place of a file"),
    "record a folder": (instead(Path.mkdir), "a folder in place of a file"),
    "record a socket": (instead(listening), "a socket in place of a file"),
    "record a device": (instead(lambda p: p.symlink_to("/dev/zero")), "a device in place of a file"),
    "record a link to itself": (instead(lambda p: p.symlink_to(p.name)), "too many levels of symbolic links"),
    "record a lost link": (instead(lambda p: p.symlink_to("nowhere")), "a link that leads nowhere"),
    "record of a terabyte": (instead(sparse), "bytes long, where"),
    "history gone": (lambda f: (f / "history.csv").unlink(), "history.csv is gone"),
    "history altered": (text("epoch\n2\n", "history.csv"), "history.csv or spectrum.npy does not belong to it"),
    "history a pipe": (instead(os.mkfifo, "history.csv"), "history.csv: a named pipe in place of a file"),
    "history binary": (text(b"\xff\xfe", "history.csv"), "history.csv: 'utf-8' codec can't decode"),
    "spectrum gone": (lambda f: (f / "spectrum.npy").unlink(), "spectrum.npy is gone"),
    "spectrum empty": (text("", "spectrum.npy"), "spectrum.npy: not an array"),
    "spectrum a pipe": (instead(os.mkfifo, "spectrum.npy"), "spectrum.npy: a named pipe in place of a file"),
    "spectrum of 8 TB": (
        text(header("(10**12,)".replace("10**12", "1000000000000")), "spectrum.npy"),
        "8000000000000",
    ),
    "spectrum of less than nothing": (text(header("(-2,)"), "spectrum.npy"), "spectrum.npy: "),
    "spectrum of objects": (text(header("(2,)", "|O"), "spectrum.npy"), "an array of objects"),
    "spectrum of a page": (text(header("(2, 1)"), "spectrum.npy"), "not a row of finite numbers"),
    "spectrum of NaN": (
        lambda f: np.save(f / "spectrum.npy", np.array([np.nan, 1.0])),
        "not a row of finite numbers",
    ),
    "spectrum altered": (lambda f: np.save(f / "spectrum.npy", np.array([0.8, 0.61])), "does not belong to it"),
    "folder a file": (of_folder(Path.touch), "not a directory"),
    "folder a pipe": (of_folder(os.mkfifo), "not a directory"),
    "folder a link to itself": (of_folder(lambda p: p.symlink_to(p.name)), "too many levels of symbolic links"),
    "folder a lost link": (
        of_folder(lambda p: p.symlink_to("nowhere")),
        "its folder is a link that leads nowhere",
    ),
}

BESIDE: dict[str, Damage] = {
    "embeddings empty": (text("", "embeddings.npz"), "not an archive of arrays"),
    "embeddings a pipe": (lambda f: os.mkfifo(f / "embeddings.npz"), "a named pipe in place of a file"),
    "embeddings without labels": (
        lambda f: np.savez(f / "embeddings.npz", z_ND=np.ones((2, 2))),
        "holds no y_N",
    ),
}
"""Of a file that is no part of the record, which stays a result."""
