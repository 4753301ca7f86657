"""key=value overrides of the command line, in Hydra's grammar."""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from clopbench.cell import Cell
from clopbench.errors import UserError, in_words, unknown
from clopbench.parameters import shown
from clopbench.suite.declared import Declared
from clopbench.suite.plugins import Plugin
from clopbench.suite.settings import known_keys
from clopbench.suite.short import full_keys


@dataclass(frozen=True)
class Override:
    """One `section.field=value`."""

    key: str
    value: Any

    @property
    def section(self) -> str:
        return self.key.partition(".")[0]

    @property
    def field(self) -> str:
        return self.key.partition(".")[2]


def parse(texts: Sequence[str]) -> tuple[list[Override], str | None]:
    """Parse overrides; `scale=NAME` is returned apart, being a choice of file.

    Raises UserError for text that Hydra's grammar does not accept, sweeps and deletions.
    """
    overrides: list[Override] = []
    scale = None
    for text in texts:
        try:
            parsed = OverridesParser.create().parse_override(text)
            value = parsed.value()
        except HydraException as error:
            raise UserError(f"override '{text}': {' '.join(str(error).split())}") from None
        except (ValueError, RecursionError) as error:  # A number of thousands of digits, brackets without end.
            raise UserError(f"override {shown(text)}: {in_words(error)}") from None
        if parsed.package is not None:
            raise UserError(f"override '{text}': a key is written section.field, without '@'")
        if parsed.is_delete():
            raise UserError(f"override '{text}': fields cannot be deleted, only set")
        if parsed.is_sweep_override():
            raise UserError(
                f"override '{text}': one value, not a sweep; values to compare are an axis in benchmarks/*.yaml"
            )
        if parsed.key_or_group == "scale":
            scale = str(value)
        else:
            overrides.append(Override(parsed.key_or_group, value))
    return overrides, scale


def apply(
    values: dict[str, Any], section: str, overrides: Sequence[Override], known: Container[str] | None = None
) -> dict[str, Any]:
    """`values` of one section with its overrides on top; with `known`, others are passed over."""
    return values | {
        override.field: override.value
        for override in overrides
        if override.section == section and (known is None or override.field in known)
    }


def changing(overrides: Sequence[Override], before: Cell | None, after: Cell) -> Iterator[str]:
    """The overrides that make a cell another one than its declaration does, as 'training.epochs=2'.

    before: the declared cell; None where only the overrides make it a cell at all.
    """
    last = {override.key: override for override in overrides if override.section != "launch"}
    for override in last.values():
        try:
            theirs, ours = (_at(cell.config(), override) for cell in (before, after) if cell is not None)
        except (KeyError, TypeError, ValueError):  # Not to be found there, or nothing to be set against.
            if override.section == "method" and override.field not in after.method.parameters:
                continue  # It is for other points, whose method has such a parameter.
        else:
            if theirs == ours:
                continue
        yield text(override.key, override.value)


def _at(config: Mapping[str, Any], override: Override) -> Any:
    section = config[override.section]
    return (section["parameters"] if override.section == "method" else section)[override.field]


def text(key: str, value: Any) -> str:
    """'training.epochs=2', as one would type it."""
    return f"{key}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def check_keys(
    benchmark: str, overrides: Sequence[Override], declared: Declared, methods: Sequence[Plugin]
) -> None:
    """Raise UserError for a key that does not exist, or that is what an axis of the benchmark varies."""
    parameters = {name for method in methods for name in method.signature.parameters}
    keys = known_keys(declared.declaration, parameters)
    for override in overrides:
        if (axis := declared.grid.varies(override.key)) is not None:
            raise UserError(
                f"override '{override.key}': it is what {benchmark}'s axis '{axis}' varies "
                f"({', '.join(declared.grid.axes[axis])}); choose points with --only {axis}=POINT"
            )
        if override.key == "method.name":
            raise UserError(f"override 'method.name': use --method {override.value} to add a method's row")
        if override.key not in keys:
            meant = full_keys(override.key, keys)
            if len(meant) == 1 or (meant and "." not in override.key):
                names = " or ".join(f"'{key}'" for key in meant)
                raise UserError(f"unknown override key '{override.key}': did you mean {names}?")
            siblings = {key for key in keys if key.startswith(f"{override.section}.")}
            raise unknown("override key", override.key, siblings or keys)


def parse_only(texts: Sequence[str]) -> dict[str, list[str]]:
    """--only: axis → the points to keep. Raises UserError."""
    kept: dict[str, list[str]] = {}
    for text in texts:
        axis, sign, points = text.partition("=")
        if not sign or not points:
            raise UserError(f"--only: AXIS=POINT[,POINT…], not '{text}'")
        kept.setdefault(axis, []).extend(points.split(","))
    return kept
