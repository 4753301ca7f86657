"""What the parameters of a profile come to: the options of sbatch that they set, processes, times."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

PREFIX = "slurm_"
ADDITIONAL = "slurm_additional_parameters"
DEFAULT_PARALLELISM = 256  # This and the next are submitit's own.
DEFAULT_SIGNAL_SECONDS = 90


def option(key: str) -> str:
    """The option of sbatch that a key of a profile becomes: mem_gb → mem."""
    name = key.removeprefix(PREFIX)
    return _names().get(name, name).replace("_", "-")


@cache
def _names() -> dict[str, str]:
    from submitit.slurm.slurm import SlurmExecutor  # Here, because most commands need no submitit.

    return {"num_gpus": "gpus_per_node", **{k: str(v) for k, v in SlurmExecutor._equivalence_dict().items()}}


def given(parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    """Option of sbatch → the keys that set it; those without the prefix first."""
    found: dict[str, list[str]] = {}
    for key in sorted(parameters, key=lambda key: (key.startswith(PREFIX), key)):
        if key != ADDITIONAL:
            found.setdefault(option(key), []).append(key)
    for name in parameters.get(ADDITIONAL) or {}:
        found.setdefault(name, []).append(f"{ADDITIONAL}.{name}")
    return found


def parallelism(parameters: Mapping[str, Any]) -> int:
    """Tasks at once over the whole submission."""
    return int(parameters.get("slurm_array_parallelism") or DEFAULT_PARALLELISM)


def processes(parameters: Mapping[str, Any]) -> int:
    """Processes that srun starts for one task."""
    nodes = parameters.get("nodes") or parameters.get("slurm_nodes") or 1
    names = ("tasks_per_node", "slurm_tasks_per_node", "slurm_ntasks_per_node")
    return int(nodes) * int(next((parameters[name] for name in names if parameters.get(name)), 1))


def signal_delay(parameters: Mapping[str, Any]) -> int:
    """Seconds before the time limit at which Slurm is asked to warn a task; 0: it is not."""
    return parameters.get("slurm_signal_delay_s", DEFAULT_SIGNAL_SECONDS)


def time_limit(parameters: Mapping[str, Any]) -> float | None:
    """Seconds that a turn may take; None without a limit, or where only Slurm may know what the text means."""
    if (minutes := parameters.get("timeout_min")) is not None:
        return 60.0 * minutes
    # minutes, minutes:seconds, hours:minutes:seconds, days-hours and so on.
    text = str(parameters.get("slurm_time", "")).strip()
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if found is None:
        return None
    days, *parts = (float(part or 0) for part in found.groups())
    if found[1] is not None or found[4] is not None:
        hours, minutes, seconds = parts
        return ((24 * days + hours) * 60 + minutes) * 60 + seconds or None
    return 60 * parts[0] + parts[1] or None
