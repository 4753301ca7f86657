"""The looks that were taken at claims: looks.jsonl in a results folder, a line for each, never altered.

Seeds that are added after a verdict was seen are a second look (clopbench/statistics/looks.py). So whoever
prints verdicts on a results folder notes on which seeds they rest. Published records carry the lines along.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clopbench.errors import UserError
from clopbench.results.files import Unreadable, is_folder, open_to_append, parse_json, read_bytes, reason, shown

NAME = "looks.jsonl"
MOST_BYTES = 2**26
MOST_SEEDS = 100_000


@dataclass(frozen=True)
class RecordedLook:
    """Which claims were seen with which seeds. declared: the seeds of all looks of which this was one."""

    scale: str
    declared: tuple[int, ...]
    claims: Mapping[str, frozenset[int]]
    """'table/claim' → the seeds that it was judged on."""

    @property
    def seeds(self) -> frozenset[int]:
        return frozenset().union(*self.claims.values())

    def seeds_of(self, claim: str) -> frozenset[int]:
        """Those of a claim; one that nobody had looked at yet has them all."""
        return self.claims.get(claim, self.seeds)

    def as_data(self) -> dict[str, Any]:
        claims = {name: _ranges(seeds) for name, seeds in sorted(self.claims.items())}
        return {"scale": self.scale, "declared": list(self.declared), "claims": claims}


def read(root: Path) -> tuple[list[RecordedLook], list[str]]:
    """The looks of a results folder in order, and 'damaged: path: why' for lines that are none."""
    path = Path(root) / NAME
    try:
        lines = read_bytes(path, MOST_BYTES).split(b"\n")
    except FileNotFoundError:
        return [], []
    except Unreadable as damage:
        return [], [f"damaged: {shown(path)}: {damage}"]
    found: list[RecordedLook] = []
    damages = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            look = from_data(parse_json(line))
        except Unreadable as damage:
            damages.append(f"damaged: {shown(path)}: line {number}: {damage}")
        else:
            found.append(look)
    return distinct(found), damages


def beside(path: Path) -> Path:
    """The folder whose looks belong to a results folder, or to a file of published records."""
    return path if is_folder(path) else path.parent


def distinct(looks: Iterable[RecordedLook]) -> list[RecordedLook]:
    """Each look once, where it first stands: two processes may note the same one."""
    found: list[RecordedLook] = []
    for look in looks:
        if look not in found:
            found.append(look)
    return found


def add(root: Path, looks: Sequence[RecordedLook]) -> int:
    """Append the looks that are not there yet; returns how many. Raises UserError where that cannot be done."""
    known = read(root)[0]
    new = [look for look in distinct(looks) if look not in known]
    if not new:
        return 0
    path = Path(root) / NAME
    text = "".join(json.dumps(look.as_data(), sort_keys=True) + "\n" for look in new).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open_to_append(path)
        try:
            # In one piece, and on a line of its own whatever a killed process left.
            cut = os.fstat(handle).st_size and read_bytes(path, MOST_BYTES, last=1) != b"\n"
            os.write(handle, b"\n" + text if cut else text)
            os.fsync(handle)
        finally:
            os.close(handle)
    except (OSError, Unreadable) as error:
        raise UserError(f"{shown(path)}: the look at these claims cannot be noted: {reason(error)}") from None
    return len(new)


def from_data(content: Any) -> RecordedLook:
    """The inverse of `as_data`. Raises Unreadable."""
    try:
        claims = {str(name): _seeds(text) for name, text in content["claims"].items()}
        declared = content["declared"]
        scale = content["scale"]
    except (TypeError, KeyError, AttributeError, ValueError):
        raise Unreadable("not a look at claims") from None
    whole = isinstance(declared, list) and all(type(seeds) is int and seeds > 0 for seeds in declared)
    if not whole or not isinstance(scale, str) or not claims or sorted(set(declared)) != declared:
        raise Unreadable("not a look at claims")
    return RecordedLook(scale, tuple(declared), claims)


def _ranges(seeds: Iterable[int]) -> str:
    """'0-9', '0-3,7'."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and parts[-1][-1] == seed - 1:
            parts[-1] = [parts[-1][0], seed]
        else:
            parts.append([seed])
    return ",".join("-".join(map(str, part)) for part in parts)


def _seeds(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if high < low or high - low >= MOST_SEEDS:
            raise ValueError("no seeds")
        found.update(range(low, high + 1))
    return frozenset(found)
