"""What a benchmark says of some scales only: settings that hold there, and points that are not run there."""

from collections.abc import Sequence
from typing import Any

from clopbench.errors import UserError, unknown
from clopbench.suite.declarations import BenchmarkDeclaration, Coordinates

SECTIONS = (
    "method",
    "data",
    "encoder",
    "projection",
    "training",
    "augmentation",
    "evaluation",
    "launch",
    "study",
)


def at_scale(
    declaration: BenchmarkDeclaration, name: str, scale: str, scales: Sequence[str]
) -> BenchmarkDeclaration:
    """The declaration with its settings for this scale put in, and without the skips of other scales.

    Raises UserError where it names a scale, a section, an axis or a point that does not exist.
    """
    _check(declaration, f"benchmarks/{name}.yaml", scales)
    sections: dict[str, Any] = {}
    for key, value in declaration.at_scale.get(scale, {}).items():
        section, _, field = key.partition(".")
        before = sections.get(section, getattr(declaration, section))
        if section == "launch":
            sections[section] = before.model_copy(update={field: value})
        else:
            sections[section] = (before or {}) | {field: value}
    skips = [skip for skip in declaration.skip if skip.scales is None or scale in skip.scales]
    return declaration.model_copy(update=sections | {"skip": skips})


def skip_reason(declaration: BenchmarkDeclaration, coordinates: Coordinates) -> str | None:
    """Why a point is not run at the scale of `at_scale`; None where it is."""
    for skip in declaration.skip:
        if all(coordinates[axis] in points for axis, points in skip.at.items()):
            return skip.reason
    return None


def _check(declaration: BenchmarkDeclaration, where: str, scales: Sequence[str]) -> None:
    for scale, settings in declaration.at_scale.items():
        if scale not in scales:
            raise UserError(f"{where}: at_scale: {unknown('scale', scale, scales)}")
        for key in settings:
            section, _, field = key.partition(".")
            if section not in SECTIONS or not field:
                raise UserError(f"{where}: at_scale.{scale}: {unknown('section', section, SECTIONS)}")
    for skip in declaration.skip:
        for scale in skip.scales or ():
            if scale not in scales:
                raise UserError(f"{where}: skip: {unknown('scale', scale, scales)}")
        for axis, points in skip.at.items():
            if axis not in declaration.axes:
                raise UserError(f"{where}: skip: {unknown('axis', axis, declaration.axes)}")
            for point in points:
                if point not in declaration.axes[axis]:
                    problem = unknown(f"point of axis {axis}", point, declaration.axes[axis])
                    raise UserError(f"{where}: skip: {problem}")
