"""Which cells are in Slurm's queue, or being trained, as far as folders and squeue can tell."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from clopbench.results import leases
from clopbench.results.index import Entry
from clopbench.results.records import RESULT_STATUSES, Store
from clopbench.slurm import jobs as ids
from clopbench.slurm import squeue
from clopbench.slurm.squeue import JobState
from clopbench.slurm.submission import Submission, SubmittedCell, all_submissions


@dataclass(frozen=True)
class Place:
    """A cell in a submission: its task, the Slurm task that this became, and what squeue says of it."""

    submission: Submission
    task: int | None
    """None for a cell that was left out, being finished or on its way already."""
    cell: SubmittedCell
    job: str | None
    """123_4; None where Slurm never took it."""
    queued: JobState | None
    awaited: bool = False
    """A living `bench submit --wait` will hand it to Slurm when there is room."""

    @property
    def ahead(self) -> bool:
        """Something will still happen to it without anybody's doing."""
        return self.queued is not None or self.awaited

    @property
    def sort_key(self) -> tuple[bool, bool, str]:
        """A place that is ahead says more than one that has left the queue; then the newer one does."""
        return self.ahead, self.task is not None, self.submission.name


class Occupancy:
    """The submissions of a results folder, joined with one answer of squeue."""

    def __init__(self, store: Store, queue: Mapping[str, JobState], entries: Mapping[str, Entry]):
        self.store, self.entries = store, entries
        self.queue = dict(queue)
        self.damages: list[str] = []
        self.submissions = all_submissions(store, self.damages.append)
        self._cancelled: dict[str, set[int]] = {}
        self._forgotten: dict[str, set[str]] = {}

    @cached_property
    def places(self) -> dict[str, Place]:
        """Cell id → the place that says most about it."""
        found: dict[str, Place] = {}
        for place in self._all:
            known = found.get(place.cell.id)
            if known is None or place.sort_key >= known.sort_key:
                found[place.cell.id] = place
        return found

    @cached_property
    def tables(self) -> dict[str, list[Place]]:
        """Table → its cells, in the order of submission."""
        found: dict[str, dict[str, Place]] = {}
        for place in self._all:
            for table in place.cell.tables:
                found.setdefault(table, {})[place.cell.id] = self.places[place.cell.id]
        return {table: list(places.values()) for table, places in sorted(found.items())}

    @cached_property
    def _all(self) -> list[Place]:
        return [place for submission in self.submissions for place in self._of(submission)]

    def _of(self, submission: Submission) -> Iterator[Place]:
        for part in submission.parts:
            array = submission.job(part) or self._adopt(submission.job_name(part))
            cancelled = submission.cancelled if array is None and self._attended(submission) else None
            for number in range(part.count):
                task = part.first + number
                job = ids.task(array, number) if array else None
                queued = self.queue.get(job) if job else None
                if queued is not None and not submission.owns(queued.name):
                    queued = None
                awaited = cancelled is not None and task not in cancelled
                for cell in submission.tasks[task]:
                    yield Place(submission, task, cell, job, queued, awaited)
        for cell in submission.others:
            yield Place(submission, None, cell, None, None)

    def _attended(self, submission: Submission) -> bool:
        lease = leases.current(submission.folder)
        return lease is not None and not lease.stale

    def _adopt(self, name: str) -> str | None:
        """The id of an array that Slurm took just before `bench submit` was killed."""
        named = (job for job in self.queue.values() if job.name.endswith(name))
        return next((ids.array(state.job) for state in named), None)

    def is_queued(self, cell_id: str) -> bool:
        """True where a task in the queue (waiting, running or yet to come) is going to see to this cell."""
        place = self.places.get(cell_id)
        if place is None or not place.ahead:
            return False
        entry = self.entries.get(cell_id)
        if entry is None or entry.status in RESULT_STATUSES or entry.damage:
            return True
        # A task does not try again what has failed since it was submitted.
        ended = entry.content["provenance"].get("ended_unix", 0.0)
        return ended <= place.submission.about["created_unix"]

    def is_cancelled(self, place: Place) -> bool:
        """True where `bench cancel` took the cell's task back; the file that says so is read once."""
        name = place.submission.name
        if name not in self._cancelled:
            self._cancelled[name] = place.submission.cancelled
        return place.task in self._cancelled[name]

    def is_forgotten(self, place: Place) -> bool:
        """True where `bench forget` took the cell off the status, in the submission that says most about it."""
        name = place.submission.name
        if name not in self._forgotten:
            self._forgotten[name] = place.submission.forgotten
        return place.cell.id in self._forgotten[name]

    def lease(self, cell_id: str) -> leases.Lease | None:
        """Who trains the cell, if anybody does."""
        return leases.current(self.store.folder(cell_id), now=self._clock)

    def is_training(self, cell_id: str) -> bool:
        lease = self.lease(cell_id)
        return lease is not None and not lease.stale

    @cached_property
    def _clock(self) -> float:
        """Now, by the clock of the file system; asked once."""
        return leases.filesystem_now(self.store.root)


def look(store: Store, entries: Mapping[str, Entry]) -> Occupancy:
    """Ask the folders and squeue. Raises Refused where Slurm does not answer."""
    occupancy = Occupancy(store, {}, entries)
    occupancy.queue = ask_queue(occupancy.submissions)
    return occupancy


def ask_queue(submissions: Iterable[Submission], ended: bool = False) -> dict[str, JobState]:
    """What squeue says of arrays; ended: also of tasks that have, as long as it remembers. Raises Refused."""
    jobs = [(each.cluster, each.job(part)) for each in submissions for part in each.parts]
    # By id, because a colleague may have submitted them; mine by name, in case an id was lost in a crash.
    found = squeue.queue([job for _, job in jobs if job is not None], ended)
    for cluster in {cluster for cluster, job in jobs if job is None}:
        found |= squeue.queue(cluster=cluster)
    return found
