"""Submission folders: what was handed to Slurm, when, by which code. Plain files, each written atomically.

results/submissions/<name>/ holds
    submission.json   what was asked for: tables, profile, code, environment, parts (arrays of tasks)
    plan.jsonl        line n is task n: its cells as plain data
    ranks/            where the processes of a task find each other, while it runs
    others.jsonl      cells of the same tables that were done, or somebody else's, already
    snapshot/         the code and declarations that the tasks run (not with --live)
    jobs/<part>.json  the array's job id, once Slurm has given one
    events/<task>.jsonl  what happened to a task: starts, time-outs, requeues
    cancelled.json    the tasks that `bench cancel` took back
    forgotten.json    the cells that `bench forget` took off the status
    logs/             sbatch scripts and the output of tasks
The folder is complete before Slurm hears of it, so a crash at any moment loses nothing.
"""

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from clopbench.results.files import (
    Unreadable,
    is_folder,
    open_to_append,
    parse_json,
    read_bytes,
    read_json,
    reason,
    shown,
)
from clopbench.results.records import PARTIAL, Store, write_atomic
from clopbench.slurm.submitted import Part, SubmittedCell, cells_of, checked_about

SUBMISSIONS = "submissions"
SCHEMA = 1
MOST_BYTES = 2**30


class Submission:
    """A submission folder. about: the content of submission.json, where it has not been written."""

    def __init__(self, folder: Path, about: dict[str, Any] | None = None):
        self.folder = Path(folder).absolute()
        if about is not None:
            self.about = about

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def about(self) -> dict[str, Any]:
        return checked_about(read_json(self.folder / "submission.json", MOST_BYTES))

    @property
    def parts(self) -> list[Part]:
        return [Part(**part) for part in self.about["parts"]]

    def set_parts(self, parts: Sequence[Part]) -> None:
        """Write down other arrays than planned, for the same tasks. Raises OSError."""
        self.about["parts"] = [asdict(part) for part in parts]
        write_atomic(self.folder / "submission.json", _text_of(self.about))

    @property
    def cluster(self) -> str | None:
        """The cluster that its tasks are sent to; None: the one that commands ask by themselves."""
        return self.about["profile"].get("clusters")

    @cached_property
    def tasks(self) -> list[list[SubmittedCell]]:
        return [cells_of(line) for line in self._lines("plan.jsonl")]

    @cached_property
    def others(self) -> list[SubmittedCell]:
        """Cells that the tables have besides: finished, or on their way, when this was submitted."""
        return [cell for line in self._lines("others.jsonl") for cell in cells_of(f"[{line}]")]

    def task(self, number: int) -> list[SubmittedCell]:
        """The cells of one task alone."""
        for position, line in enumerate(self._lines("plan.jsonl")):
            if position == number:
                return cells_of(line)
        raise IndexError(f"{self.folder} has no task {number}")

    def _lines(self, name: str) -> Iterator[str]:
        try:
            yield from read_bytes(self.folder / name, MOST_BYTES).decode().splitlines()
        except UnicodeDecodeError as error:
            raise Unreadable(f"not UTF-8 text ({error.reason})") from None

    def owns(self, job_name: str) -> bool:
        """False for the name of a job that is another's: ids come again where a cluster is set up anew."""
        return not job_name or f"{self.name}." in job_name

    def job_name(self, part: Part) -> str:
        """Unlike any other's, so that an array whose id was lost in a crash can be found in the queue."""
        return f"{self.name}.{part.number}"

    def job(self, part: Part) -> str | None:
        """The array's job id ('123', or '123;west'); None where Slurm has not (as far as we know) taken it."""
        try:
            job = read_json(self._job_path(part), MOST_BYTES)
        except FileNotFoundError:
            return None
        if not isinstance(job, dict) or not isinstance(job.get("job"), str):
            raise Unreadable("names no job")
        return job["job"]

    def set_job(self, part: Part, job: str) -> None:
        write_atomic(self._job_path(part), json.dumps({"job": job, "unix": time.time()}).encode())

    def _job_path(self, part: Part) -> Path:
        return self.folder / "jobs" / f"{part.number}.json"

    def part_of(self, task: int) -> Part:
        return next(part for part in self.parts if part.first <= task < part.first + part.count)

    def note(self, task: int, event: str, **details: Any) -> None:
        """Append an event to a task's file: one short line, so that two writers cannot mix."""
        line = json.dumps({"event": event, "unix": round(time.time(), 3)} | details) + "\n"
        path = self.folder / "events" / f"{task}.jsonl"
        handle = open_to_append(path)
        with os.fdopen(handle, "wb") as file:
            file.write(line.encode())

    def events(self, task: int) -> list[dict[str, Any]]:
        """What happened to a task so far; a line that is only half there is passed over."""
        found = []
        with contextlib.suppress(FileNotFoundError, Unreadable):
            for line in read_bytes(self.folder / "events" / f"{task}.jsonl", MOST_BYTES).splitlines():
                with contextlib.suppress(Unreadable):
                    found.append(parse_json(line))
        return [event for event in found if isinstance(event, dict) and "event" in event]

    @property
    def cancelled(self) -> set[int]:
        """Tasks that `bench cancel` took back."""
        try:
            tasks = read_json(self.folder / "cancelled.json", MOST_BYTES)
        except FileNotFoundError:
            return set()
        if not isinstance(tasks, list) or not all(type(task) is int for task in tasks):
            raise Unreadable("not a list of tasks")
        return set(tasks)

    def damage(self) -> str | None:
        """'damaged: path: why' for the first file that cannot be used; None where all is well."""
        parts: dict[str, Callable[[], object]] = {
            "submission.json": lambda: self.parts,
            "plan.jsonl": lambda: self.tasks,
            "others.jsonl": lambda: self.others,
            "jobs": lambda: [self.job(part) for part in self.parts],
            "cancelled.json": lambda: self.cancelled,
            "forgotten.json": lambda: self.forgotten,
        }
        for name, read in parts.items():
            try:
                read()
            except FileNotFoundError:
                return f"damaged: {shown(self.folder / name)}: is gone"
            except Unreadable as damage:
                return f"damaged: {shown(self.folder / name)}: {damage}"
        if sum(part.count for part in self.parts) != len(self.tasks):
            return f"damaged: {shown(self.folder / 'plan.jsonl')}: has not the tasks of submission.json"
        return None

    def cancel(self, tasks: set[int]) -> None:
        write_atomic(self.folder / "cancelled.json", json.dumps(sorted(self.cancelled | tasks)).encode())

    @property
    def forgotten(self) -> set[str]:
        """Ids of cells that `bench forget` took off the status."""
        try:
            cells = read_json(self.folder / "forgotten.json", MOST_BYTES)
        except FileNotFoundError:
            return set()
        if not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
            raise Unreadable("not a list of cells")
        return set(cells)

    def forget(self, cells: set[str]) -> None:
        write_atomic(self.folder / "forgotten.json", json.dumps(sorted(self.forgotten | cells)).encode())

    def remove(self) -> None:
        """For a submission that Slurm refused as a whole."""
        shutil.rmtree(self.folder)

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def method_folders(self) -> list[Path]:
        """Where tasks find methods; relative ones are in the snapshot."""
        return [self.folder / folder for folder in self.about["method_folders"]]


