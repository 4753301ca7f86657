"""Settings that cannot go together: refused before Slurm sees them, and before anything is written.

Some of them Slurm would refuse itself, in words about options that nobody has typed. Others it would take, and
the tasks would fail, wait for twice the GPUs, or never get to work.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import combinations
from typing import Any

from clopbench.errors import UserError
from clopbench.slurm import options
from clopbench.slurm.options import ADDITIONAL

EARLY_SECONDS = 30  # Slurm looks at time limits this often, and rather warns early than late.

# Of each set, Slurm takes one (sbatch(1); tried with 22.05).
ALTERNATIVES = (
    ("mem", "mem-per-cpu", "mem-per-gpu"),
    ("cpus-per-task", "cpus-per-gpu"),
    ("exclusive", "oversubscribe"),
)
GPUS = ("gpus-per-node", "gpus-per-task", "gpus", "gpus-per-socket")
PER_GPU = ("mem-per-gpu", "cpus-per-gpu")


Blame = Callable[[str], str]
"""Key → 'file.key' or 'override …': the words with which a message about it begins."""


def check(parameters: Mapping[str, Any], blame: Blame, overridden: Collection[str]) -> None:
    """Raise UserError for the first setting that cannot go with another, or cannot be written down.

    overridden: keys of the command line.
    """
    given = options.given(parameters)
    for first, second, rule in _pairs(given, parameters):
        theirs, ours = second, first
        if first in overridden and second not in overridden:  # What came last is to blame.
            theirs, ours = first, second
        away = ours not in overridden and theirs in overridden
        hint = f" ({ours}=null takes it away)" if away and "." not in ours else ""
        raise UserError(f"{blame(theirs)}: {rule.format(ours)}{hint}")
    for key, problem in _alone(given, parameters):
        raise UserError(f"{blame(key)}: {problem}")


def check_use(parameters: Mapping[str, Any], blame: Blame, overridden: Collection[str]) -> None:
    """Raise UserError where tasks would get no time to work, or a setting would be for nothing.

    Of a profile that is about to be used: by itself it may be half of one.
    """
    given = options.given(parameters)
    delay, limit = options.signal_delay(parameters), options.time_limit(parameters)
    if delay and limit is not None and delay + EARLY_SECONDS > limit:
        keys = [key for key in ("slurm_signal_delay_s", *given["time"]) if key in parameters]
        key = next((key for key in keys if key in overridden), keys[0])
        default = "" if "slurm_signal_delay_s" in parameters else " by default"
        raise UserError(
            f"{blame(key)}: no time to work: a turn has {limit:g} s, and Slurm warns {delay} s before its end"
            f"{default} (slurm_signal_delay_s), or up to {EARLY_SECONDS} s earlier"
        )
    if not _has_gpus(parameters.get("slurm_gres")) and not any(name in given for name in GPUS):
        for key in (key for name in PER_GPU for key in given.get(name, [])):
            raise UserError(f"{blame(key)}: no GPU is asked for")


def _pairs(given: Mapping[str, list[str]], parameters: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Two keys, and what is wrong with either beside the other ('{}')."""
    for keys in given.values():
        for first, second in combinations(keys, 2):
            yield first, second, "says the same as {}; keep one of them"
    for names in ALTERNATIVES:
        for first, second in combinations([key for name in names for key in given.get(name, [])], 2):
            yield first, second, f"Slurm takes only one of {', '.join(names)}, and {{}} is given too"
    if _has_gpus(parameters.get("slurm_gres")):
        for key in (key for name in GPUS for key in given.get(name, [])):
            yield key, "slurm_gres", "asks for GPUs besides those of {}; keep one of them"
    if parameters.get("slurm_use_srun") is False:
        if "slurm_srun_args" in parameters:
            yield "slurm_use_srun", "slurm_srun_args", "goes not with {}: no srun, no arguments for it"
        if options.processes(parameters) > 1:
            counts = (key for name in ("nodes", "ntasks-per-node") for key in given.get(name, []))
            yield next(counts), "slurm_use_srun", "goes not with {}: without srun a task is one process"


def _alone(given: Mapping[str, list[str]], parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys that cannot work whatever else is there."""
    if "ntasks" in given:
        wanted, count = parameters[ADDITIONAL]["ntasks"], options.processes(parameters)
        if str(wanted) != str(count):
            yield given["ntasks"][0], f"a task has nodes × tasks_per_node = {count} processes, not {wanted}"
    for key, value in parameters.items():
        # It would end the line of its option, and begin another one.
        if isinstance(value, str) and not value.isprintable():
            yield key, f"text on one line (got {value!r})"


def _has_gpus(gres: str | None) -> bool:
    return bool(re.search(r"(?:^|,)\s*(?:gres[/:])?gpu\b", gres or ""))
