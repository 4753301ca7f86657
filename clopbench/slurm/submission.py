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

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from clopbench.results.records import PARTIAL, Store, write_atomic

SUBMISSIONS = "submissions"
SCHEMA = 1


@dataclass(frozen=True)
class SubmittedCell:
    """A cell as plain data, and where it is shown: pairs of benchmark and coordinates."""

    id: str
    config: Mapping[str, Any]
    launch: Mapping[str, Any]
    places: Sequence[tuple[str, Mapping[str, str]]]

    @property
    def tables(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.places))

    @property
    def label(self) -> str:
        """'table7 orthonormal, seed 3'."""
        name, coordinates = self.places[0]
        return f"{name} {' '.join(coordinates.values())}, seed {self.config['seed']}"


@dataclass(frozen=True)
class Part:
    """One Slurm array: tasks first … first + count − 1, so many at a time."""

    number: int
    first: int
    count: int
    parallelism: int


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
        return json.loads((self.folder / "submission.json").read_text())

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
        return [_cells_of(line) for line in self._lines()]

    @cached_property
    def others(self) -> list[SubmittedCell]:
        """Cells that the tables have besides: finished, or on their way, when this was submitted."""
        lines = (self.folder / "others.jsonl").read_text().splitlines()
        return [SubmittedCell(**json.loads(line)) for line in lines]

    def task(self, number: int) -> list[SubmittedCell]:
        """The cells of one task, without reading the others into memory."""
        for position, line in enumerate(self._lines()):
            if position == number:
                return _cells_of(line)
        raise IndexError(f"{self.folder} has no task {number}")

    def _lines(self) -> Iterator[str]:
        with (self.folder / "plan.jsonl").open() as file:
            yield from file

    def owns(self, job_name: str) -> bool:
        """False for the name of a job that is another's: ids come again where a cluster is set up anew."""
        return not job_name or f"{self.name}." in job_name

    def job_name(self, part: Part) -> str:
        """Unlike any other's, so that an array whose id was lost in a crash can be found in the queue."""
        return f"{self.name}.{part.number}"

    def job(self, part: Part) -> str | None:
        """The array's job id ('123', or '123;west'); None where Slurm has not (as far as we know) taken it."""
        try:
            return json.loads(self._job_path(part).read_text())["job"]
        except FileNotFoundError:
            return None

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
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(line.encode())

    def events(self, task: int) -> list[dict[str, Any]]:
        """What happened to a task so far; a line that is only half there is passed over."""
        try:
            lines = (self.folder / "events" / f"{task}.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    @property
    def cancelled(self) -> set[int]:
        """Tasks that `bench cancel` took back."""
        try:
            return set(json.loads((self.folder / "cancelled.json").read_text()))
        except FileNotFoundError:
            return set()

    def cancel(self, tasks: set[int]) -> None:
        write_atomic(self.folder / "cancelled.json", json.dumps(sorted(self.cancelled | tasks)).encode())

    @property
    def forgotten(self) -> set[str]:
        """Ids of cells that `bench forget` took off the status."""
        try:
            return set(json.loads((self.folder / "forgotten.json").read_text()))
        except FileNotFoundError:
            return set()

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


def all_submissions(store: Store) -> list[Submission]:
    """The submissions of a results folder, oldest first."""
    try:
        entries = sorted(entry.name for entry in os.scandir(store.root / SUBMISSIONS) if entry.is_dir())
    except FileNotFoundError:
        return []
    return [Submission(store.root / SUBMISSIONS / name) for name in entries if not name.startswith(PARTIAL)]


def _text_of(about: Mapping[str, Any]) -> bytes:
    return (json.dumps(about, indent=1) + "\n").encode()


def _cells_of(line: str) -> list[SubmittedCell]:
    return [SubmittedCell(**content) for content in json.loads(line)]