def describe(store: Store, about: Mapping[str, Any], parts: Sequence[Part], folders: list[str]) -> Submission:
    """A submission that is not on disk (yet), under a name of its own."""
    tables = "+".join(about["tables"])[:40]
    # To the microsecond, because the order of submission is that of the names.
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{tables}-{secrets.token_hex(2)}"
    content = {"schema": SCHEMA, "name": name, "created_unix": time.time(), **about}
    content |= {"parts": [asdict(part) for part in parts], "method_folders": folders}
    return Submission(store.root / SUBMISSIONS / name, content)


def write(
    submission: Submission,
    tasks: Sequence[Sequence[SubmittedCell]],
    others: Sequence[SubmittedCell] = (),
    fill: Callable[[Path], None] = lambda _: None,
) -> None:
    """Write a submission's folder, whole or not at all. `fill` puts the code into it."""
    root, name = submission.folder.parent, submission.name
    root.mkdir(parents=True, exist_ok=True)
    partial = root / f"{PARTIAL}{name}"
    plan = [json.dumps([asdict(cell) for cell in cells]) + "\n" for cells in tasks]
    besides = [json.dumps(asdict(cell)) + "\n" for cell in others]
    try:
        for folder in ("jobs", "events", "logs"):
            (partial / folder).mkdir(parents=True)
        fill(partial)
        write_atomic(partial / "plan.jsonl", "".join(plan).encode())
        write_atomic(partial / "others.jsonl", "".join(besides).encode())
        write_atomic(partial / "submission.json", _text_of(submission.about))
        partial.rename(submission.folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def all_submissions(store: Store, tell: Callable[[str], object] = lambda _: None) -> list[Submission]:
    """The submissions of a results folder that can be used, oldest first. tell: hears of the others."""
    folder = store.root / SUBMISSIONS
    found = []
    try:
        for name in sorted(os.listdir(folder)):
            if not name.startswith((PARTIAL, "lease.")) and is_folder(folder / name):
                submission = Submission(folder / name)
                damage = submission.damage()
                found += [submission] if damage is None else []
                tell(damage) if damage is not None else None
    except FileNotFoundError:
        pass
    except OSError as error:
        tell(f"damaged: {shown(folder)}: its submissions cannot be looked at ({reason(error)})")
    return found


def _text_of(about: Mapping[str, Any]) -> bytes:
    return (json.dumps(about, indent=1) + "\n").encode()
