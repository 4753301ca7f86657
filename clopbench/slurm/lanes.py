"""How many tasks of a submission's arrays may run at once, where more arrays come as time goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from clopbench.slurm import jobs as ids
from clopbench.slurm.squeue import JobState


@dataclass
class _Array:
    parallelism: int
    left: int
    """Tasks of it in the queue, when it was last looked at."""

    @property
    def width(self) -> int:
        return min(self.parallelism, self.left)


class Lanes:
    """Arrays in lanes, one behind the other; the widths of all lanes together are at most `at_once`.

    Slurm limits the tasks that run at once for each array alone. So an array gets what is free; where nothing
    is, it waits for the end of another one, and takes over its place.
    """

    def __init__(self, at_once: int):
        self.at_once = at_once
        self._arrays: dict[str, _Array] = {}
        self._lanes: list[list[str]] = []

    def add(self, job: str, tasks: int, parallelism: int, after: str | None) -> None:
        """An array is in the queue, in a lane of its own or behind `after`."""
        self._arrays[job] = _Array(parallelism, tasks)
        lane = next((lane for lane in self._lanes if after in lane), None)
        if lane is None:
            self._lanes.append([job])
        else:
            lane.append(job)

    def look(self, queued: Mapping[str, JobState]) -> int:
        """Learn which tasks are in the queue still; returns how many have left it since the last look."""
        before = sum(array.left for array in self._arrays.values())
        for array in self._arrays.values():
            array.left = 0
        for job in queued:
            if (array := self._arrays.get(ids.array(job))) is not None:
                array.left += 1
        return before - sum(array.left for array in self._arrays.values())

    def place(self, tasks: int) -> tuple[int, str | None]:
        """For a new array: how many of its tasks may run at once, and after which array's end, if any."""
        live = [lane for lane in self._lanes if self._width(lane)]
        free = self.at_once - sum(self._width(lane) for lane in live)
        if free > 0:
            return min(tasks, free), None
        shortest = min(live, key=lambda lane: sum(self._arrays[job].left for job in lane) / self._width(lane))
        return min(tasks, self._width(shortest)), shortest[-1]

    def _width(self, lane: list[str]) -> int:
        return max(self._arrays[job].width for job in lane)
