"""Signals that ask a cell to stop. Free of torch, so that a worker can listen before anything else."""

import signal
import sys
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR2)


class Stopped(Exception):
    """The run was asked to stop and has saved its checkpoint."""


class StopRequest:
    """SIGTERM and SIGUSR2 as a request to stop at the next step; outside training they end the process."""

    def __init__(self) -> None:
        self.requested = False
        self.training = False

    def install(self) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, self._handle)
        # A launcher may start us with these blocked, so that none is lost before this moment.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if not self.training:
            sys.exit(128 + number)
