"""Which cells are in Slurm's queue, or being trained, as far as folders and squeue can tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from clopbench import claims
from clopbench.index import Entry
from clopbench.launch import squeue
from clopbench.launch.squeue import JobState
from clopbench.launch.submission import Submission, SubmittedCell, all_submissions
from clopbench.records import RESULT_STATUSES, Store


@dataclass(frozen=True)
class Place:
    """A cell in a submission: its task, the Slurm task that this became, and what squeue says of it."""

    submission: Submission
    task: int
    cell: SubmittedCell
    job: str | None
    """123_4; None where Slurm never took it."""
    queued: JobState | None

    @property
    def sort_key(self) -> tuple[bool, str]:
        """A queued place says more than one that has left the queue; then the newer one does."""
        return self.queued is not None, self.submission.name


class Occupancy:
    """The submissions of a results folder, joined with one answer of squeue."""

    def __init__(self, store: Store, queue: Mapping[str, JobState], entries: Mapping[str, Entry]):
        self.store, self.entries = store, entries
        self.queue = dict(queue)
        self.submissions = all_submissions(store)

    @cached_property
    def places(self) -> dict[str, Place]:
        """Cell id → the place that says most about it."""
        found: dict[str, Place] = {}
        for submission in self.submissions:
            for place in self._of(submission):
                known = found.get(place.cell.id)
                if known is None or place.sort_key >= known.sort_key:
                    found[place.cell.id] = place
        return found

    def _of(self, submission: Submission) -> Iterator[Place]:
        for part in submission.parts:
            array = submission.job(part) or self._adopt(submission, submission.job_name(part))
            for number in range(part.count):
                task = part.first + number
                queued = self.queue.get(f"{array}_{number}")
                for cell in submission.tasks[task]:
                    yield Place(submission, task, cell, f"{array}_{number}" if array else None, queued)

    def _adopt(self, submission: Submission, name: str) -> str | None:
        """The id of an array that Slurm took just before `bench submit` was killed."""
        named = (job for job in self.queue.values() if job.name.endswith(name))
        return next((state.job.partition("_")[0] for state in named), None)

    def is_queued(self, cell_id: str) -> bool:
        """True where a task in the queue, waiting or running, is going to see to this cell."""
        place = self.places.get(cell_id)
        if place is None or place.queued is None:
            return False
        entry = self.entries.get(cell_id)
        if entry is None or entry.status in RESULT_STATUSES or entry.damage:
            return True
        # A task does not try again what has failed since it was submitted.
        ended = entry.content["provenance"].get("ended_unix", 0.0)
        return ended <= place.submission.about["created_unix"]

    def claim(self, cell_id: str) -> claims.Claim | None:
        """Who trains the cell, if anybody does."""
        return claims.current(self.store.folder(cell_id), now=self._clock)

    def is_training(self, cell_id: str) -> bool:
        claim = self.claim(cell_id)
        return claim is not None and not claim.stale

    @cached_property
    def _clock(self) -> float:
        """Now, by the clock of the file system; asked once."""
        return claims.filesystem_now(self.store.root)


def look(store: Store, entries: Mapping[str, Entry]) -> Occupancy:
    """Ask the folders and squeue. Raises Refused where Slurm does not answer."""
    occupancy = Occupancy(store, {}, entries)
    jobs = [submission.job(part) for submission in occupancy.submissions for part in submission.parts]
    # By id, because a colleague may have submitted them; mine by name, in case an id was lost in a crash.
    occupancy.queue = squeue.queue([job for job in jobs if job is not None])
    if None in jobs:
        occupancy.queue |= squeue.queue()
    return occupancy
