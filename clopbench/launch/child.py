"""A process that says how it ended: a cell's worker, or one rank of it."""

import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from clopbench.launch.messages import End, Ending, Said, heard, tell
from clopbench.launch.outcomes import failure_of_error
from clopbench.training.stop import StopRequest


class Child:
    """A process started at once; `work` gets the arguments and then the channel to say its end on."""

    def __init__(
        self, context: BaseContext, work: Callable[..., None], *arguments: Any, name: str | None = None
    ):
        self._channel, theirs = context.Pipe(duplex=False)
        process: Any = context.Process  # pyright: ignore[reportAttributeAccessIssue]
        self.process: BaseProcess = process(target=work, args=(*arguments, theirs), name=name)
        with warnings.catch_warnings():  # Python 3.12 and later warn of every fork beside threads.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            self.process.start()
        theirs.close()

    @property
    def sentinel(self) -> int:
        return self.process.sentinel

    def end(self) -> End:
        """How it ended; waits until it has."""
        self.process.join()
        with self._channel:
            return heard(self._channel, self.process.exitcode or 0)


def say_end(work: Callable[[], Said], stop: StopRequest, channel: Connection) -> None:
    """Do a child's work in its process, and say how it ended.

    A SystemExit that no signal asked for passes without a word: a process that ends itself has failed.
    """
    try:
        said = work()
    except SystemExit:
        if not stop.requested:
            raise
        said = Ending.LEFT, None
    except Exception as error:
        traceback.print_exc()
        said = Ending.FAILED, failure_of_error(error)
    stop.training = True  # From here on a signal is only noted: there is something to say.
    tell(channel, *said)
