"""Cluster profiles: slurm/<name>.yaml, and the user's own in their configuration folder, which come first.

A profile's keys are those of submitit (`timeout_min`, `slurm_partition`, …) and three of ours. What submitit
knows is asked of submitit, so that a newer one brings its new keys along.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from platformdirs import user_config_path
from pydantic import BeforeValidator, Field, create_model
from pydantic_core import PydanticCustomError

from clopbench.errors import UserError, unknown
from clopbench.parameters import Count, Positive, Strict, Whole, validated
from clopbench.suite import reading

PREFIX = "slurm_"


@dataclass(frozen=True)
class Profile:
    """Where and how tasks run.

    parameters: what the file sets for submitit, as spelled there.
    """

    name: str
    path: Path
    cells_per_task: int
    """Cells that run at once in one task, on its one GPU or its CPUs."""
    tasks: int | None
    """At most so many array tasks in one submission, each with its share of the cells; None: no bound."""
    requeues: int
    """How often a task that reaches its time limit goes back into the queue."""
    parameters: Mapping[str, Any]


class OwnKeys(Strict):
    """The keys of a profile that submitit does not know."""

    cells_per_task: Count = 1
    tasks: Count | None = None
    requeues: Whole = 10


def user_profiles() -> Path:
    """The folder of the user's own profiles, say ~/.config/clop-bench/slurm; it need not exist."""
    return user_config_path("clop-bench", appauthor=False) / "slurm"


def profile_names(suite_root: Path) -> list[str]:
    """Names of all profiles, sorted: the suite's and the user's own."""
    return sorted({name for folder in _folders(suite_root) for name in reading.names(folder)})


def load_profile(name: str, suite_root: Path, settings: Mapping[str, Any] | None = None) -> Profile:
    """Read and validate a profile; `settings` (key → value) replace what the file says.

    Raises UserError for an unknown profile or key (with the nearest name), a wrong value, two keys that say
    the same, a file that is not a mapping in YAML, and a profile without a time limit.
    """
    if name not in profile_names(suite_root):
        raise unknown("profile", name, profile_names(suite_root))
    path = next(folder / f"{name}.yaml" for folder in _folders(suite_root) if name in reading.names(folder))
    written = reading.read(path, str(path)).content
    if not all(isinstance(key, str) for key in written):
        raise UserError(f"{path}: expected a mapping of keys, which are text")
    content = {key: value for key, value in written.items() if value is not None}
    content |= settings or {}
    if "slurm_max_num_timeout" in content:  # Submitit's constructor knows it; it is no parameter.
        raise UserError(f"{path}.slurm_max_num_timeout: here it is called 'requeues'")
    checked = validated(_keys(), content, str(path))
    _refuse_doubles(content, path)
    if not {"timeout_min", "slurm_time"} & content.keys():
        raise UserError(f"{path}.timeout_min: required, but not given (without it Slurm would allow 5 minutes)")
    ours = {key: getattr(checked, key) for key in OwnKeys.model_fields}
    return Profile(name, path, parameters={k: v for k, v in content.items() if k not in ours}, **ours)


def _folders(suite_root: Path) -> list[Path]:
    return [user_profiles(), Path(suite_root) / "slurm"]


def _refuse_doubles(content: Mapping[str, Any], path: Path) -> None:
    """`timeout_min` and `slurm_time` reach sbatch as one option: to drop either silently would be wrong."""
    from submitit.slurm.slurm import SlurmExecutor

    for generic, option in SlurmExecutor._equivalence_dict().items():
        for other in {f"{PREFIX}{option}", f"{PREFIX}{generic}"} & content.keys():
            if generic in content:
                raise UserError(f"{path}.{other}: says the same as {generic}; keep one of them")


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
    "slurm_signal_delay_s": Whole,
    "slurm_time": _either(int, "minutes, or text such as '1-12:00:00'"),
    "slurm_gpus_per_node": _either(int, "a whole number, or text such as 'a100:1'"),
    "slurm_gpus_per_task": _either(int, "a whole number, or text such as 'a100:1'"),
    "slurm_exclusive": _either(bool, "true, or text such as 'user'"),
    "slurm_srun_args": list[str],
}


@cache
def _keys() -> type[Strict]:
    """The model of a profile: our keys, submitit's for any cluster, and its Slurm options with their prefix."""
    # Imported here, because most commands need no submitit.
    from submitit import AutoExecutor
    from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

    options = get_type_hints(_make_sbatch_string)
    kinds: dict[str, Any] = {PREFIX + name: options[name] for name in SlurmExecutor._valid_parameters()}
    kinds |= AutoExecutor._typed_parameters()
    # Other whole numbers count something: 1 at least.
    kinds = {name: Count if kind in (int, int | None) else kind for name, kind in kinds.items()} | KINDS
    fields: dict[str, Any] = {name: (kind | None, Field(default=None)) for name, kind in kinds.items()}
    return create_model("Profile", __base__=OwnKeys, **fields)
