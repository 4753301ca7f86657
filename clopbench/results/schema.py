"""What a record.json must look like, beyond its checksum: whoever reads it may rely on names and types."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, ValidationError

SCHEMA = 1
RESULT_STATUSES = ("done", "collapsed", "diverged")
FAILURE_CLASSES = ("out_of_memory", "timeout", "node", "device", "killed", "error")
MOST_SEED = 2**63 - 1

Cost = Annotated[float, Ge(0)]


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")


class Engine(_Checked):
    """The package that ran: `bench` itself, apart from the suite's folder, whose commit stands beside it."""

    version: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    sha256: str | None = None


class Provenance(_Checked):
    """Where a record comes from; the fields that others reckon with, beside any others."""

    seconds: Cost | None = None
    train_seconds: Cost | None = None
    views_per_second: Cost | None = None
    ended_unix: Cost = 0.0
    test_images: Annotated[int, Ge(1)] = 1
    """Left out, as is `ended_unix`, by records that are older than the field; never null."""
    engine: Engine | None = None
    """None: the record is older than this field."""


class FailureContent(_Checked):
    """Why there is no result. `class` is one of FAILURE_CLASSES, or of a later version's."""

    message: str
    traceback: str
    kind: str

    model_config = ConfigDict(strict=True, alias_generator=lambda name: "class" if name == "kind" else name)


class Content(_Checked):
    """The fields of record.json."""

    schema_: Literal[1]
    id: str
    arm: str
    seed: Annotated[int, Ge(0), Le(MOST_SEED)]
    config: dict[str, Any]
    status: Literal["done", "collapsed", "diverged", "failed"]
    metrics: dict[str, float | None]
    notes: dict[str, str]
    pairing: dict[str, str]
    provenance: Provenance
    failure: FailureContent | None
    result_digest: str
    checksum: str

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))


def problem(content: Mapping[str, Any]) -> str | None:
    """The first thing that is wrong with the content of a record.json, as 'field: rule'; None for nothing.

    Nothing is converted: the content stays as it was read, and so its checksum.
    """
    try:
        found = Content.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    if (found.status == "failed") != (found.failure is not None):
        return f"failure: goes with status failed, and only with it (status is {found.status})"
    return None
