"""What only Slurm knows: who is in the queue and why, how long is left, and, if it tells, how jobs ended.

Every question has a time limit, and an answer is never needed to know what has been computed: that stands in
the records. `squeue` forgets a job some minutes after its end, so a job that it does not name is not queued,
and nothing more is known of it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from clopbench.errors import visible
from clopbench.slurm import jobs as ids
from clopbench.slurm.commands import NoAnswer, Refused, client

HISTORY_SECONDS = 10.0
CANCELLED_AT_ONCE = 1000  # Tasks named in one scancel; a list of all would outgrow a command line.

# From squeue(1), JOB STATE CODES. A job in any other state may still run, or run again.
ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
    *("PREEMPTED", "REVOKED", "TIMEOUT"),
}
WAITING = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}

# The first one's mark tells our rows from a cluster's name and from what a site's script prints around them.
# The name comes last because it may hold the separator.
MARK = "|bench|"
FIELDS = [
    *("ArrayTaskID", "State", "Reason", "TimeLeft", "StartTime", "NodeList", "RestartCnt", "exit_code", "Name"),
]
COLUMNS = ",".join([f"ArrayJobID:{MARK}", *(f"{field}:|" for field in FIELDS)])
OURS = re.compile(rf"\s*(\d+){re.escape(MARK)}")
ROW = re.compile(OURS.pattern + 6 * r"([^|]*)\|" + r"(\d+)\|([^|]*)\|(.*?)\|?\s*")
# JobID, State (also 'CANCELLED by 0'), ExitCode, NodeList. The rest of an array, still pending, has brackets.
ACCOUNT = re.compile(r"([\d_]+)\|(\w+)[^|]*\|(\d+):(\d+)\|(.*)")
# Users set LC_ALL for themselves; waiting tasks of an array come as one expression, which squeue would cut off.
UNABRIDGED = {"LC_ALL": "C", "SLURM_BITSTR_LEN": "0"}


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


def queue(
    jobs: Iterable[str] | None = None, ended: bool = False, cluster: str | None = None
) -> dict[str, JobState]:
    """What is in the queue, by job id, from one call of squeue for each cluster.

    jobs: ids of arrays or jobs, whoever submitted them ('123' stands for all tasks of array 123); None: all of
    mine, on `cluster`. ended: also jobs that have ended, as long as squeue remembers them. Jobs that Slurm does
    not know are absent. Raises Refused, NoAnswer.
    """
    if jobs is None:
        return {state.job: state for state in _ask(["--me"], ended, cluster)}
    wanted = dict.fromkeys(jobs)
    found: dict[str, JobState] = {}
    for name, numbers in ids.by_cluster(wanted).items():
        try:
            states = _ask(["--jobs=" + _arrays(numbers)], ended, name)
        except Refused as error:
            # Only where a single id is asked for; of several, squeue leaves unknown ones out.
            if "Invalid job id" in str(error):
                continue
            raise
        found |= {state.job: state for state in states if state.job in wanted or ids.array(state.job) in wanted}
    return found


def _ask(which: Sequence[str], ended: bool, cluster: str | None) -> list[JobState]:
    states = ["--states=all"] if ended else []
    command = ["squeue", "--noheader", *ids.on(cluster), *which, *states, f"--Format={COLUMNS}"]
    return list(_parsed(client(*command, settings=UNABRIDGED).out, cluster))


def history(jobs: Iterable[str], seconds: float = HISTORY_SECONDS) -> dict[str, JobState] | None:
    """How jobs ran and ended, by job id, from sacct; tasks that never started are absent.

    None where sacct is missing, disabled, failing or slower than `seconds`, as on many clusters. What it says
    is a few seconds old. A failed node's jobs are NODE_FAIL there although they may be about to run again.
    """
    columns = "--format=JobID,State,ExitCode,NodeList"
    found: dict[str, JobState] = {}
    for cluster, numbers in ids.by_cluster(jobs).items():
        which = [*ids.on(cluster), f"--jobs={_arrays(numbers)}"]
        command = ["sacct", "--noheader", "--parsable2", "--allocations", columns, *which]
        try:
            answer = client(*command, seconds=seconds, settings=UNABRIDGED).out
        except Refused:
            return None
        for line in answer.splitlines():
            if fields := ACCOUNT.fullmatch(line):
                bare, state, code, number, node = fields.groups()
                node = "" if node == "None assigned" else node
                job = ids.joined(bare, cluster)
                found[job] = JobState(job, state, node=node, exit_code=int(code), signal=int(number) or None)
    return found


def cancel(jobs: Iterable[str], signal_name: str | None = None) -> None:
    """End jobs, or send them a signal; '123' stands for all tasks of array 123. Ended ones are passed over.

    Raises Refused, say where the jobs are somebody else's, and NoAnswer.
    """
    signals = [f"--signal={signal_name}"] if signal_name else []
    for cluster, numbers in ids.by_cluster(jobs).items():
        for group in _grouped(numbers):
            client("scancel", "--quiet", *ids.on(cluster), *signals, *group)


def max_array_size(cluster: str | None = None) -> int | None:
    """How many tasks one array of a cluster may have (its MaxArraySize); None where nobody answers.

    Raises Refused where the cluster allows no arrays.
    """
    try:
        answer = client("scontrol", *ids.on(cluster), "show", "config").out
    except NoAnswer:
        return None
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer, re.MULTILINE)
    if found is None or int(found[1]) == 0:
        raise Refused("this cluster allows no job arrays (MaxArraySize in scontrol show config)")
    return int(found[1])


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


def _parsed(answer: str, cluster: str | None) -> Iterator[JobState]:
    """The jobs of an answer; lines that are not ours are passed over. Raises Refused for a row that is odd."""
    for line in answer.splitlines():
        if not OURS.match(line):
            continue
        row = ROW.fullmatch(line)
        if row is None:
            raise Refused(f"squeue's answer cannot be read: {visible(line.strip())}")
        array, tasks, state, reason, left, start, node, restarts, status, name = row.groups()
        code = int(status) if state in ENDED and status.isdigit() else None  # A status as from waitpid.
        for suffix in _suffixes(tasks):
            yield JobState(
                job=ids.joined(array + suffix, cluster),
                state=state,
                reason="" if reason == "None" else reason,
                node=node,
                seconds_left=duration(left) if state not in ENDED | WAITING else None,
                starts_unix=_unix(start),
                restarts=int(restarts),
                exit_code=None if code is None else code >> 8,
                signal=None if code is None else code & 127 or None,
                name=name,
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
