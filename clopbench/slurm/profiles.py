"""Cluster profiles: slurm/<name>.yaml, and the user's own in their configuration folder, which come first.

A profile's keys are those of submitit (`timeout_min`, `slurm_partition`, …) and six of ours (keys.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from clopbench.errors import UserError, unknown
from clopbench.slurm import conflicts
from clopbench.slurm.keys import OwnKeys, checked, named
from clopbench.suite import manifest, reading


@dataclass(frozen=True)
class Profile:
    """Where and how tasks run. What the fields of ours mean stands with `OwnKeys`.

    parameters: what the file sets for submitit, as spelled there.
    """

    name: str
    path: Path
    document: reading.Document
    cells_per_task: int
    tasks: int | None
    requeues: int
    requeue: bool
    export: str | None
    clusters: str | None
    parameters: Mapping[str, Any]
    overridden: frozenset[str] = frozenset()
    """Keys that the command line set, or took away."""

    def blame(self, key: str) -> str:
        """The words with which a message about a key begins: where it was written."""
        return _override(key) if key.partition(".")[0] in self.overridden else _in(self.document, key)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for submission.json."""
        ours = {name: getattr(self, name) for name in OwnKeys.model_fields}
        return {"name": self.name, "path": str(self.path), **ours, "parameters": dict(self.parameters)}


def user_profiles() -> Path:
    """The folder of the user's own profiles, say ~/.config/clop-bench/slurm; it need not exist."""
    return user_config_path("clop-bench", appauthor=False) / "slurm"


def profile_names(suite_root: Path) -> list[str]:
    """Names of all profiles, sorted: the suite's and the user's own."""
    return sorted({name for folder in _folders(suite_root) for name in reading.names(folder)})


def load_profile(name: str, suite_root: Path, settings: Mapping[str, Any] | None = None) -> Profile:
    """Read and validate a profile; `settings` (key → value) replace what the file says, None takes it away.

    Raises UserError for an unknown profile or key (with the nearest name), a wrong value, keys that cannot go
    together, a file that is not a mapping in YAML, and a profile without a time limit. Its message names the
    override where it is the override's fault, else the file.
    """
    if name not in profile_names(suite_root):
        raise unknown("profile", name, profile_names(suite_root))
    path = next(folder / f"{name}.yaml" for folder in _folders(suite_root) if name in reading.names(folder))

    settings = settings or {}
    document = reading.read(path, str(path))
    file = partial(_in, document)
    written = named(
        {str(key): value for key, value in document.content.items() if key not in settings},
        file,
    )
    checked(written, file)
    typed = named(settings, _override)
    checked(typed, _override)
    # To sbatch, --exclusive=False would be another kind of exclusive.
    off = ("slurm_exclusive", False)
    content = {k: v for k, v in (written | typed).items() if v is not None and (k, v) != off}
    ours = checked(content, file).model_dump(include=set(OwnKeys.model_fields))
    parameters = {key: value for key, value in content.items() if key not in ours}
    profile = Profile(name, path, document, parameters=parameters, overridden=frozenset(typed), **ours)
    conflicts.check(parameters, profile.blame, typed)
    if not {"timeout_min", "slurm_time"} & parameters.keys():
        key = next((key for key in ("timeout_min", "slurm_time") if key in typed), "timeout_min")
        raise UserError(
            f"{profile.blame(key)}: required, but not given (without it Slurm would allow 5 minutes)"
        )
    return profile


def _in(document: reading.Document, key: str) -> str:
    line = document.find(tuple(key.split(".")))[1]
    return f"{document.name}:{line}: {key}"


def _override(key: str) -> str:
    return f"override '{key}'"


def _folders(suite_root: Path) -> list[Path]:
    return [user_profiles(), *(folder / "slurm" for folder in manifest.folders(Path(suite_root)))]
