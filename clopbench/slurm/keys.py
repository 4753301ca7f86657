"""The keys that a profile may have: submitit's, asked of submitit itself, and ours; their kinds and names."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_type_hints

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Field, create_model
from pydantic_core import PydanticCustomError

from clopbench import parameters
from clopbench.errors import UserError
from clopbench.parameters import Count, Positive, Strict, Whole
from clopbench.slurm.conflicts import Blame
from clopbench.slurm.options import ADDITIONAL, PREFIX

MOST_SIGNAL_SECONDS = 65535  # Slurm keeps it in 16 bits.
# Options of sbatch that a submission sets itself, and what to do instead.
RESERVED = {
    "array": "tasks are numbered by the submission",
    "output": "`bench logs` reads it where the submission puts it",
    "error": "`bench logs` reads it where the submission puts it",
    "open-mode": "a task's log holds all its turns",
    "signal": "write slurm_signal_delay_s",
    "parsable": "the submission sets it",
    "wrap": "a task runs cells",
    "wait": "submit returns at once; `bench status --watch` waits",
    "test-only": "use --dry-run",
    "ntasks-per-gpu": "a task has nodes × tasks_per_node processes",
}

# What submitit has no key for, and we have.
OWN_OPTIONS = {"requeue": "requeue", "no-requeue": "requeue", "export": "export", "clusters": "clusters"}


def _one_line(value: str) -> str:
    if not value or not value.isprintable():
        raise PydanticCustomError("line", "Input should be text on one line")
    return value


def _one_cluster(value: str) -> str:
    if value == "all" or not re.fullmatch(r"\w[\w.-]*", value):
        raise PydanticCustomError("cluster", "Input should be the name of one cluster; submit once for each")
    return value


class OwnKeys(Strict):
    """The keys of a profile that submitit does not know."""

    cells_per_task: Count = 1
    """Cells that run at once in one task, on its one GPU or its CPUs."""
    tasks: Count | None = None
    """At most so many array tasks in one submission, each with its share of the cells; None: no bound."""
    requeues: Whole = 10
    """How often a task that reaches its time limit goes back into the queue."""
    requeue: bool = True
    """Whether a task may go back into the queue at all: at its time limit, preempted, or with a failed node."""
    export: Annotated[str, AfterValidator(_one_line)] | None = None
    """sbatch's --export; None: Slurm's default, all variables."""
    clusters: Annotated[str, AfterValidator(_one_cluster)] | None = None
    """The cluster that tasks are sent to; None: the one that commands ask by themselves."""


def _either(kind: type, words: str) -> Any:
    """A type for options that Slurm takes in two spellings, with one message for both."""

    def check(value: Any) -> Any:
        if isinstance(value, str) or type(value) is kind:
            return value
        raise PydanticCustomError("either", "Input should be {words}", {"words": words})

    return Annotated[Any, BeforeValidator(check)]


# Where Slurm takes more than submitit's annotations say, or less.
KINDS: dict[str, Any] = {
    "mem_gb": Positive,
    "gpus_per_node": Whole,
    "slurm_signal_delay_s": Annotated[int, Ge(0), Le(MOST_SIGNAL_SECONDS)],
    "slurm_time": _either(int, "minutes, or text such as '1-12:00:00'"),
    "slurm_gpus_per_node": _either(int, "a whole number, or text such as 'a100:1'"),
    "slurm_gpus_per_task": _either(int, "a whole number, or text such as 'a100:1'"),
    "slurm_exclusive": _either(bool, "true, or text such as 'user'"),
    "slurm_srun_args": list[str],
}


@cache
def _keys() -> type[OwnKeys]:
    """The model of a profile: our keys, submitit's for any cluster, and its Slurm options with their prefix."""
    # Imported here, because most commands need no submitit.
    from submitit import AutoExecutor
    from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

    hints = get_type_hints(_make_sbatch_string)
    kinds: dict[str, Any] = {PREFIX + name: hints[name] for name in SlurmExecutor._valid_parameters()}
    kinds |= AutoExecutor._typed_parameters()
    # Other whole numbers count something: 1 at least.
    kinds = {name: Count if kind in (int, int | None) else kind for name, kind in kinds.items()} | KINDS
    fields: dict[str, Any] = {name: (kind | None, Field(default=None)) for name, kind in kinds.items()}
    return create_model("Profile", __base__=OwnKeys, **fields)


def checked(content: Mapping[str, Any], blame: Blame) -> OwnKeys:
    """The content, each key by itself; one that is null is not set.

    Raises UserError for all that are unknown (with the nearest name) or have a wrong value.
    """
    model = _keys()
    if "slurm_max_num_timeout" in content:  # Submitit's constructor knows it; it is no parameter.
        raise UserError(f"{blame('slurm_max_num_timeout')}: here it is called 'requeues'")
    given = {k: v for k, v in content.items() if v is not None or k not in model.model_fields}
    found, faults = parameters.checked(model, given)
    if found is None:
        raise UserError(*(f"{blame(fault.field)}: {fault.rule}" for fault in faults))
    return found


def named(content: Mapping[str, Any], blame: Blame) -> dict[str, Any]:
    """The content, where an additional option of sbatch that has a key here becomes that key.

    Others that are null or false are not set. Raises UserError for those that cannot be set.
    """
    additional = content.get(ADDITIONAL)
    if not isinstance(additional, Mapping):
        return dict(content)
    found = {key: value for key, value in content.items() if key != ADDITIONAL}
    others: dict[str, Any] = {}
    for spelled, value in additional.items():
        option, where = str(spelled).replace("_", "-"), blame(f"{ADDITIONAL}.{spelled}")
        if option in RESERVED:
            raise UserError(f"{where}: cannot be set: {RESERVED[option]}")
        key = _key_of(option)
        if key in found:
            raise UserError(f"{where}: says the same as {key}; keep one of them")
        if key is not None:
            found[key] = value if option != "no-requeue" else _not(value)
        elif value is not None and value is not False:
            _check_additional(option, value, where)
            others[option] = value
    return found | ({ADDITIONAL: others} if others else {})


def _key_of(option: str) -> str | None:
    """The key for an option of sbatch: ours, or submitit's."""
    if option in OWN_OPTIONS:
        return OWN_OPTIONS[option]
    name = PREFIX + option.replace("-", "_")
    return name if name in _keys().model_fields else None


def _not(flag: Any) -> Any:
    """What `requeue` is where `no-requeue` is `flag`; what is no flag stays, to be refused as such."""
    return {True: False, False: None}.get(flag, flag) if isinstance(flag, bool) else flag


def _check_additional(option: str, value: Any, where: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", option):
        raise UserError(f"{where}: not the name of an option of sbatch")
    if not isinstance(value, (str, int, float)) or not str(value).isprintable():
        raise UserError(f"{where}: text on one line, a number or true (got {value!r})")
