"""Signals that ask a cell to stop. Free of torch, so that a worker can listen before anything else."""

import signal
import sys
from types import FrameType


class Stopped(Exception):
    """The run was asked to stop and has saved its checkpoint."""


class StopRequest:
    """SIGTERM and SIGUSR2 as a request to stop at the next step; outside training they end the process."""

    def __init__(self) -> None:
        self.requested = False
        self.training = False

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if not self.training:
            sys.exit(128 + number)
