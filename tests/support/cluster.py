"""What tests of submission share: cells that last, and ways to wait for and to look at what came of them."""

import json
from collections.abc import Callable
from pathlib import Path

from lab import Lab
from runs import digests

from clopbench.results import leases
from clopbench.results.records import Store
from clopbench.slurm.submission import Submission, all_submissions

# A few seconds a cell, saved after every step: long enough to be caught in the middle.
LONGER = [
    *("training.epochs=14", "training.warmup_epochs=0", "encoder.width=4", "evaluation.collapse_rank=0"),
    "launch.checkpoint_seconds=0",
]
SUBMIT = ["submit", "table7", "--profile", "lab"]


def only(results: Path) -> Submission:
    """The one submission of a results folder."""
    (submission,) = all_submissions(Store(results))
    return submission


def jobs(submission: Submission) -> list[str]:
    """Ids of its arrays."""
    found = [submission.job(part) for part in submission.parts]
    assert all(found)
    return [job for job in found if job]


def wait_for(lab: Lab, results: Path, cells: int, seconds: float = 240) -> dict[str, str]:
    """Until so many cells have results and the queue is empty; their digests."""

    def finished() -> bool:
        return len(list(results.glob("??/*/record.json"))) >= cells and not lab.ask("squeue", "-h")

    lab.wait(finished, f"{cells} records and an empty queue", seconds)
    return digests(results)


def starts(results: Path) -> list[int]:
    """How often each cell was begun, by its log."""
    return [log.read_text().count(" start ") for log in results.glob("??/*/run.log")]


def epoch(results: Path, job: str | None = None) -> int:
    """The last epoch that a living worker (of a Slurm task) has reported; 0 without one."""
    found = [0]
    for folder in results.glob("??/*"):
        lease = leases.current(folder)
        if lease and not lease.stale and job in (None, lease.holder.get("slurm_job")):
            found.append(lease.holder.get("epoch", 0))
    return max(found)


def state(bench: Callable, *arguments: str | Path) -> dict:
    """What `bench status --json` says of table 7."""
    done = bench("status", "table7", "--json", *arguments)
    (table,) = json.loads(done.out)["tables"]
    return table


def events(submission: Submission, task: int = 0) -> list[str]:
    """Names of a task's events, with the cause where there is one."""
    return [" ".join(filter(None, [event["event"], event.get("cause")])) for event in submission.events(task)]
