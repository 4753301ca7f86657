"""What a set of tables needs: which cells are done, missing, failed or damaged, and what the rest costs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Any

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.identity import flatten
from clopbench.results import leases
from clopbench.results.index import Entries, Entry, scan
from clopbench.results.records import RESULT_STATUSES, Store
from clopbench.results.times import Estimate, estimate
from clopbench.suite.declarations import Coordinates, LaunchConfig, ScaleDeclaration
from clopbench.suite.suite import Benchmark

STATES = ("done", "missing", "failed", "damaged")
# A cell that differs in more fields than this is another experiment, not an earlier version of this one.
MOST_STALE_FIELDS = 3
MOST_SEEDS = 100_000
LARGEST_SEED = 2**63 - 1
"""What the index of a results folder can hold."""


Changes = Mapping[str, tuple[Any, Any]]
"""Field → its value then, and now."""


@dataclass
class PlannedCell:
    """A cell, the places where it is shown, and what is known of it."""

    id: str
    kind: str
    """Cells of one kind cost about the same: all but seed and method parameters agrees."""
    cell: Cell
    scale: ScaleDeclaration
    launch: LaunchConfig
    state: str
    entry: Entry | None
    places: list[tuple[str, Coordinates]] = field(default_factory=list)
    """(benchmark, coordinates): tables share cells."""
    overrides: tuple[str, ...] = ()
    """What the command line changed about it, as 'training.epochs=2'."""

    @property
    def label(self) -> str:
        """'table7 orthonormal, seed 3'."""
        name, coordinates = self.places[0]
        return f"{name} {' '.join(coordinates.values())}, seed {self.cell.seed}"


@dataclass
class Plan:
    """The cells of some benchmarks × seeds, each once."""

    cells: list[PlannedCell]
    entries: Entries
    _nearest: dict[str, list[tuple[Changes, set[int]]]] = field(default_factory=dict, init=False, repr=False)
    """Arm → what `_near` found, because cells of one arm differ from others in the same fields."""

    def count(self, state: str) -> int:
        return sum(planned.state == state for planned in self.cells)

    @property
    def to_run(self) -> list[PlannedCell]:
        """Missing and failed cells. Damaged records wait for a person to look at them."""
        return [planned for planned in self.cells if planned.state in ("missing", "failed")]

    def estimate(self, cells: Sequence[PlannedCell] | None = None) -> Estimate:
        """How long these cells take; None: those to run."""
        measured: dict[str, list[float]] = {}
        for planned in self.cells:
            if planned.state == "done" and planned.entry and planned.entry.seconds:
                measured.setdefault(planned.kind, []).append(planned.entry.seconds)
        wanted = self.to_run if cells is None else cells
        return estimate(((one.kind, one.scale, one.cell) for one in wanted), measured)

    def explain(self, planned: PlannedCell) -> str:
        """Why a cell would run, or would not."""
        if planned.state == "done":
            return f"done ({planned.entry.status if planned.entry else 'done'})"
        if planned.state == "damaged" and planned.entry:
            return f"damaged record: {planned.entry.damage}"
        if planned.state == "failed" and planned.entry:
            failure = planned.entry.content.get("failure") or {}
            return f"failed: {failure.get('class')}: {failure.get('message')}"
        return self._stale(planned) or "never run"

    def _stale(self, planned: PlannedCell) -> str | None:
        """The nearest finished cell of the same method and seed, if it differs in few fields."""
        for changed, seeds in self._near(planned.cell):
            if planned.cell.seed in seeds:
                fields = [f"{key} was {was!r}, now {now!r}" for key, (was, now) in sorted(changed.items())]
                return f"stale: {', '.join(fields)}"
        return None

    def _near(self, cell: Cell) -> list[tuple[Changes, set[int]]]:
        """How the arms of other finished cells differ from a cell's, and their seeds; the nearest first."""
        arm = cell.arm
        if arm not in self._nearest:
            ours = _without_seed(cell.config())
            found = []
            for theirs, seeds in self._others.get(cell.method.name, {}).values():
                keys = theirs.keys() | ours.keys()
                changed = {k: (theirs.get(k), ours.get(k)) for k in keys if theirs.get(k) != ours.get(k)}
                if len(changed) <= MOST_STALE_FIELDS:
                    found.append((changed, seeds))
            self._nearest[arm] = sorted(found, key=lambda arm: len(arm[0]))
        return self._nearest[arm]

    @cached_property
    def _others(self) -> dict[str, dict[str, tuple[dict[str, Any], set[int]]]]:
        """Method → arm → settings and seeds of the finished cells that are not in the plan."""
        wanted = {planned.id for planned in self.cells}
        found: dict[str, dict[str, tuple[dict[str, Any], set[int]]]] = {}
        for entry in self.entries.values():
            if entry.id not in wanted and entry.status in RESULT_STATUSES:
                content = entry.content
                arms = found.setdefault(content["config"]["method"]["name"], {})
                if content["arm"] not in arms:
                    arms[content["arm"]] = (_without_seed(content["config"]), set())
                arms[content["arm"]][1].add(content["seed"])
        return found


