"""Tasks on their way into a queue that has room for some: everything once, in order, never too many at once."""

from collections.abc import Sequence

import pytest
from golden_sbatch import golden_submission
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clopbench.errors import UserError
from clopbench.results.records import Store
from clopbench.slurm import handover, sbatch
from clopbench.slurm.commands import NoAnswer, QueueFull, Refused
from clopbench.slurm.handover import Handover
from clopbench.slurm.sbatch import Taken
from clopbench.slurm.squeue import JobState
from clopbench.slurm.submission import Part, Submission, describe, write

FULL = "QOSMaxSubmitJobPerUserLimit"


def written(folder, tasks: int, at_once: int, limit: int) -> Submission:
    asked = {"tables": ["table7"], "scale": "laptop", "device": "cpu", "settings": {}, "method_folders": []}
    about = golden_submission().about | asked
    submission = describe(Store(folder), about, sbatch.split(tasks, limit, at_once), [])
    write(submission, [])
    return submission


class Cluster:
    """A queue with room for so many tasks: takes an array whole or not at all, and runs it as Slurm would."""

    def __init__(self, submission: Submission, capacity: int, others: int = 0):
        self.submission, self.capacity, self.others = submission, capacity, others
        self.arrays: dict[str, Part] = {}
        self.after: dict[str, str] = {}
        self.done: dict[str, int] = {}
        self.offers: list[int] = []

    def left(self, job: str) -> int:
        return self.arrays[job].count - self.done[job]

    @property
    def queued(self) -> int:
        return self.others + sum(map(self.left, self.arrays))

    def offer(self, submission: Submission, part: Part, dependency: str | None) -> Taken:
        # The folder says what is offered before it is, so that a crash loses nothing.
        assert Submission(submission.folder).parts[part.number] == part
        self.offers.append(part.count)
        if self.queued + part.count > self.capacity:
            raise QueueFull(FULL)
        job = str(100 + len(self.arrays))
        self.arrays[job], self.done[job] = part, 0
        if dependency:
            kind, _, other = dependency.partition(":")
            assert kind == "afterany" and other in self.arrays
            self.after[job] = other
        return Taken(job, "")

    def ask(self, jobs: Sequence[str] | None) -> dict[str, JobState]:
        if jobs is None:
            return {str(n): JobState(str(n), "PENDING") for n in range(self.queued)}
        rows = [f"{job}_{n}" for job in jobs for n in range(self.done[job], self.arrays[job].count)]
        return {row: JobState(row, "PENDING") for row in rows}

    @property
    def running(self) -> int:
        """The most tasks that could run at this moment."""
        ready = [job for job in self.arrays if not self.left(self.after.get(job, job)) or job not in self.after]
        return sum(min(self.arrays[job].parallelism, self.left(job)) for job in ready)

    def end(self, tasks: int) -> None:
        """Let so many tasks that can run come to their end."""
        for _ in range(tasks):
            ready = [
                j for j in self.arrays if self.left(j) and not (j in self.after and self.left(self.after[j]))
            ]
            if ready:
                self.done[ready[0]] += 1

    def hand(self, at_once: int, limit: int) -> Handover:
        return Handover(self.submission, at_once, limit, self.offer, lambda *_: None, self.ask)

    @property
    def tasks(self) -> list[int]:
        """Numbers of all tasks that were taken."""
        return sorted(n for p in self.arrays.values() for n in range(p.first, p.first + p.count))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    tasks=st.integers(1, 40), at_once=st.integers(1, 8), limit=st.integers(1, 15), capacity=st.integers(1, 30),
    ends=st.lists(st.integers(0, 9), max_size=60),
)  # fmt: skip
def test_every_task_is_taken_once_and_never_too_many_run(tmp_path, tasks, at_once, limit, capacity, ends):
    submission = written(tmp_path, tasks, at_once, limit)
    cluster = Cluster(submission, capacity)
    hand = cluster.hand(at_once, limit)
    hand.begin()
    assert len(cluster.tasks) == min(tasks, capacity)  # What fits is taken, to the last place.
    for end in [*ends, *[tasks] * 2 * tasks]:
        assert cluster.queued <= capacity
        assert cluster.running <= at_once
        assert cluster.tasks + hand.rest == list(range(tasks))
        parts = Submission(submission.folder).parts
        assert sorted(n for p in parts for n in range(p.first, p.first + p.count)) == list(range(tasks))
        assert all(part.count <= limit for part in cluster.arrays.values())
        if not hand.rest:
            break
        assert hand.may_pass
        cluster.end(end)
        hand.go_on()
    assert cluster.tasks == list(range(tasks))
    assert hand.refusal is None
    assert not hand.may_pass
    assert [submission.job(part) for part, job in hand.taken] == [job for _, job in hand.taken]


