"""A worker on a machine with two GPUs, of which 0 works (it is the CPU) and 1 does not start."""

from typing import Any

from clopbench.launch import worker

work_as_it_is = worker.work


def work(task: Any, channel: Any) -> None:
    if task["gpu"] == "0":
        task["device"] = "cpu"
    work_as_it_is(task, channel)


class Silent:
    """A listener that says nothing."""

    def finished(self, planned: Any, record: Any, problem: str | None) -> None: ...
    def tick(self, active: int, held: int) -> None: ...
