"""Names of submitted cells by which people tell them apart: no two cells of a table have one name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clopbench.identity import flatten
from clopbench.slurm.occupancy import Place
from clopbench.suite.overrides import text

MOST_FIELDS = 3


def labels(places: Iterable[Place]) -> dict[str, str]:
    """Cell id → its label, and where others have the same what is different about it.

    That is the scale; then, as for cells of submissions that do not say their overrides, values of settings.
    """
    found = {place.cell.id: place for place in places}
    named = {id: place.cell.label for id, place in found.items()}
    for group in _namesakes(named):
        scales = {id: found[id].submission.about["scale"] for id in group}
        if len(set(scales.values())) > 1:
            named |= {id: f"{named[id]}, scale {scale}" for id, scale in scales.items()}
    for group in _namesakes(named):
        told = _differing({id: flatten(found[id].cell.config) for id in group})
        named |= {id: ", ".join([named[id], *told[id]]) for id in group}
    return named


def _namesakes(named: Mapping[str, str]) -> Iterable[list[str]]:
    """Ids of cells that share a name, name by name."""
    by_name: dict[str, list[str]] = {}
    for id, name in named.items():
        by_name.setdefault(name, []).append(id)
    return [group for group in by_name.values() if len(group) > 1]


def _differing(settings: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Sequence[str]]:
    """Id → the settings in which a cell is not like all others, as 'training.epochs=2'; a few, or its id."""
    keys = dict.fromkeys(key for one in settings.values() for key in one)
    values = {key: [one.get(key) for one in settings.values()] for key in keys}
    differing = [key for key, some in values.items() if any(value != some[0] for value in some)]
    if len(differing) > MOST_FIELDS:
        return {id: [id] for id in settings}
    return {id: [text(key, one.get(key)) for key in differing] for id, one in settings.items()}
