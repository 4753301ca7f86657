"""The results store: one folder per cell, plain files and renames, no database.

results/<first two of id>/<id>/ holds record.json, history.csv, spectrum.npy, run.log, for seed 0 embeddings
(embeddings.npz, no part of the record) and, while the cell runs, its lease. record.json is written last and is
the only sign that a cell has ended. It carries a checksum of itself: a record that was truncated or altered is
reported, never used and never overwritten.
"""

import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.identity import ID_DIGITS, digest, identity
from clopbench.results.arrays import read_npy
from clopbench.results.files import Unreadable, read_bytes, read_json
from clopbench.results.schema import FAILURE_CLASSES, RESULT_STATUSES, SCHEMA, problem

__all__ = ["FAILURE_CLASSES", "RESULT_STATUSES", "SCHEMA"]
PARTIAL = ".partial-"
RECORD, HISTORY, SPECTRUM = "record.json", "history.csv", "spectrum.npy"
MOST_BYTES = {RECORD: 2**22, HISTORY: 2**26, SPECTRUM: 2**24}
"""No file of ours comes near: epochs by the million, embeddings of a million dimensions."""


class DamagedRecord(Exception):
    """A record that cannot be trusted; the message says why."""


@dataclass(frozen=True)
class Record:
    """One cell's outcome. status: done, collapsed or diverged (a result) or failed (see `failure`)."""

    cell: Cell
    status: str
    metrics: dict[str, float | None] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """Why the status is what it is: the collapse rule, or where the loss stopped being finite."""
    pairing: dict[str, str] = field(default_factory=dict)
    """SHA-256 of what paired cells must share: labelled subset and initial weights."""
    provenance: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, str] | None = None
    """class (one of FAILURE_CLASSES), message, traceback (last lines)."""
    history: str = ""
    """Per-epoch values as CSV text."""
    spectrum: tuple[float, ...] = ()
    """Singular values of the final embeddings."""

    @property
    def is_result(self) -> bool:
        return self.status in RESULT_STATUSES

    @property
    def result_digest(self) -> str:
        """SHA-256 of the numbers alone: equal for two runs that came to the same bits."""
        parts = [self.status, self.metrics, self.pairing, self.history, list(self.spectrum)]
        return digest(parts)

    def to_json(self) -> dict[str, Any]:
        """The content of record.json, checksum included."""
        content = {
            "schema": SCHEMA,
            "id": self.cell.id,
            "arm": self.cell.arm,
            "seed": self.cell.seed,
            "config": self.cell.config(),
            "status": self.status,
            "metrics": self.metrics,
            "notes": self.notes,
            "pairing": self.pairing,
            "provenance": self.provenance,
            "failure": self.failure,
            "result_digest": self.result_digest,
        }
        return content | {"checksum": digest(content)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], history: str, spectrum: tuple[float, ...]) -> "Record":
        """The inverse of `to_json`. Raises DamagedRecord where anything does not agree."""
        schema = content.get("schema")
        if schema != SCHEMA:
            raise DamagedRecord(f"schema {schema}, this version reads {SCHEMA}")
        try:
            return cls._from_json(content, history, spectrum)
        except UserError as error:
            raise DamagedRecord(f"config not understood: {error}") from None
        except (ValueError, TypeError, RecursionError) as error:  # Of digests: no numbers, or nested too deep.
            raise DamagedRecord(f"not the content of a record ({error})") from None

    @classmethod
    def _from_json(cls, content: Mapping[str, Any], history: str, spectrum: tuple[float, ...]) -> "Record":
        if content.get("checksum") != digest({k: v for k, v in content.items() if k != "checksum"}):
            raise DamagedRecord("altered after it was written (checksum)")
        if (wrong := problem(content)) is not None:
            raise DamagedRecord(wrong)
        cell = Cell.from_config(content["config"])
        kept = ("status", "metrics", "notes", "pairing", "provenance", "failure")
        record = cls(cell, **{key: content[key] for key in kept}, history=history, spectrum=spectrum)
        canonical = cell.canonical()
        if identity(canonical) != content["id"]:
            raise DamagedRecord("its id does not belong to its config")
        seed = canonical.pop("seed")
        if (seed, digest(canonical)[:ID_DIGITS]) != (content["seed"], content["arm"]):
            raise DamagedRecord("its arm or seed does not belong to its config")
        if record.result_digest != content["result_digest"]:
            raise DamagedRecord("history.csv or spectrum.npy does not belong to it")
        return record


