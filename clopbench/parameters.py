"""Types of declared values, and their validation with messages that fit on one line.

Plug-in methods annotate their keyword arguments with these names; the declarations of cells and tables
are pydantic models over the same types. Nothing here imports torch.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from clopbench.errors import UserError, nearest, unknown

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Gt(0), Le(1)]
Share = Annotated[float, Ge(0), Le(1)]
AtLeastOne = Annotated[float, Ge(1)]
Momentum = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Gt(0)]
Whole = Annotated[int, Ge(0)]


def _as_text(value: Any) -> Any:
    """YAML reads the point 10 or 0.1 of an axis as a number; points are named by text."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:g}" if number else value


PointName = Annotated[str, BeforeValidator(_as_text)]

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


def validated(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """Build `model` from `values`.

    Raises UserError naming the first field that is wrong, prefixed by `where` (say 'training').
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(one_line(error, model, where)) from None


def one_line(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """The first problem of a ValidationError as 'field: rule (got value)'."""
    # A misspelt field is both unknown and missing: the former says more.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    parts = [str(part) for part in first["loc"]]
    field = ".".join([where, *parts]) if where else ".".join(parts)
    context = first.get("ctx", {})
    if first["type"] == "extra_forbidden":
        known = sorted(_nested(model, first["loc"][:-1]).model_fields)
        close = nearest(parts[-1], known)
        hint = f"; did you mean '{close}'?" if close else ""
        return f"{field}: unknown field{hint} (known: {', '.join(known) or 'none'})"
    if first["type"] == "missing":
        return f"{field}: required, but not given"
    if first["type"] == "union_tag_not_found":
        return f"{field}.{_bare(context['discriminator'])}: required, but not given"
    if first["type"] == "union_tag_invalid":
        known = [_bare(tag) for tag in context["expected_tags"].split(", ")]
        problem = unknown(_bare(context["discriminator"]), context["tag"], known)
        return f"{field}.{_bare(context['discriminator'])}: {problem}"
    rule = first["msg"][0].lower() + first["msg"][1:]
    return f"{field}: {rule} (got {first['input']!r})"


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


def kinds(union: Any) -> dict[str, type[BaseModel]]:
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
    sign, attribute = signs[type(rule)]
    return f"{sign} {getattr(rule, attribute)}"
