"""Types of declared values, and their validation with messages that fit on one line.

Plug-in methods annotate their keyword arguments with these names; the declarations of cells and tables
are pydantic models over the same types. Nothing here imports torch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from clopbench.errors import UserError, nearest, unknown

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Gt(0), Le(1)]
Share = Annotated[float, Ge(0), Le(1)]
AtLeastOne = Annotated[float, Ge(1)]
Momentum = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Gt(0)]
Whole = Annotated[int, Ge(0)]
LONGEST_VALUE = 120
REQUIRED = "required, but not given"
LARGEST_POINT = 2**53


def as_text(value: Any) -> Any:
    """YAML reads the point 10 or 0.1 of an axis as a number; points are named by text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    # Above that no float is near enough to a whole number to be written as one.
    return str(value) if isinstance(value, int) and abs(value) > LARGEST_POINT else f"{value:g}"


def _distinct(value: Any) -> Any:
    """Refuse a mapping two of whose keys name one point: only one of them would be left."""
    names: dict[Any, Any] = {}
    for key in value if isinstance(value, Mapping) else ():
        if (name := as_text(key)) in names:
            raise ValueError(f"{names[name]!r} and {key!r} are both called '{name}'; put other names in quotes")
        names[name] = key
    return value


PointName = Annotated[str, BeforeValidator(as_text)]
Value = TypeVar("Value")
ByPoint = Annotated[dict[PointName, Value], BeforeValidator(_distinct)]
"""Point → what is said of it."""

# What an annotation in a method file may say and still be read without importing the file.
READABLE: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "Positive": Positive,
    "NonNegative": NonNegative,
    "Fraction": Fraction,
    "Momentum": Momentum,
    "Count": Count,
    "Whole": Whole,
}


class Strict(BaseModel):
    """A frozen declaration: unknown fields are refused, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)
FieldPath = tuple[int | str, ...]
"""Where a value stands: keys of mappings, positions in lists, and (as pydantic has it) kinds of a union."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with declared values, and where. label: the place in other words."""

    path: FieldPath
    rule: str
    label: str | None = None

    @property
    def missing(self) -> bool:
        """Whether the value stands nowhere."""
        return self.rule == REQUIRED

    @property
    def field(self) -> str:
        """What the message calls the place."""
        return ".".join(map(str, self.path)) if self.label is None else self.label

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.field, self.rule]))


def validated(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """Build `model` from `values`.

    Raises UserError naming every field that is wrong, prefixed by `where` (say 'training').
    """
    found, wrong = checked(model, values)
    if found is None:
        start = (where,) if where else ()
        raise UserError(*(Fault((*start, *one.path), one.rule) for one in wrong))
    return found


def checked(model: type[Model], values: Mapping[str, Any]) -> tuple[Model | None, list[Fault]]:
    """`model` from `values`, or None and all that is wrong, in the order of the fields."""
    try:
        return model.model_validate(dict(values)), []
    except ValidationError as error:
        return None, _faults(error, model)


def _faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    problems = error.errors()
    # A misspelt field is both unknown and missing: the former says more.
    meant = {
        (*path, nearest(str(last), _known(model, path)))
        for *path, last in (problem["loc"] for problem in problems if problem["type"] == "extra_forbidden")
    }
    return [
        _fault(problem, model)
        for problem in problems
        if problem["type"] != "missing" or problem["loc"] not in meant
    ]


def _fault(problem: ErrorDetails, model: type[BaseModel]) -> Fault:
    path, context = problem["loc"], problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return Fault(path, f"unknown field{hint(str(path[-1]), _known(model, path[:-1]))}")
        case "missing":
            return Fault(path, REQUIRED)
        case "union_tag_not_found":
            return Fault((*path, _bare(context["discriminator"])), REQUIRED)
        case "union_tag_invalid":
            discriminator = _bare(context["discriminator"])
            known = [_bare(tag) for tag in context["expected_tags"].split(", ")]
            return Fault((*path, discriminator), str(unknown(discriminator, context["tag"], known)))
    message = problem["msg"].removeprefix("Value error, ")
    rule = message[0].lower() + message[1:]
    # A rule about several fields names them itself: their whole mapping would say no more.
    whole = problem["type"] == "value_error" and isinstance(problem["input"], Mapping)
    return Fault(path, rule if whole else f"{rule} (got {shown(problem['input'])})")


def hint(given: str, known: Iterable[str]) -> str:
    """What follows 'unknown field': the nearest of those that are known, and all of them."""
    names = sorted(known)
    close = nearest(given, names)
    meant = f"; did you mean '{close}'?" if close else ""
    return f"{meant} (known: {', '.join(names) or 'none'})"


def shown(value: Any) -> str:
    """A wrong value as a message quotes it: in code's notation, and not at full length."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …"


def _known(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    return sorted(_nested(model, tuple(path)).model_fields)


def _bare(quoted: str) -> str:
    return quoted.strip("'")


def _nested(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """The model at a path of fields, list positions and kinds, as far as the path leads through models."""
    choices = [model]
    for part in path:
        fields = choices[0].model_fields
        if len(choices) > 1:
            choices = [m for m in choices if part in get_args(m.model_fields["kind"].annotation)] or choices
        elif isinstance(part, str) and part in fields:
            choices = list(_models(fields[part].annotation)) or choices
    return choices[0]


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation such as list[A | B]."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from _models(inner)


def kinds(union: Any) -> dict[str, Any]:
    """Kind → the model that declares it, of a union such as Annotated[A | B, Field(discriminator="kind")]."""
    return {get_args(model.model_fields["kind"].annotation)[0]: model for model in _models(union)}


def describe(kind: Any) -> str:
    """A type in words for listings: 'float > 0', 'one of a, b'."""
    origin = get_origin(kind)
    if origin is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(kind))
    if origin is Annotated:
        base, *rules = get_args(kind)
        return " ".join([describe(base), *(_rule(rule) for rule in rules)])
    if kind is type(None):
        return "none"
    if args := get_args(kind):
        return " or ".join(describe(arg) for arg in args)
    return getattr(kind, "__name__", str(kind))


def _rule(rule: Any) -> str:
    signs = {Gt: (">", "gt"), Ge: (">=", "ge"), Lt: ("<", "lt"), Le: ("<=", "le")}
    if type(rule) not in signs:
        return f"({rule})"
    sign, attribute = signs[type(rule)]
    return f"{sign} {getattr(rule, attribute)}"
