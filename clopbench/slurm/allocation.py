"""The Slurm task that this process runs in: what Slurm thinks of it, and how to ask for another turn.

By the time that Slurm is asked, what matters is on disk: it may be slow to answer, or not answer at all.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from clopbench.slurm import squeue
from clopbench.slurm.commands import Refused, client
from clopbench.slurm.squeue import JobState

# Slurm looks at time limits every 30 s and may warn up to a minute before the time that was asked for.
SLACK_SECONDS = 90.0
REQUEUE_ATTEMPTS = 4
RETRY_SECONDS = 3.0
# Any other state is that of a task which is being ended.
ALIVE = ("RUNNING", "SIGNALING", "SUSPENDED", "STOPPED", "RESIZING")


@dataclass(frozen=True)
class Allocation:
    """One turn of one array task. `restarts` counts earlier turns."""

    array: str
    index: int
    restarts: int
    node: str
    signal_seconds: float
    deadline: float | None = None
    """time.monotonic() when the time limit is reached, as known at the start."""

    @classmethod
    def current(cls, signal_seconds: float, environment: Mapping[str, str] = os.environ) -> "Allocation":
        """From the variables that Slurm sets."""
        found = cls(
            environment["SLURM_ARRAY_JOB_ID"],
            int(environment["SLURM_ARRAY_TASK_ID"]),
            int(environment.get("SLURM_RESTART_COUNT") or 0),
            environment.get("SLURMD_NODENAME", ""),
            signal_seconds,
        )
        state = found.ask()
        if state is None or state.seconds_left is None:
            return found
        return replace(found, deadline=time.monotonic() + state.seconds_left)

    @property
    def job(self) -> str:
        """As Slurm's commands spell it: 123_4."""
        return f"{self.array}_{self.index}"

    def ask(self) -> JobState | None:
        """What Slurm says now; None where it does not answer."""
        try:
            return squeue.queue([self.job], ended=True).get(self.job)
        except Refused:
            return None

    def cause(self, warned: bool) -> str:
        """Why a signal came: 'timeout', 'requeued', 'cancelled', or 'preempted' for any other warning.

        requeued: Slurm itself starts the task again, or has done so already while we were thought dead.
        warned: the signal was the warning (USR2), which a task that is being ended does not get first.
        """
        state = self.ask()
        if state is None:
            near = self.deadline is not None and self._near(self.deadline - time.monotonic())
            return "timeout" if near else "preempted" if warned else "cancelled"
        if state.restarts > self.restarts:
            return "requeued"
        if state.state not in ALIVE:
            # To requeue what somebody cancelled would bring it back to life.
            return "timeout" if state.reason == "TimeLimit" else "cancelled"
        return "timeout" if state.seconds_left is not None and self._near(state.seconds_left) else "preempted"

    def _near(self, left: float) -> bool:
        return left <= self.signal_seconds + SLACK_SECONDS

    def requeue(self, delay: float = 0.0) -> bool:
        """Put this task back into the queue, to start after `delay` seconds. False where Slurm refuses.

        Slurm then sends SIGTERM to this very process.
        """
        for attempt in range(REQUEUE_ATTEMPTS):
            if attempt:
                time.sleep(RETRY_SECONDS)
            try:
                client("scontrol", "requeue", self.job)
            except Refused as error:
                print(error, flush=True)
                state = self.ask()
                if state is None or state.restarts <= self.restarts:
                    continue
            if delay:
                self._start_after(delay)
            return True
        return False

    def _start_after(self, delay: float) -> None:
        with contextlib.suppress(Refused):  # Then it starts earlier, and comes back once more.
            client("scontrol", "update", f"JobId={self.job}", f"StartTime=now+{int(delay)}")
