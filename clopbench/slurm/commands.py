"""Slurm's client programs. Every call goes through `client`: in an environment of our own, with a time limit.

Slurm takes options from variables that a job, a shell's start-up file or a module has set, and lets them
outweigh what the script says. What a task is to be stands in its profile alone.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

from clopbench.errors import UserError, visible

CLIENT_SECONDS = 30.0
KEPT = "SLURM_CONF"
"""The one variable that stays: it says which Slurm is asked."""
# Of an outer job, its launchers and plug-ins, or meant for a person's eyes.
HIDDEN = (
    *("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SCANCEL_", "SACCT_", "SCONTROL_", "SINFO_"),
    *("PMI", "SPANK_", "_SLURM"),
)
# sbatch says so at once where the queue is full, and then tries again for two minutes.
TRIES_AGAIN = re.compile(rb"sleeping and retrying|temporarily disabled, retrying")
FURTHER_TRIES_SECONDS = 2.0
LOOK_SECONDS = 0.25

NO_CONTROLLER = re.compile(
    r"unable to contact|connection refused|socket timed out|zero bytes|not connected|address not found|"
    r"unable to establish|could not establish a configuration source",
    re.IGNORECASE,
)
# Limits on how many jobs may wait, of a user, an account, a QOS or the whole cluster (MaxJobCount).
FULL = re.compile(
    r"(?:Max|Grp)SubmitJobs?\w*|queue full|Resource temporarily unavailable|temporarily unable to accept|"
    r"temporarily disabled",
    re.IGNORECASE,
)
# Said of every limit; where it is not the number of jobs, Slurm since 21.08 names the limit before it.
POLICY = re.compile(r"violates accounting/QOS policy")
NAMED_LIMIT = re.compile(r"\b(?:QOS|Assoc)\w+Limit\b|\bMax\w+PerAccount\b")


class Refused(UserError):
    """Slurm did not do what was asked. The message is one line with Slurm's own words."""


class NoAnswer(Refused):
    """Slurm is not installed, its controller is down, or it took too long: whether it acted is not known."""


class QueueFull(Refused):
    """Slurm takes no more jobs now, and would later.

    certain: False where its words would fit a limit that no waiting helps against. cut_short: the command was
    still trying, and was ended.
    """

    def __init__(self, words: str, certain: bool = True, cut_short: bool = False):
        super().__init__(words)
        self.certain, self.cut_short = certain, cut_short


class NotThere(NoAnswer):
    """The command is not on this machine, so nothing has happened."""


@dataclass(frozen=True)
class Answer:
    """What a command printed, on its two outputs."""

    out: str
    err: str


def client(
    *command: str,
    seconds: float = CLIENT_SECONDS,
    settings: Mapping[str, str] | None = None,
    what: str | None = None,
) -> Answer:
    """Run one of Slurm's commands, to its end. settings: variables for it besides; what: is refused.

    Raises Refused with Slurm's words where it fails, QueueFull where only the number of jobs is in the way, and
    NoAnswer where nobody answers within `seconds`.
    """
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment() | dict(settings or {}), process_group=0,
        )  # fmt: skip
    except OSError as error:
        raise NotThere(f"Slurm's {command[0]} cannot be run: {(error.strerror or 'error').lower()}") from None
    with process:
        try:
            out, err = _outputs(process, command[0], seconds)
        except BaseException:
            # The group, because some clusters wrap the commands in scripts whose children would stay.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    answer = Answer(out.decode(errors="replace"), err.decode(errors="replace"))
    if process.returncode == 0:
        return answer
    words = complaint(f"{answer.err}\n{answer.out}") or f"status {process.returncode}"
    if FULL.search(words):  # Of a named limit, the name says more than the sentence about all limits.
        raise QueueFull("; ".join(part for part in words.split("; ") if FULL.search(part)))
    if POLICY.search(words) and not NAMED_LIMIT.search(words):
        raise QueueFull(words, certain=False)
    if NO_CONTROLLER.search(words):
        raise NoAnswer(f"Slurm's controller does not answer {command[0]}: {words}")
    raise Refused(f"Slurm refused {what or command[0]}: {words}")


def _outputs(process: "subprocess.Popen[bytes]", name: str, seconds: float) -> tuple[bytes, bytes]:
    """What a process prints, to its end. Raises NoAnswer, and QueueFull where it would only try on."""
    now = time.monotonic()
    deadline, hopeless = now + seconds, None
    while True:
        try:
            return process.communicate(timeout=max(0.0, min(LOOK_SECONDS, deadline - now)))
        except subprocess.TimeoutExpired as error:
            now = time.monotonic()
            said = error.stderr or b""
            if hopeless is None and isinstance(said, bytes) and TRIES_AGAIN.search(said):
                hopeless = now + FURTHER_TRIES_SECONDS
            if hopeless is not None and now >= hopeless:
                raise QueueFull(complaint(said.decode(errors="replace")), cut_short=True) from None
            if now >= deadline:
                raise NoAnswer(f"Slurm gave no answer to {name} within {seconds:g} s") from None


def environment() -> dict[str, str]:
    """The variables of this process without those that Slurm's commands would heed."""
    return {key: value for key, value in os.environ.items() if key == KEPT or not key.startswith(HIDDEN)}


def set_aside() -> list[str]:
    """Options for sbatch in the environment, which are not passed on: a person may have meant them."""
    return sorted(key for key in os.environ if key.startswith("SBATCH_"))


def complaint(message: str) -> str:
    """Slurm's words on one line, without the prefixes of its commands; control characters made visible."""
    lines = [re.sub(r"^(?:\w+: )?(?:error: |fatal: )?", "", line).strip() for line in message.splitlines()]
    return "; ".join(dict.fromkeys(visible(line) for line in lines if line))
