"""How much CPU time a cell's process uses until its first step: run as a program by test_start.

    python first_step.py fresh TASK ANSWER     this very process becomes the worker
    python first_step.py forked TASK ANSWER    the worker comes from a fork server, as in `bench run` on Linux

TASK is a JSON file with a worker's task. ANSWER is written: {"begins": …, "done": …}, the CPU seconds (user and
system, all threads) of the worker's process when its first step begins and when it is done. Then it exits.
"""

import json
import os
import resource
import sys
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from clopbench.launch import worker
from clopbench.launch.messages import Task


def until_first_step(task: Task, answer: str) -> None:
    """Do a worker's work as far as its first step. Does not return."""
    from clopbench.training.loop import Trainer

    real_step = Trainer._step

    def timed_step(self: Trainer, image_BCHW: Any, positions: Any):
        begins = cpu_seconds()
        real_step(self, image_BCHW, positions)
        Path(answer).write_text(json.dumps({"begins": begins, "done": cpu_seconds()}))
        os._exit(0)

    Trainer._step = timed_step
    worker.work(task, Pipe()[1])


def cpu_seconds() -> float:
    """User and system time of this process so far; a forked one starts at zero."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _forked(task: Task, answer: str) -> None:
    from clopbench.launch.local import PRELOAD, process_context

    context = process_context()
    context.set_forkserver_preload(PRELOAD)
    # The check before a run waits for the server's imports, which are paid for once and not by a cell.
    ours, theirs = context.Pipe(duplex=False)
    given = ([task["cell"]], task["method_folders"], task["data"], theirs)
    check = context.Process(target=worker.check, args=given)
    check.start()
    problem = ours.recv()
    check.join()
    if problem:
        raise SystemExit(problem)
    process = context.Process(target=until_first_step, args=(task, answer))
    process.start()
    process.join()


if __name__ == "__main__":
    mode, task_path, answer_path = sys.argv[1:]
    given: Task = json.loads(Path(task_path).read_text())
    if mode == "forked":
        _forked(given, answer_path)
    else:
        # What a spawned worker imports before anything else: the program that started it.
        import clopbench.cli.main  # noqa: F401

        until_first_step(given, answer_path)