class Store:
    """The folder that holds all records."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def folder(self, cell_id: str) -> Path:
        return self.root / cell_id[:2] / cell_id

    def record_path(self, cell_id: str) -> Path:
        return self.folder(cell_id) / "record.json"

    def ensure_writable(self) -> None:
        """Raise UserError unless files can be made here; nothing is left behind."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise UserError(f"results folder {self.root} is not writable: {error.strerror}") from None

    def read(self, cell_id: str) -> Record | None:
        """The record of a cell, or None where there is none. Raises DamagedRecord."""
        found = self._open(cell_id)
        return None if found is None else found[1]

    def content(self, cell_id: str) -> dict[str, Any] | None:
        """What `read` would give, as `Record.to_json` has it. Raises DamagedRecord."""
        found = self._open(cell_id)
        return None if found is None else up_to_date(*found)

    def _open(self, cell_id: str) -> tuple[dict[str, Any], Record] | None:
        """What record.json holds and the record that it makes, or None."""
        folder = self.folder(cell_id)
        try:
            content = read_json(folder / RECORD, MOST_BYTES[RECORD])
        except FileNotFoundError:
            return None
        except Unreadable as damage:
            raise DamagedRecord(str(damage)) from None
        if not isinstance(content, dict) or content.get("id") != cell_id:
            raise DamagedRecord("it does not belong to its folder")
        if content.get("status") not in RESULT_STATUSES:
            return content, Record.from_json(content, "", ())
        return content, Record.from_json(content, _history(folder), read_spectrum(folder))

    def write(self, record: Record) -> Path:
        """Write a record so that a reader sees all of it or nothing. Returns the path of record.json."""
        folder = self.folder(record.cell.id)
        folder.mkdir(parents=True, exist_ok=True)
        if record.is_result:
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(record.spectrum, dtype=np.float64))
            write_atomic(folder / "history.csv", record.history.encode())
            write_atomic(folder / "spectrum.npy", buffer.getvalue())
        path = folder / "record.json"
        text = json.dumps(record.to_json(), indent=1, sort_keys=True, allow_nan=False) + "\n"
        write_atomic(path, text.encode())
        return path

    def sweep(self, cell_id: str) -> None:
        """Remove what a process that was killed while writing left half done; for the cell's holder only."""
        for path in self.folder(cell_id).glob(f"{PARTIAL}*"):
            path.unlink(missing_ok=True)

    def find(self, prefix: str) -> list[str]:
        """Ids of the cells with a folder whose id starts with `prefix` (two digits at least)."""
        if len(prefix) < 2:
            return []
        try:
            names = os.listdir(self.root / prefix[:2])
        except (OSError, ValueError):  # No such folder, or none that can be looked into.
            return []
        return sorted(name for name in names if name.startswith(prefix))


def _history(folder: Path) -> str:
    try:
        return read_bytes(folder / HISTORY, MOST_BYTES[HISTORY]).decode()
    except FileNotFoundError:
        raise DamagedRecord(f"{HISTORY} is gone") from None
    except (Unreadable, UnicodeDecodeError) as damage:
        raise DamagedRecord(f"{HISTORY}: {damage}") from None


def read_spectrum(folder: Path) -> tuple[float, ...]:
    """The singular values in a cell's folder. Raises DamagedRecord where there are none to be read."""
    try:
        spectrum = read_npy(folder / SPECTRUM, MOST_BYTES[SPECTRUM])
    except FileNotFoundError:
        raise DamagedRecord(f"{SPECTRUM} is gone") from None
    except Unreadable as damage:
        raise DamagedRecord(f"{SPECTRUM}: {damage}") from None
    if spectrum.ndim != 1 or spectrum.dtype.kind != "f" or not np.isfinite(spectrum).all():
        raise DamagedRecord(f"{SPECTRUM}: not a row of finite numbers")
    return tuple(spectrum.tolist())


def up_to_date(content: dict[str, Any], record: Record) -> dict[str, Any]:
    """`record.to_json()` from the verified content of its file: the same, unless fields were added since.

    To compute ids and checksums once more would be half of the time of reading many records.
    """
    return content if content["config"] == record.cell.config() else record.to_json()


def write_atomic(path: Path, content: bytes, private: bool = False) -> None:
    """Write to a temporary name in the same folder, fsync, rename; fsync the folder where possible.

    private: only this user may read it.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{PARTIAL}{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
