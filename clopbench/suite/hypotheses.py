"""Claims that nobody declared: the methods that a command line adds, each against rows that it names."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import TypeAdapter

from clopbench.errors import UserError, unknown
from clopbench.suite.claims import ClaimDeclaration
from clopbench.suite.declarations import Coordinates
from clopbench.suite.suite import Benchmark

OWN = "a hypothesis of one's own"
DECLARED: TypeAdapter[ClaimDeclaration] = TypeAdapter(ClaimDeclaration)


def hypotheses(
    benchmark: Benchmark, methods: Sequence[str], against: Sequence[str], labels: Mapping[str, str]
) -> list[ClaimDeclaration]:
    """A claim for each added method, each row that is named, and each point of the other axes.

    against: points of the axes of methods, or methods, which stand for all rows that they have. labels: how
    points are written. Raises UserError where there is nothing of that name to compare with.
    """
    if against and not methods:
        raise UserError("--against: says what the row of --method NAME is compared with, and none is given")
    found = [
        _claim(added, other, axes, labels)
        for method in methods
        for name in against
        if name != method or len(methods) == 1  # Of several methods each may be set against another.
        for added, other, axes in _pairs(benchmark, method, name)
    ]
    return list({claim.name: claim for claim in found}.values())


def _pairs(
    benchmark: Benchmark, method: str, name: str
) -> Iterator[tuple[Coordinates, Coordinates, list[str]]]:
    """Each point of an added row, the one that it is compared with, and the axes of methods."""
    added = [e.coordinates for e in benchmark.entries if method in _names_of_rows(benchmark, e.coordinates)]
    axes = [
        axis
        for axis, points in benchmark.declared_axes.items()
        if method not in points and any(at[axis] == method for at in added)
    ]
    others = [
        entry.coordinates
        for entry in benchmark.entries
        if any(entry.coordinates[axis] != method for axis in axes)
        and (entry.template.method.name == name or name in [entry.coordinates[axis] for axis in axes])
    ]
    if not others and added:
        names = {entry.template.method.name for entry in benchmark.entries} - {method}
        names |= {entry.coordinates[axis] for entry in benchmark.entries for axis in axes} - {method}
        raise UserError(f"--against: {benchmark.name}: {unknown('row', name, names)}")
    for at in added:
        for other in others:
            if all(at[axis] == other[axis] for axis in at if axis not in axes):
                yield at, other, axes


def _names_of_rows(benchmark: Benchmark, at: Coordinates) -> list[str]:
    """The points that only a command line can have added."""
    return [point for axis, point in at.items() if point not in benchmark.declared_axes[axis]]


def _claim(
    added: Coordinates, other: Coordinates, axes: Sequence[str], labels: Mapping[str, str]
) -> ClaimDeclaration:
    method = added[axes[0]]
    row = ", ".join(labels.get(point, point) for point in dict.fromkeys(other[axis] for axis in axes))
    rest = [f"{axis.replace('_', ' ')} {labels.get(p, p)}" for axis, p in added.items() if axis not in axes]
    sentence = f"{' at '.join(filter(None, [f'{method} beats {row}', ', '.join(rest)]))} ({OWN})"
    return DECLARED.validate_python({
        "name": f"--method {method} --against {' '.join(other.values())}",
        "text": sentence,
        "kind": "better",
        "better": {axis: [point] for axis, point in added.items()},
        "than": {axis: [point] for axis, point in other.items()},
    })  # fmt: skip
