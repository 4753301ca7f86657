"""The sbatch script of an array, written and submitted by submitit around our own command.

Tasks read plain data from the submission folder; submitit's pickles are not used. What the script says is
held by tests/slurm/sbatch.golden.sh.
"""

import contextlib
import io
import shlex
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from clopbench.errors import UserError
from clopbench.slurm import squeue
from clopbench.slurm.snapshot import SNAPSHOT
from clopbench.slurm.submission import Part, Submission

SBATCH_SECONDS = 120
TIMED_OUT = 124  # The status of timeout(1).
DEFAULT_PARALLELISM = 256  # submitit's own.
# Slurm's warning would end a task that does not listen yet. Preemption and time limits send SIGTERM after it.
DEAF_UNTIL_READY = ["sh", "-c", "trap '' USR2; exec \"$@\"", "task"]


class _ArrayExecutor(SlurmExecutor):
    """submitit's executor, also where no Slurm is installed (--dry-run), with a limit on sbatch's time."""

    @classmethod
    def affinity(cls) -> int:
        return 2

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:
        return ["timeout", str(SBATCH_SECONDS), *super()._make_submission_command(submission_file_path)]


def text(submission: Submission, part: Part, dependency: str | None = None) -> str:
    """The sbatch script of one part. Raises UserError for parameters that submitit refuses."""
    return _executor(submission, part, dependency)._make_submission_file_text(command(submission, part), "")


def submit(submission: Submission, part: Part, dependency: str | None = None) -> str:
    """Hand one part to Slurm; returns the array's job id.

    Raises Refused with Slurm's own words, and NoAnswer where nobody knows whether Slurm took it.
    """
    executor = _executor(submission, part, dependency)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it also raises.
            return executor._submit_command(command(submission, part)).job_id
    except FailedJobError as error:
        words = squeue.complaint(str(error))
        cause = error.__cause__
        if isinstance(cause, subprocess.CalledProcessError) and cause.returncode == TIMED_OUT:
            raise squeue.NoAnswer(f"Slurm gave no answer to sbatch within {SBATCH_SECONDS} s") from None
        if squeue.NO_CONTROLLER.search(words):
            raise squeue.NoAnswer(f"Slurm's controller does not answer sbatch: {words}") from None
        raise squeue.Refused(f"Slurm refused the job: {words}") from None
    except FailedSubmissionError as error:
        raise squeue.NoAnswer(squeue.complaint(str(error))) from None
    except OSError as error:
        raise squeue.Refused(f"sbatch cannot be run: {(error.strerror or 'error').lower()}") from None


def command(submission: Submission, part: Part) -> str:
    """What srun starts once per task."""
    python = submission.about["environment"]["python"]
    words = [python, "-u", "-m", "clopbench.slurm.task", str(submission.folder), str(part.first)]
    return shlex.join([*DEAF_UNTIL_READY, *words])


def parallelism(parameters: Mapping[str, Any]) -> int:
    """Tasks at once over the whole submission."""
    return int(parameters.get("slurm_array_parallelism") or DEFAULT_PARALLELISM)


def processes(parameters: Mapping[str, Any]) -> int:
    """Processes that srun starts for one task."""
    nodes = parameters.get("nodes") or parameters.get("slurm_nodes") or 1
    names = ("tasks_per_node", "slurm_tasks_per_node", "slurm_ntasks_per_node")
    return int(nodes) * int(next((parameters[name] for name in names if parameters.get(name)), 1))


def split(tasks: int, limit: int, at_once: int) -> list[Part]:
    """Arrays of at most `limit` tasks that together run `at_once` tasks at a time.

    Each array gets a share of `at_once` by its size, one at least; where there are more arrays than
    `at_once`, `waits_for` makes the surplus wait.
    """
    count = -(-tasks // limit)
    sizes = [tasks // count + (number < tasks % count) for number in range(count)]
    lanes = min(count, at_once)
    shares = [at_once // lanes + (number < at_once % lanes) for number in range(lanes)]
    parts, first = [], 0
    for number, size in enumerate(sizes):
        parts.append(Part(number, first, size, max(1, min(size, shares[number % lanes]))))
        first += size
    return parts


def waits_for(parts: Sequence[Part], part: Part, at_once: int) -> Part | None:
    """The part after whose end `part` may start, where there are more parts than tasks at once."""
    return parts[part.number - at_once] if part.number >= at_once else None


def _executor(submission: Submission, part: Part, dependency: str | None) -> _ArrayExecutor:
    given = dict(submission.about["profile"]["parameters"])
    settings = {key.removeprefix("slurm_"): value for key, value in given.items()}
    settings.setdefault("stderr_to_stdout", True)
    settings.setdefault("wckey", None)  # submitit would set its own name, which accounting may refuse.
    settings["array_parallelism"] = part.parallelism
    settings["setup"] = [*(settings.get("setup") or []), *_exports(submission)]
    if processes(given) > 1:  # That one process is killed is for the others to see, and to record.
        settings["srun_args"] = [*(settings.get("srun_args") or []), "--kill-on-bad-exit=0"]
    settings["additional_parameters"] = {"requeue": True} | (settings.get("additional_parameters") or {})
    if dependency is not None:
        settings["dependency"] = ",".join(filter(None, [settings.get("dependency"), dependency]))
    prefix = settings.pop("name", None) or settings.pop("job_name", None)
    settings["job_name"] = f"{prefix}.{submission.job_name(part)}" if prefix else submission.job_name(part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # submitit's advice on GPU keys is for those who wrote the profile.
        executor = _ArrayExecutor(submission.logs)
        try:
            memory = {"mem": settings.pop("mem")} if isinstance(settings.get("mem"), str) else {}
            executor.update_parameters(**executor._convert_parameters(settings), **memory)
        except (TypeError, ValueError) as error:
            name = submission.about["profile"]["name"]
            raise UserError(f"profile {name}: {' '.join(str(error).split())}") from None
    executor.parameters["map_count"] = part.count
    return executor


def _exports(submission: Submission) -> list[str]:
    """What tasks need in their environment, after the profile's own set-up lines."""
    lines = [
        # Since Slurm 22.05 srun does not take over the CPUs of sbatch, and would bind the task to one of them.
        "export ${SLURM_CPUS_PER_TASK:+SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK}",
        # Without it `python -m` would put the working folder before PYTHONPATH, and so before the snapshot.
        "export PYTHONSAFEPATH=1",
    ]
    if not submission.about["live"]:
        snapshot = shlex.quote(str(submission.folder / SNAPSHOT))
        lines.append(f'export PYTHONPATH={snapshot}"${{PYTHONPATH:+:$PYTHONPATH}}"')
    return lines
