"""What a benchmark says of some scales only: settings that hold there, and points that are not run there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clopbench.errors import unknown
from clopbench.parameters import Fault, FieldPath
from clopbench.suite.declarations import BenchmarkDeclaration, Coordinates
from clopbench.suite.settings import Settings, dotted, refusals


def settings_at(declaration: BenchmarkDeclaration, scale: str) -> Settings:
    """What holds at this scale for all points; a point's own values come after it."""
    return dotted(declaration.at_scale.get(scale, {}), ("at_scale", scale))[0]


def skip_reason(declaration: BenchmarkDeclaration, scale: str, coordinates: Coordinates) -> str | None:
    """Why a point is not run at a scale; None where it is."""
    for skip in declaration.skip:
        here = skip.scales is None or scale in skip.scales
        if here and all(coordinates.get(axis) in points for axis, points in skip.at.items()):
            return skip.reason
    return None


def faults(
    declaration: BenchmarkDeclaration,
    scales: Sequence[str],
    axes: Mapping[str, Any],
    fields: Mapping[str, Sequence[str]],
) -> Iterator[Fault]:
    """Scales, sections, fields, axes and points that do not exist, at whichever scale they are named.

    axes: with their points. fields: section → those that may be set.
    """
    for scale, values in declaration.at_scale.items():
        path: FieldPath = ("at_scale", scale)
        if scale not in scales:
            yield Fault(path, str(unknown("scale", scale, scales)), "at_scale")
        settings, wrong = dotted(values, path)
        yield from wrong
        yield from refusals(settings.items(), "scale", fields)
    for place, skip in enumerate(declaration.skip):
        for number, scale in enumerate(skip.scales or ()):
            if scale not in scales:
                path = ("skip", place, "scales", number)
                yield Fault(path, str(unknown("scale", scale, scales)), "skip")
        for axis, points in skip.at.items():
            if axis not in axes:
                yield Fault(("skip", place, "at", axis), str(unknown("axis", axis, axes)), "skip")
                continue
            for point in points:
                if point not in axes[axis]:
                    rule = str(unknown(f"point of axis {axis}", point, axes[axis]))
                    yield Fault(("skip", place, "at", axis), rule, "skip")
