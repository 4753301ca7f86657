"""The sbatch script of an array, written by submitit around our own command, and its submission.

Tasks read plain data from the submission folder; submitit's pickles are not used. What the script says is
held by tests/slurm/sbatch.golden.sh.
"""

import re
import shlex
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from submitit import SlurmExecutor

from clopbench.errors import UserError
from clopbench.results.records import write_atomic
from clopbench.slurm import jobs as ids
from clopbench.slurm import options, squeue
from clopbench.slurm.commands import NoAnswer, QueueFull, Refused, client, complaint
from clopbench.slurm.snapshot import SNAPSHOT
from clopbench.slurm.submission import Part, Submission

SBATCH_SECONDS = 120.0
# Slurm's warning would end a task that does not listen yet. Preemption and time limits send SIGTERM after it.
DEAF_UNTIL_READY = ["/bin/sh", "-c", "trap '' USR2; exec \"$@\"", "task"]
# With sbatch --export=NONE, srun would give its processes no variables: none of ours, and no PATH.
SRUN_ARGUMENTS = ["--export=ALL"]
# '123', or '123;west' where a cluster was named: what sbatch --parsable prints, on a line of its own.
JOB_ID = re.compile(r"\d+(?:;[\w.-]+)?")


class _ArrayExecutor(SlurmExecutor):
    """submitit's executor, also where no Slurm is installed (--dry-run)."""

    @classmethod
    def affinity(cls) -> int:
        return 2


@dataclass(frozen=True)
class Taken:
    """An array that Slurm has taken. said: what Slurm, or a script of the site, printed besides."""

    job: str
    said: str


def text(submission: Submission, part: Part, dependency: str | None = None) -> str:
    """The sbatch script of one part. Raises UserError for parameters that submitit refuses."""
    return _executor(submission, part, dependency)._make_submission_file_text(command(submission, part), "")


def submit(submission: Submission, part: Part, dependency: str | None = None) -> Taken:
    """Hand one part to Slurm.

    Raises Refused with Slurm's own words, QueueFull where there is no room now, and NoAnswer where nobody knows
    whether Slurm took it.
    """
    script = submission.logs / f"sbatch-{part.number}.sh"
    try:
        write_atomic(script, text(submission, part, dependency).encode())
    except OSError as error:
        raise UserError(f"{script} cannot be written: {(error.strerror or 'error').lower()}") from None
    try:
        answer = client("sbatch", "--parsable", str(script), seconds=SBATCH_SECONDS, what="the job")
    except QueueFull as full:
        # It was ended while it tried again, so it may have come through at the last moment.
        job = find(submission, part) if full.cut_short else None
        if job is None:
            raise
        return Taken(job, "")
    lines = [line.strip() for line in answer.out.splitlines()]
    found = [line for line in lines if JOB_ID.fullmatch(line)]
    others = [line for line in lines if line not in found]
    # A number that somebody else printed looks the same: then the name decides, which is unlike any other.
    job = found[0] if len(found) == 1 else find(submission, part)
    if job is None:
        words = complaint(answer.out) or "nothing"
        raise NoAnswer(f"sbatch printed no job id that squeue knows ({words})")
    return Taken(job, complaint("\n".join([answer.err, *others])))


def find(submission: Submission, part: Part) -> str | None:
    """The array of a part by its name, among my jobs; None where Slurm knows none. Raises NoAnswer."""
    name = submission.job_name(part)
    try:
        known = squeue.queue(ended=True, cluster=submission.cluster)
    except Refused as error:
        raise NoAnswer(f"whether Slurm took the job is not known: {error}") from None
    return next((ids.array(job) for job, state in known.items() if state.name.endswith(name)), None)


def command(submission: Submission, part: Part) -> str:
    """What srun starts once per task."""
    python = submission.about["environment"]["python"]
    words = [python, "-u", "-m", "clopbench.slurm.task", str(submission.folder), str(part.first)]
    return shlex.join([*DEAF_UNTIL_READY, *words])


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
    profile = submission.about["profile"]
    given = dict(profile["parameters"])
    settings = {key.removeprefix("slurm_"): value for key, value in given.items()}
    settings.setdefault("stderr_to_stdout", True)
    settings.setdefault("wckey", None)  # submitit would set its own name, which accounting may refuse.
    settings["array_parallelism"] = part.parallelism
    settings["setup"] = [*(settings.get("setup") or []), *_exports(submission)]
    # What the profile says comes later, and so counts.
    settings["srun_args"] = [*SRUN_ARGUMENTS, *(settings.get("srun_args") or [])]
    if options.processes(given) > 1:  # That one process is killed is for the others to see, and to record.
        settings["srun_args"].append("--kill-on-bad-exit=0")
    settings["additional_parameters"] = _additional(profile) | (settings.get("additional_parameters") or {})
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
            raise UserError(f"profile {profile['name']}: {' '.join(str(error).split())}") from None
    executor.parameters["map_count"] = part.count
    return executor


def _additional(profile: dict[str, Any]) -> dict[str, Any]:
    """Our own keys as options of sbatch."""
    found: dict[str, Any] = {"requeue" if profile.get("requeue", True) else "no-requeue": True}
    return found | {name: profile[name] for name in ("export", "clusters") if profile.get(name) is not None}


def _exports(submission: Submission) -> list[str]:
    """What tasks need in their environment, after the profile's own set-up lines."""
    lines = [
        # A shell that was started without one has a PATH of its own, and keeps it to itself.
        "export PATH",
        # Since Slurm 22.05 srun does not take over the CPUs of sbatch, and would bind the task to one of them.
        "export ${SLURM_CPUS_PER_TASK:+SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK}",
        # Without it `python -m` would put the working folder before PYTHONPATH, and so before the snapshot.
        "export PYTHONSAFEPATH=1",
    ]
    if not submission.about["live"]:
        snapshot = shlex.quote(str(submission.folder / SNAPSHOT))
        lines.append(f'export PYTHONPATH={snapshot}"${{PYTHONPATH:+:$PYTHONPATH}}"')
    return lines