def make_plan(
    benchmarks: Iterable[Benchmark], seeds: Sequence[int], store: Store, entries: Entries | None = None
) -> Plan:
    """Plan benchmarks × seeds against a results store. Order: seed by seed, so early stops stay balanced.

    entries: what is in the store, where that is known already.
    """
    entries = scan(store) if entries is None else entries
    cells: dict[str, PlannedCell] = {}
    wanted = [
        (benchmark, entry, _kind(entry.template)) for benchmark in benchmarks for entry in benchmark.entries
    ]
    for seed in seeds:
        for benchmark, entry, kind in wanted:
            cell_id = entry.cell_id(seed)
            planned = cells.get(cell_id)
            if planned is None:
                known, at = entries.get(cell_id), (benchmark.scale, benchmark.launch)
                planned = PlannedCell(
                    cell_id, kind, entry.cell(seed), *at, _state(known), known, overrides=entry.overrides
                )
                cells[cell_id] = planned
            planned.places.append((benchmark.name, entry.coordinates))
    return Plan(list(cells.values()), entries)


def parse_seeds(text: str) -> list[int]:
    """'10' → seeds 0–9; '0-9' or '0..9', a range; '0,3,7' or '0-4,7', a list. Raises UserError for others."""
    wrong = UserError(
        f"--seeds: a count (10), a range (0-9) or a list (0,3,7), also of ranges (0-4,7), not '{text}'"
    )
    try:
        parts = text.replace("..", "-").split(",")
        seeds: Sequence[int]
        if len(parts) > 1:
            seeds = list(islice(chain.from_iterable(map(_range, parts)), MOST_SEEDS + 1))
        else:  # One number alone is a count; beside others it is a seed.
            seeds = _range(parts[0]) if "-" in parts[0][1:] else range(int(parts[0]))
    except ValueError:
        raise wrong from None
    if seeds[MOST_SEEDS:]:
        raise UserError(f"--seeds: at most {MOST_SEEDS} seeds (got '{text}')")
    if not seeds:
        raise UserError(f"--seeds: at least one seed is needed (got '{text}')")
    if min(seeds) < 0 or len(set(seeds)) != len(seeds):
        raise wrong
    if max(seeds) > LARGEST_SEED:
        raise UserError(f"--seeds: at most {LARGEST_SEED} (got '{max(seeds)}')")
    return list(seeds)


def _range(part: str) -> range:
    """'7' → that seed, '0-4' → five of them. Raises ValueError."""
    if "-" not in part[1:]:
        return range(int(part), int(part) + 1)
    first, last = map(int, part.split("-"))
    return range(first, last + 1)


def running(plan: Plan, store: Store) -> list[PlannedCell]:
    """Unfinished cells that a living process holds."""
    held, cells = [], plan.to_run
    now = leases.filesystem_now(store.root) if cells else None
    for planned in cells:
        lease = leases.current(store.folder(planned.id), now)
        if lease is not None and not lease.stale:
            held.append(planned)
    return held


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    flat = flatten(config)
    del flat["seed"]
    return flat


def _kind(cell: Cell) -> str:
    flat = flatten(cell.config())
    return repr(sorted((k, v) for k, v in flat.items() if k == "method.name" or not _variable(k)))


def _variable(key: str) -> bool:
    return key == "seed" or key.startswith("method.")


def _state(entry: Entry | None) -> str:
    if entry is None:
        return "missing"
    if entry.damage is not None:
        return "damaged"
    return "done" if entry.status in RESULT_STATUSES else "failed"
