"""What only Slurm knows: who is in the queue and why, how long is left, and, if it tells, how jobs ended.

Every question has a time limit, and an answer is never needed to know what has been computed: that stands in
the records. `squeue` forgets a job some minutes after its end, so a job that it does not name is not queued,
and nothing more is known of it.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from clopbench.errors import UserError

CLIENT_SECONDS = 30.0
HISTORY_SECONDS = 10.0
CANCELLED_AT_ONCE = 1000  # Tasks named in one scancel; a list of all would outgrow a command line.

# From squeue(1), JOB STATE CODES. A job in any other state may still run, or run again.
ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
    *("PREEMPTED", "REVOKED", "TIMEOUT"),
}
WAITING = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}

# The name comes last because it may hold the separator.
FIELDS = [
    *("ArrayJobID", "ArrayTaskID", "State", "Reason", "TimeLeft", "StartTime", "NodeList", "RestartCnt"),
    *("exit_code", "Name"),
]
# JobID, State (also 'CANCELLED by 0'), ExitCode, NodeList. The rest of an array, still pending, has brackets.
ACCOUNT = re.compile(r"([\d_]+)\|(\w+)[^|]*\|(\d+):(\d+)\|(.*)")
NO_CONTROLLER = re.compile(
    r"unable to contact|connection refused|socket timed out|zero bytes|not connected|address not found|"
    r"unable to establish|could not establish a configuration source",
    re.IGNORECASE,
)
# Users set these to see other columns or only their jobs: their answers are not for us.
HIDDEN = ("SQUEUE_", "SACCT_", "SCANCEL_", "SLURM_TIME_FORMAT")
# Waiting tasks of an array come as one expression, which squeue otherwise cuts off.
UNABRIDGED = {"LC_ALL": "C", "SLURM_BITSTR_LEN": "0"}


class Refused(UserError):
    """Slurm did not do what was asked. The message is one line with Slurm's own words."""


class NoAnswer(Refused):
    """Slurm is not installed, its controller is down, or it took too long: whether it acted is not known."""


@dataclass(frozen=True)
class JobState:
    """One job, or one task of an array, as Slurm sees it."""

    job: str
    """'123_4' for task 4 of array 123, '123' for a job without an array."""
    state: str
    """As Slurm spells it: RUNNING, PENDING, COMPLETING, NODE_FAIL, …"""
    reason: str = ""
    """Why it waits, or why it ended; empty where Slurm gives none."""
    node: str = ""
    seconds_left: float | None = None
    """Until the time limit, of a running job; None without a limit."""
    starts_unix: float | None = None
    """When it started; of a waiting job: when Slurm expects it to start, if Slurm says so."""
    restarts: int = 0
    """How often it went back into the queue."""
    exit_code: int | None = None
    signal: int | None = None
    """Of an ended job: its exit status, and the signal that killed it, if one did."""
    name: str = ""

    @property
    def ended(self) -> bool:
        """It will not run again by itself."""
        return self.state in ENDED

    @property
    def waiting(self) -> bool:
        """It is in the queue and has not started, or will start again."""
        return self.state in WAITING


def queue(jobs: Iterable[str] | None = None, ended: bool = False) -> dict[str, JobState]:
    """What is in the queue, by job id, from one call of squeue.

    jobs: ids of arrays or jobs, whoever submitted them ('123' stands for all tasks of array 123); None: all of
    mine. ended: also jobs that have ended, as long as squeue remembers them. Jobs that Slurm does not know are
    absent. Raises Refused, NoAnswer.
    """
    wanted = None if jobs is None else set(jobs)
    if wanted is None:
        which = ["--me"]
    elif wanted:
        which = ["--jobs=" + _arrays(wanted)]
    else:
        return {}
    states = ["--states=all"] if ended else []
    columns = ",".join(f"{field}:|" for field in FIELDS)
    try:
        answer = client("squeue", "--noheader", *which, *states, f"--Format={columns}")
    except Refused as error:
        # Only where a single id is asked for; of several, squeue leaves unknown ones out.
        if "Invalid job id" in str(error):
            return {}
        raise
    return {
        state.job: state
        for state in _parsed(answer)
        if wanted is None or state.job in wanted or state.job.partition("_")[0] in wanted
    }


def history(jobs: Iterable[str], seconds: float = HISTORY_SECONDS) -> dict[str, JobState] | None:
    """How jobs ran and ended, by job id, from sacct; tasks that never started are absent.

    None where sacct is missing, disabled, failing or slower than `seconds`, as on many clusters. What it says
    is a few seconds old. A failed node's jobs are NODE_FAIL there although they may be about to run again.
    """
    arrays = _arrays(jobs)
    if not arrays:
        return {}
    columns = "--format=JobID,State,ExitCode,NodeList"
    command = ["sacct", "--noheader", "--parsable2", "--allocations", columns, f"--jobs={arrays}"]
    try:
        answer = client(*command, seconds=seconds)
    except Refused:
        return None
    found: dict[str, JobState] = {}
    for line in answer.splitlines():
        if fields := ACCOUNT.fullmatch(line):
            job, state, code, number, node = fields.groups()
            node = "" if node == "None assigned" else node
            found[job] = JobState(job, state, node=node, exit_code=int(code), signal=int(number) or None)
    return found