def test_a_full_queue_is_asked_seldom(tmp_path):
    """A thousand tasks into room for 300: one offer for each size, not for each task."""
    cluster = Cluster(written(tmp_path, 1000, 8, 1001), 300)
    hand = cluster.hand(8, 1001)
    hand.begin()
    assert cluster.offers == [1000, 500, 250, 125, 62, 31, 15, 8, 4, 2, 1]
    assert len(cluster.tasks) == 300
    cluster.offers.clear()
    hand.go_on()  # Nothing has left.
    assert cluster.offers == [1]
    cluster.end(40)
    cluster.offers.clear()
    hand.go_on()
    assert cluster.offers[0] == 40
    assert cluster.queued == 300


def test_room_that_others_leave_is_used_too(tmp_path):
    cluster = Cluster(written(tmp_path, 50, 8, 1001), 10, others=8)
    hand = cluster.hand(8, 1001)
    hand.begin()
    assert len(cluster.tasks) == 2
    cluster.others = 0
    cluster.offers.clear()
    hand.go_on()
    assert cluster.offers == [1, 2, 4, 8, 4, 2, 1]
    assert cluster.queued == 10


def test_tasks_that_are_cancelled_while_they_wait_are_not_submitted(tmp_path):
    submission = written(tmp_path, 10, 2, 1001)
    cluster = Cluster(submission, 3)
    hand = cluster.hand(2, 1001)
    hand.begin()
    submission.cancel({4, 5, 9})
    for _ in range(20):
        cluster.end(3)
        hand.go_on()
    assert cluster.tasks == [0, 1, 2, 3, 6, 7, 8]
    assert (hand.rest, hand.total, hand.refusal) == ([], 7, None)
    parts = Submission(submission.folder).parts
    assert sorted(n for p in parts for n in range(p.first, p.first + p.count)) == list(range(10))


def test_an_array_of_which_nobody_knows_is_found_by_its_name_and_not_submitted_twice(tmp_path):
    submission = written(tmp_path, 4, 2, 1001)
    cluster = Cluster(submission, 10)
    silent = [True]

    def offer(*arguments) -> Taken:
        taken = cluster.offer(*arguments)
        if silent.pop():
            silent.append(False)
            raise NoAnswer("Slurm gave no answer")
        silent.append(False)
        return taken

    found: list[str | None] = ["100"]
    hand = Handover(submission, 2, 1001, offer, lambda *_: found[0], cluster.ask)
    hand.begin()
    assert (hand.taken, hand.may_pass) == ([], True)
    hand.go_on()
    assert [(part.count, job) for part, job in hand.taken] == [(4, "100")]
    assert (cluster.offers, hand.rest, hand.refusal) == ([4], [], None)


@pytest.mark.parametrize(
    ("error", "others", "passes", "kind"),
    [
        (QueueFull("QOSMaxSubmitJobPerUserLimit"), 5, True, QueueFull),
        (QueueFull("AssocGrpSubmitJobsLimit"), 0, True, QueueFull),  # Colleagues use it up.
        (QueueFull("Slurm temporarily unable to accept job, sleeping and retrying"), 0, True, QueueFull),
        (QueueFull("Job violates accounting/QOS policy", certain=False), 5, True, QueueFull),
        # None of mine will ever leave the queue, for none is there.
        (QueueFull("QOSMaxSubmitJobPerUserLimit"), 0, False, Refused),
        (QueueFull("Job violates accounting/QOS policy", certain=False), 0, False, Refused),
        (Refused("invalid partition"), 5, False, Refused),
        (NoAnswer("the controller is down"), 5, True, NoAnswer),
    ],
)
def test_what_may_pass_and_what_never_will(tmp_path, error, others, passes, kind):
    cluster = Cluster(written(tmp_path, 4, 2, 1001), 10, others)

    def offer(*_) -> Taken:
        raise error

    hand = Handover(cluster.submission, 2, 1001, offer, lambda *_: None, cluster.ask)
    hand.begin()
    assert hand.may_pass is passes
    assert type(hand.refusal) is kind
    assert str(error) in str(hand.refusal)
    assert isinstance(hand.refusal, UserError)


def test_waiting_ends_when_all_is_in_the_queue_or_nothing_more_will_be(tmp_path, monkeypatch):
    cluster = Cluster(written(tmp_path, 9, 2, 1001), 4)
    monkeypatch.setattr(handover.time, "sleep", lambda _: cluster.end(2))
    hand = cluster.hand(2, 1001)
    hand.begin()
    assert [sum(part.count for part, _ in arrays) for arrays in hand.wait()] == [2, 2, 1]
    cluster = Cluster(written(tmp_path, 9, 2, 1001), 4)
    hand = cluster.hand(2, 1001)
    hand.begin()

    def gone(*_) -> Taken:
        raise Refused("account expired")

    hand._offer = gone
    assert list(hand.wait()) == []
    assert str(hand.refusal) == "account expired"
