"""What is right of a declaration that is not all right, so that all that is wrong with it is found at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from clopbench.parameters import Fault, FieldPath, as_text, checked

Model = TypeVar("Model", bound=BaseModel)


class Salvaged(Generic[Model]):
    """`model` from values without what is wrong with them.

    found: None where too little is left. faults: what is wrong.
    """

    def __init__(self, model: type[Model], values: Mapping[Any, Any]):
        self.found, self.faults = checked(model, values)
        self._kept: dict[FieldPath, list[int]] = {}
        if self.found is None and all(one.path for one in self.faults):  # Else the whole itself is wrong.
            rest = self._without(values, [one.path for one in self.faults], ())
            self.found, _ = checked(model, rest)

    def original(self, fault: Fault) -> Fault:
        """A fault of what was found, where it stands in the values."""
        path: FieldPath = ()
        for part in fault.path:
            kept = self._kept.get(path)
            path = (*path, part if kept is None or not isinstance(part, int) else kept[part])
        return replace(fault, path=path)

    def _without(self, value: Any, wrong: Sequence[FieldPath], path: FieldPath) -> Any:
        """A copy without the values at some paths. Of a list a whole item goes, wherever in it the fault is."""
        if isinstance(value, list):
            bad = {part for part, *_ in wrong}
            self._kept[path] = [place for place in range(len(value)) if place not in bad]
            return [value[place] for place in self._kept[path]]
        if not isinstance(value, Mapping):
            return value
        below: dict[Any, list[FieldPath]] = {key: [] for key in value}
        names = {str(as_text(key)): key for key in value}
        for part, *rest in wrong:
            if str(part) in names:
                below[names[str(part)]].append(tuple(rest))
        return {
            key: self._without(inner, below[key], (*path, str(as_text(key))))
            for key, inner in value.items()
            # A fault of the value itself, or of something that it does not have: all of it goes.
            if all(rest and _leads_into(inner, rest[0]) for rest in below[key])
        }


def _leads_into(value: Any, part: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and str(part) in {str(as_text(key)) for key in value}
