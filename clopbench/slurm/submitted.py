"""What a submission's files hold: cells, parts, and what was asked for; and whether that is what they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from clopbench.results.files import Unreadable, parse_json


@dataclass(frozen=True)
class SubmittedCell:
    """A cell as plain data, and where it is shown: pairs of benchmark and coordinates."""

    id: str
    config: Mapping[str, Any]
    launch: Mapping[str, Any]
    places: Sequence[tuple[str, Mapping[str, str]]]
    overrides: Sequence[str] = ()
    """What the command line changed about it, as 'training.epochs=2'; of older submissions not known."""

    @property
    def tables(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.places))

    @property
    def label(self) -> str:
        """'table7 orthonormal, seed 3', or 'table7 orthonormal, seed 3, training.epochs=2'."""
        name, coordinates = self.places[0]
        seed = f"seed {self.config['seed']}"
        return ", ".join([f"{name} {' '.join(coordinates.values())}", seed, *self.overrides])


@dataclass(frozen=True)
class Part:
    """One Slurm array: tasks first … first + count − 1, so many at a time."""

    number: int
    first: int
    count: int
    parallelism: int


class _Profile(BaseModel):
    name: str
    parameters: dict[str, Any]


class _About(BaseModel):
    """The fields of submission.json that others reckon with."""

    created_unix: float
    scale: str
    device: str
    settings: dict[str, Any]
    profile: _Profile
    method_folders: list[str]
    parts: list[Part]


_CELLS = TypeAdapter(list[SubmittedCell])


def checked_about(content: Any) -> dict[str, Any]:
    """The content of submission.json as it is. Raises Unreadable where a field is not as others expect it."""
    try:
        _About.model_validate(content)
    except ValidationError as error:
        raise Unreadable(_first(error)) from None
    return content


def cells_of(line: str) -> list[SubmittedCell]:
    """The cells of a line of JSON. Raises Unreadable."""
    try:
        cells = _CELLS.validate_python(parse_json(line))
    except ValidationError as error:
        raise Unreadable(_first(error)) from None
    if not all(cell.places and isinstance(cell.config.get("seed"), int) for cell in cells):
        raise Unreadable("a cell without a place in a table, or without a seed")
    return cells


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].lower()}"
