"""Where submitted cells are: done, running, queued, failed, cancelled or stalled, told from files and squeue.

Nothing here is remembered between two calls, so it works from any process, on any day, on any login node.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from clopbench.errors import unknown
from clopbench.results.index import Entry, scan
from clopbench.results.leases import Lease
from clopbench.results.records import RESULT_STATUSES, Store
from clopbench.slurm import jobs as ids
from clopbench.slurm import squeue
from clopbench.slurm.commands import Refused
from clopbench.slurm.labels import labels
from clopbench.slurm.occupancy import Occupancy, Place, ask_queue
from clopbench.slurm.squeue import JobState

STATES = ("done", "running", "queued", "failed", "cancelled", "stalled")
SETTLED = ("failed", "cancelled", "stalled")
"""Without a result, and nothing will happen to them until a person does something."""
ACCOUNTING_SECONDS = 2.0
# Slurm's last word on a task that left no record → what a record would have said.
CLASSES = {
    "OUT_OF_MEMORY": "out_of_memory",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
    "PREEMPTED": "killed",
    "REVOKED": "killed",
}


@dataclass(frozen=True)
class CellStatus:
    """One submitted cell. details: epoch, node, reason, class, … as far as the state has them."""

    place: Place
    state: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        cell, place = self.place.cell, self.place
        return {
            "id": cell.id,
            "seed": cell.config["seed"],
            "overrides": list(cell.overrides),
            "state": self.state,
            "submission": place.submission.name,
            "job": place.job,
            **self.details,
        }


@dataclass(frozen=True)
class TableStatus:
    """The submitted cells of one table."""

    table: str
    cells: Sequence[CellStatus]
    forgotten: int = 0
    """Settled cells besides, which `bench forget` took off."""

    def of(self, state: str) -> list[CellStatus]:
        return [cell for cell in self.cells if cell.state == state]

    @cached_property
    def counts(self) -> dict[str, int]:
        counted = Counter(cell.state for cell in self.cells)
        return {state: counted[state] for state in STATES}

    @cached_property
    def labels(self) -> dict[str, str]:
        """Cell id → a name that no other cell of the table has."""
        return labels(cell.place for cell in self.cells)

    @property
    def overrides(self) -> dict[str, int]:
        """'training.epochs=2, method.weight=0.5' → of how many cells the command line changed these."""
        return dict(Counter(", ".join(one) for cell in self.cells if (one := cell.place.cell.overrides)))

    def tally(self, state: str, detail: str) -> dict[str, int]:
        """How often each value of a detail occurs among the cells in a state, most often first."""
        counted = Counter(str(cell.details.get(detail)) for cell in self.of(state))
        return dict(counted.most_common())

    def as_dict(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "total": len(self.cells),
            **self.counts,
            "forgotten": self.forgotten,
            "failed_by_class": self.tally("failed", "class"),
            "queued_by_reason": self.tally("queued", "reason"),
            "cells": [{"label": self.labels[c.place.cell.id], **c.as_dict()} for c in self.cells],
        }


class Situation:
    """One look at a results folder. problem: why Slurm could not be asked; then only files speak."""

    def __init__(self, store: Store, ask_accounting: bool = True):
        self.problem: str | None = None
        entries = scan(store)
        self.occupancy = Occupancy(store, {}, entries)
        self.damages = [*entries.damages, *self.occupancy.damages]
        """'damaged: path: why' for each record and submission that cannot be used."""
        states: dict[str, JobState] = {}
        try:
            states = ask_queue(self.occupancy.submissions, ended=True)
        except Refused as error:
            self.problem = str(error)
        self.occupancy.queue = {job: state for job, state in states.items() if not state.ended}
        self._ended = {job: state for job, state in states.items() if state.ended}
        self.accounting_answers = ask_accounting

    def tables(self, names: Sequence[str] = ()) -> list[TableStatus]:
        """Status by table, all tables that were ever submitted by default. Raises UserError for others."""
        found = self.occupancy.tables
        for name in names:
            if name not in found:
                raise unknown("submitted table", name, found)
        wanted = list(names) or list(found)
        self._learn_ends(place for name in wanted for place in found[name])
        return [self._table(name, [self.cell(place) for place in found[name]]) for name in wanted]

    def _table(self, name: str, cells: Sequence[CellStatus]) -> TableStatus:
        shown = [c for c in cells if c.state not in SETTLED or not self.occupancy.is_forgotten(c.place)]
        return TableStatus(name, shown, len(cells) - len(shown))

    def _learn_ends(self, places: Iterable[Place]) -> None:
        """Ask sacct, where it answers, about tasks that squeue has forgotten and that left no record."""
        lost = {
            place.job
            for place in places
            if place.job and not place.queued and place.job not in self._ended
            if place.cell.id not in self.occupancy.entries
        }
        if not lost or not self.accounting_answers:
            return
        told = squeue.history(lost, ACCOUNTING_SECONDS)
        if told is None:
            self.accounting_answers = False
            return
        self._ended |= {job: state for job, state in told.items() if state.ended}

    def cell(self, place: Place) -> CellStatus:
        """The state of one cell. A result on disk outweighs all else, then a heartbeat, then the queue."""
        cell_id, entry = place.cell.id, self.occupancy.entries.get(place.cell.id)
        if entry is not None and entry.status in RESULT_STATUSES:
            return CellStatus(place, "done", {"status": entry.status, **_cost(entry)})
        if entry is not None and entry.damage is not None:
            return CellStatus(place, "failed", {"class": "damaged", "message": entry.damage})
        lease = self.occupancy.lease(cell_id)
        if lease is not None and not lease.stale:
            return CellStatus(place, "running", _progress(lease, place.queued))
        if self.occupancy.is_queued(cell_id):
            waiting = _waiting(place.queued) if place.queued else {"reason": "no room in Slurm's queue yet"}
            return CellStatus(place, "queued", waiting)
        if entry is not None:
            failure = entry.content["failure"]
            return CellStatus(place, "failed", {"class": failure["class"], "message": failure["message"]})
        if place.task is None:
            return CellStatus(place, "stalled", {"message": "left out: another process had it, and left it"})
        if self.occupancy.is_cancelled(place):
            return CellStatus(place, "cancelled", {"message": "bench cancel"})
        return self._gone(place, lease)

    def _gone(self, place: Place, lease: Lease | None) -> CellStatus:
        """No record, no heartbeat, not in the queue: what Slurm says of the end, if it says anything."""
        if place.job is None:
            return CellStatus(place, "stalled", {"message": "Slurm never took it"})
        if self.problem is not None:
            return CellStatus(place, "queued", {"reason": "Slurm does not answer"})
        # Tasks that were cancelled before they started have no line of their own: the array's says so.
        last = self._ended.get(place.job) or self._ended.get(ids.array(place.job))
        if last is None or not place.submission.owns(last.name):
            heard = f", last heard of {lease.age:.0f} s ago" if lease is not None else ""
            return CellStatus(place, "stalled", {"message": f"not in the queue{heard}"})
        if last.state == "CANCELLED":
            return CellStatus(place, "cancelled", {"message": f"task {place.job} was cancelled"})
        message = f"Slurm ended task {place.job}: {last.state}" + (f" on {last.node}" if last.node else "")
        if last.state in CLASSES:
            return CellStatus(place, "failed", {"class": CLASSES[last.state], "message": message})
        # srun reports the signal that killed a task as a shell would.
        number = last.signal or max(0, (last.exit_code or 0) - 128)
        if number:
            message = f"{message} (signal {number})"
            return CellStatus(place, "failed", {"class": "killed", "message": message})
        return CellStatus(place, "stalled", {"message": f"task {place.job} ended ({last.state}) without it"})


def _cost(entry: Entry) -> dict[str, Any]:
    cost = {"seconds": entry.seconds, "views_per_second": entry.views_per_second}
    return {key: value for key, value in cost.items() if value is not None}


def _progress(lease: Lease, task: JobState | None) -> dict[str, Any]:
    """What the holder of a lease reports, and the seconds of training that are left at its pace."""
    keys = ("epoch", "epochs", "views_per_second", "slurm_job", "slurm_node")
    shown = {key: lease.holder[key] for key in keys if key in lease.holder}
    pace = lease.holder.get("seconds_per_epoch")
    if not {"epoch", "epochs"} <= shown.keys():
        shown = {key: value for key, value in shown.items() if key not in ("epoch", "epochs")}
    elif pace is not None:
        shown["seconds_left"] = round((shown["epochs"] - shown["epoch"]) * pace, 1)
    shown["heartbeat_seconds"] = round(lease.age, 1)
    if task is not None and task.seconds_left is not None:
        shown["task_seconds_left"] = task.seconds_left
    return shown


def _waiting(task: JobState) -> dict[str, Any]:
    if not task.waiting:
        return {"reason": f"its task is {task.state.lower()}", "node": task.node}
    shown: dict[str, Any] = {"reason": task.reason or "not given"}
    if task.starts_unix is not None:
        shown["starts_unix"] = task.starts_unix
    if task.restarts:
        shown["restarts"] = task.restarts
    return shown
