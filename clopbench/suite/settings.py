"""Settings by dotted key, each with the place that it was written at: what sections, scales and points say.

`training: {epochs: 1}` and `training.epochs: 1` are two ways to write one thing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clopbench import cell
from clopbench.errors import unknown
from clopbench.parameters import Fault, FieldPath, hint
from clopbench.study import STUDIES
from clopbench.suite.declarations import SECTIONS, BenchmarkDeclaration, LaunchConfig

MODELS = {
    "data": cell.DataConfig,
    "encoder": cell.EncoderConfig,
    "projection": cell.ProjectionConfig,
    "training": cell.TrainingConfig,
    "augmentation": cell.AugmentationConfig,
    "evaluation": cell.EvaluationConfig,
    "seeding": cell.SeedingConfig,
    "launch": LaunchConfig,
}
DERIVED = {
    "data.version": "it is the data set's own",
    "evaluation.detection_version": "it is the data set's own",
    "method.version": "it is what the method's file says",
    "study.kind": "it is the benchmark's own",
}
"""Keys that follow from others."""
OVERWRITTEN = DERIVED.keys() - {"study.kind"}
CHOSEN = {"seed": "--seeds", "scale": "--scale"}
"""What a command line chooses, and no declaration."""
SAME_AS = "same_as"


@dataclass(frozen=True)
class Setting:
    """A value, and where it stands in the declaration; None: on the command line."""

    value: Any
    path: FieldPath | None


Settings = Mapping[str, Setting]


def of_sections(declaration: BenchmarkDeclaration) -> Settings:
    """What a benchmark, with its scale, says of all its points."""
    return {
        f"{section}.{field}": Setting(value, (section, field))
        for section in SECTIONS
        for field, value in (getattr(declaration, section) or {}).items()
    }


def dotted(values: Mapping[Any, Any], path: FieldPath) -> tuple[dict[str, Setting], list[Fault]]:
    """What a point, or a scale's own part, says: nested mappings and dotted keys are the same."""
    settings: dict[str, Setting] = {}
    wrong = []
    for key, value, at in _pairs(values, path):
        if key in settings:
            wrong.append(Fault(at, f"'{key}' is given twice, dotted and nested"))
        settings[key] = Setting(value, at)
    return settings, wrong


def _pairs(values: Mapping[Any, Any], path: FieldPath) -> Iterator[tuple[str, Any, FieldPath]]:
    for key, value in values.items():
        if key in SECTIONS and isinstance(value, Mapping):
            yield from ((f"{key}.{field}", inner, (*path, key, str(field))) for field, inner in value.items())
        else:
            yield str(key), value, (*path, str(key))


def values_of(settings: Settings, section: str) -> dict[str, Any]:
    """Field → value of one section."""
    prefix = f"{section}."
    found = {key.removeprefix(prefix): one.value for key, one in settings.items() if key.startswith(prefix)}
    found.pop("", None)
    return found


def section_of(key: str) -> str:
    return key.partition(".")[0]


def known_keys(declaration: BenchmarkDeclaration, parameters: Collection[str]) -> set[str]:
    """All keys that may be set: of the sections, of the benchmark's study, and of some methods' parameters."""
    fields = fields_of(declaration)
    keys = {f"{section}.{field}" for section, known in fields.items() for field in known}
    keys |= {f"method.{name}" for name in ("name", *parameters)}
    return keys - DERIVED.keys()


def fields_of(declaration: BenchmarkDeclaration) -> dict[str, list[str]]:
    """Section → its fields; of the method only those that every method has."""
    fields = {section: list(model.model_fields) for section, model in MODELS.items()}
    if declaration.study is not None:
        kind = declaration.study.get("kind")
        known = [kind] if kind in list(STUDIES) else STUDIES  # Of a kind that does not exist, anything goes.
        fields["study"] = [field for one in known for field in STUDIES[one].model_fields]
    return fields


def refusals(
    settings: Iterable[tuple[str, Setting]], of: str, fields: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    """The keys that may not be set, and why.

    of: what sets them: 'point', 'scale' or 'section'. fields: as `fields_of`. Which parameters a method has is
    not asked here: it depends on the point.
    """
    for key, setting in settings:
        section, _, field = key.partition(".")
        assert setting.path is not None
        if section in CHOSEN and section not in SECTIONS:
            yield Fault(setting.path, f"a {of} cannot set it: {CHOSEN[section]} does")
        elif of == "point" and section == "launch":
            rule = "a point says what is computed, not how it is run: launch and at_scale do, for all points"
            yield Fault(setting.path, rule)
        elif section not in SECTIONS:
            yield Fault(setting.path, str(unknown("section", section, SECTIONS)))
        elif not field:
            yield Fault(setting.path, f"needs a field: {section}.FIELD, or a mapping of fields")
        elif key in DERIVED and not (of == "section" and key == "study.kind"):
            yield Fault(setting.path, f"cannot be set: {DERIVED[key]}")
        elif section == "study" and section not in fields:
            yield Fault(setting.path, "this benchmark has no study")
        elif section != "method" and field not in fields[section]:
            yield Fault(setting.path, f"unknown field{hint(field, fields[section])}")
