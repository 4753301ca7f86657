"""Handing the tasks of a submission to Slurm: as many as it takes, in arrays, and the rest when there is room.

Slurm takes an array as a whole or not at all, so at a limit it is offered smaller and smaller ones. Before each
offer the submission's folder says which tasks it is for: whatever is interrupted, nothing is lost or doubled.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from clopbench.errors import UserError
from clopbench.slurm import jobs as ids
from clopbench.slurm import sbatch, squeue
from clopbench.slurm.commands import NoAnswer, NotThere, QueueFull, Refused
from clopbench.slurm.lanes import Lanes
from clopbench.slurm.sbatch import Taken
from clopbench.slurm.squeue import JobState
from clopbench.slurm.submission import Part, Submission

WAIT_SECONDS = 60.0
"""Slurm is asked this often whether there is room again."""
# Limits that other people's jobs use up too.
SHARED = re.compile(r"Grp|PerAccount|queue full|temporar", re.IGNORECASE)


class Handover:
    """The tasks of one submission on their way into Slurm's queue.

    at_once: tasks that may run at a time, over all arrays. limit: tasks that one array may have.
    """

    def __init__(
        self,
        submission: Submission,
        at_once: int,
        limit: int,
        offer: Callable[[Submission, Part, str | None], Taken] = sbatch.submit,
        find: Callable[[Submission, Part], str | None] = sbatch.find,
        ask: Callable[[Sequence[str] | None], Mapping[str, JobState]] | None = None,
    ):
        self.submission, self.limit = submission, limit
        self.taken: list[tuple[Part, str]] = []
        self.said: list[str] = []
        """What Slurm, or a script of the site, printed besides ids; each once."""
        self.refusal: UserError | None = None
        """Why Slurm took no more; None as long as it did."""
        self.rest = [task for part in submission.parts for task in range(part.first, part.first + part.count)]
        """Numbers of the tasks that are not in the queue."""
        self._lanes = Lanes(at_once)
        self._offer, self._find = offer, find
        self._ask = ask or partial(squeue.queue, cluster=submission.cluster)
        self._dropped: list[int] = []
        """Tasks that were cancelled before they were in the queue."""
        self._unsure: Part | None = None
        """Offered, and nobody answered."""

    @property
    def total(self) -> int:
        return len(self.rest) + sum(part.count for part, _ in self.taken)

    @property
    def may_pass(self) -> bool:
        """There are tasks left, and trying again later may help."""
        return bool(self.rest) and isinstance(self.refusal, QueueFull | NoAnswer)

    def begin(self) -> None:
        """Offer the arrays of the plan; at a limit, what is left in pieces."""
        for part in list(self.submission.parts):
            before = sbatch.waits_for(self.submission.parts, part, self._lanes.at_once)
            if not self._put(part, dict(self.taken)[before] if before else None):
                if isinstance(self.refusal, QueueFull):
                    self._pieces(part.count // 2, part.count)
                return

    def go_on(self) -> None:
        """Offer more: about as many tasks as have left the queue since, or one to see whether others have."""
        try:
            left = self._lanes.look(self._ask([job for _, job in self.taken]))
            part, self._unsure = self._unsure, None
            if part is not None and (job := self._find(self.submission, part)):
                self._note(part, Taken(job, ""), None)
        except Refused as error:
            self.refusal = error
            return
        self._pieces(max(1, left))

    def wait(self, seconds: float = WAIT_SECONDS) -> Iterator[list[tuple[Part, str]]]:
        """Offer the rest whenever there is room, until all of it is in the queue; the arrays of each time."""
        while self.may_pass:
            time.sleep(seconds)
            known = len(self.taken)
            self.go_on()
            if len(self.taken) > known:
                yield self.taken[known:]

    def _pieces(self, size: int, too_many: int | None = None) -> None:
        """Offer arrays: twice as many tasks each time, and once that is too many half of that, down to one.

        too_many: so many tasks, or more, do not fit; None: not known.
        """
        full = self.refusal
        while (first := self._next()) is not None and size:
            count = _in_a_row(self.rest, min(size, self.limit))
            parallelism, after = self._lanes.place(count)
            part = Part(len(self.taken), first, count, parallelism)
            try:
                self.submission.set_parts([*(part for part, _ in self.taken), part, *self._behind(part)])
            except OSError as error:
                words = (error.strerror or "error").lower()
                self.refusal = UserError(f"{self.submission.folder} cannot be written: {words}")
                return
            if self._put(part, after):
                too_many = None if too_many is None else too_many - count
            elif isinstance(self.refusal, QueueFull):
                full, too_many = self.refusal, count
            else:
                return
            size = 2 * size if too_many is None else too_many // 2
        self.refusal = full if self.rest else None
        if isinstance(full, QueueFull) and not self.taken and self._never(full):
            self.refusal = Refused(f"Slurm refused the job, though none of yours is in the queue: {full}")

    def _put(self, part: Part, after: str | None) -> bool:
        """Offer one array, to start after another one's end; False where it is not taken."""
        dependency = f"afterany:{ids.split(after)[0]}" if after else None
        try:
            taken = self._offer(self.submission, part, dependency)
        except UserError as error:
            self.refusal = error
            if isinstance(error, NoAnswer) and not isinstance(error, NotThere):
                self._unsure = part
            return False
        self.refusal = None
        self._note(part, taken, after)
        return True

    def _note(self, part: Part, taken: Taken, after: str | None) -> None:
        with contextlib.suppress(OSError):  # A full disk: Slurm has the array, and its name finds it there.
            self.submission.set_job(part, taken.job)
        self.taken.append((part, taken.job))
        self._lanes.add(taken.job, part.count, part.parallelism, after)
        self.rest = [task for task in self.rest if not part.first <= task < part.first + part.count]
        if taken.said and taken.said not in self.said:
            self.said.append(taken.said)

    def _next(self) -> int | None:
        """The first task that is left; those that were cancelled meanwhile are not."""
        cancelled = self.submission.cancelled
        self._dropped += [task for task in self.rest if task in cancelled]
        self.rest = [task for task in self.rest if task not in cancelled]
        return self.rest[0] if self.rest else None

    def _behind(self, part: Part) -> Iterator[Part]:
        """What is not in the queue besides `part`, as parts that Slurm has not heard of."""
        tasks, number = sorted([*self.rest[part.count :], *self._dropped]), part.number + 1
        while tasks:
            count = _in_a_row(tasks, len(tasks))
            yield Part(number, tasks[0], count, 1)
            tasks, number = tasks[count:], number + 1

    def _never(self, full: QueueFull) -> bool:
        """True where no end of a job of mine can make room, because there is none."""
        if full.certain and SHARED.search(str(full)):
            return False
        try:
            return not self._ask(None)
        except Refused:
            return False


def _in_a_row(tasks: Sequence[int], most: int) -> int:
    """How many of the first tasks have numbers one after the other, `most` at most."""
    count = 1
    while count < min(most, len(tasks)) and tasks[count] == tasks[0] + count:
        count += 1
    return count