def cancel(jobs: Iterable[str], signal_name: str | None = None) -> None:
    """End jobs, or send them a signal; '123' stands for all tasks of array 123. Ended ones are passed over.

    Raises Refused, say where the jobs are somebody else's, and NoAnswer.
    """
    signals = [f"--signal={signal_name}"] if signal_name else []
    for ids in _grouped(jobs):
        client("scancel", "--quiet", *signals, *ids)


def max_array_size() -> int | None:
    """How many tasks one array of this cluster may have (its MaxArraySize); None where nobody answers.

    Raises Refused where the cluster allows no arrays.
    """
    try:
        answer = client("scontrol", "show", "config")
    except NoAnswer:
        return None
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer, re.MULTILINE)
    if found is None or int(found[1]) == 0:
        raise Refused("this cluster allows no job arrays (MaxArraySize in scontrol show config)")
    return int(found[1])


def client(*command: str, seconds: float = CLIENT_SECONDS) -> str:
    """Run one of Slurm's commands; returns what it prints.

    Raises Refused with Slurm's words where it fails, NoAnswer where nobody answers within `seconds`.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(HIDDEN)}
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", env=environment | UNABRIDGED, process_group=0,
        )  # fmt: skip
    except OSError as error:
        raise NoAnswer(f"Slurm's {command[0]} cannot be run: {(error.strerror or 'error').lower()}") from None
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException as error:
            # The group, because some clusters wrap the commands in scripts whose children would stay.
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise NoAnswer(f"Slurm gave no answer to {command[0]} within {seconds:g} s") from None
            raise
    if process.returncode == 0:
        return out
    words = complaint(err or out) or f"status {process.returncode}"
    if NO_CONTROLLER.search(words):
        raise NoAnswer(f"Slurm's controller does not answer {command[0]}: {words}")
    raise Refused(f"Slurm refused {command[0]}: {words}")


def complaint(message: str) -> str:
    """Slurm's words on one line, without the prefixes of its commands."""
    lines = [re.sub(r"^(?:\w+: )?(?:error: |fatal: )?", "", line).strip() for line in message.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line))


def duration(text: str) -> float | None:
    """Slurm's [days-]hours:minutes:seconds or minutes:seconds, in seconds; None for UNLIMITED and the like."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _arrays(jobs: Iterable[str]) -> str:
    """The arrays to which jobs belong, as an argument: asking for each task would outgrow a command line."""
    return ",".join(sorted({job.partition("_")[0] for job in jobs}))


def _parsed(answer: str) -> Iterator[JobState]:
    for line in answer.splitlines():
        array, tasks, state, reason, left, start, node, restarts, status, name = line.split(
            "|", len(FIELDS) - 1
        )
        code = int(status) if state in ENDED and status.isdigit() else None  # A status as from waitpid.
        for suffix in _suffixes(tasks):
            yield JobState(
                job=array + suffix,
                state=state,
                reason="" if reason == "None" else reason,
                node=node,
                seconds_left=duration(left) if state not in ENDED | WAITING else None,
                starts_unix=_unix(start),
                restarts=int(restarts),
                exit_code=None if code is None else code >> 8,
                signal=None if code is None else code & 127 or None,
                name=name.removesuffix("|"),
            )


def _suffixes(tasks: str) -> Iterator[str]:
    """'1,5-9:2%4' → _1, _5, _7, _9; 'N/A', of a job without an array → an empty suffix.

    Not left to `squeue --array`, which drops the last task of a range with a step (Slurm 22.05).
    """
    if tasks == "N/A":
        yield ""
        return
    for first, last, step in re.findall(r"(\d+)(?:-(\d+)(?::(\d+))?)?", tasks.partition("%")[0]):
        yield from (f"_{task}" for task in range(int(first), int(last or first) + 1, int(step or 1)))


def _unix(text: str) -> float | None:
    """Slurm's local time; 'N/A' where it has none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _grouped(jobs: Iterable[str]) -> Iterator[Sequence[str]]:
    """Arguments for one scancel each: tasks of an array in one argument, since Slurm is asked once for each."""
    tasks: dict[str, list[str]] = {}
    whole: list[str] = []
    for job in dict.fromkeys(jobs):
        array, _, index = job.partition("_")
        if index:
            tasks.setdefault(array, []).append(index)
        else:
            whole.append(job)
    if whole:
        yield whole
    for array, indices in tasks.items():
        for start in range(0, len(indices), CANCELLED_AT_ONCE):
            yield [f"{array}_[{','.join(indices[start : start + CANCELLED_AT_ONCE])}]"]
