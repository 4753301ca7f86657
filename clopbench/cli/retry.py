"""`bench retry`: submit again the cells of a table that failed, stalled or were cancelled, as they were."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clopbench.cell import Cell
from clopbench.cli import slurm_orders
from clopbench.errors import UserError, unknown
from clopbench.parameters import validated
from clopbench.results.records import Store
from clopbench.slurm import settled, submit
from clopbench.slurm.profiles import load_profile
from clopbench.slurm.status import CellStatus, Situation
from clopbench.slurm.submission import SubmittedCell
from clopbench.slurm.submit import Order
from clopbench.suite import overrides as override_grammar
from clopbench.suite.declarations import LaunchConfig
from clopbench.suite.overrides import Override
from clopbench.suite.suite import Suite


def retry(
    suite: Suite,
    store: Store,
    words: Sequence[str],
    kinds: Sequence[str],
    profile: str | None,
    dry_run: bool,
    live: bool,
    arguments: Sequence[str],
) -> Iterator[str]:
    """Submit again, each cell on the profile it had before unless one is given. Raises UserError."""
    names, settings = slurm_orders.split_words(words)
    tables = [name for name in names if "=" not in name]
    if not tables:
        raise UserError("no table named")
    overrides = _launch_only([name for name in names if "=" in name])
    settled.check_kinds(kinds)
    with submit.alone(store):
        situation = Situation(store)
        if situation.problem is not None:
            raise UserError(situation.problem)
        chosen = settled.to_retry(situation.tables(tables), kinds)
        if not chosen:
            yield "nothing to retry"
            return
        for (name, device, text), statuses in _grouped(chosen, profile).items():
            before = json.loads(text)
            loaded = load_profile(name, suite.root, before | settings)
            scale = statuses[0].place.submission.about["scale"]
            order = Order(suite, store, loaded, scale, before | settings, device, live, arguments)
            order.cells = [_again(status.place.cell, overrides, suite) for status in statuses]
            if dry_run:
                yield from order.remarks()
                yield from slurm_orders.scripts(order)
            else:
                order.preflight()
                yield from slurm_orders.place(order)


def _grouped(
    statuses: Iterable[CellStatus], profile: str | None
) -> Mapping[tuple[str, str, str], list[CellStatus]]:
    """By what an order has one of: profile, device, and the keys set on the command line (as JSON)."""
    groups: dict[Any, list[CellStatus]] = {}
    for status in statuses:
        about = status.place.submission.about
        settings = json.dumps({} if profile else about["settings"], sort_keys=True)
        groups.setdefault((profile or about["profile"]["name"], about["device"], settings), []).append(status)
    return groups


def _launch_only(texts: Sequence[str]) -> list[Override]:
    """Overrides that leave a cell what it is. Raises UserError for others."""
    overrides, scale = override_grammar.parse(texts)
    for override in overrides:
        if override.section != "launch" or scale is not None:
            raise UserError(
                f"override '{override.key}': it makes another cell, to be submitted with `bench submit`; "
                "retry takes keys of the profile (mem_gb=96) and launch.*"
            )
        if override.field not in LaunchConfig.model_fields:
            raise unknown(
                "override key", override.key, [f"launch.{name}" for name in LaunchConfig.model_fields]
            )
    return overrides


def _again(cell: SubmittedCell, overrides: Sequence[Override], suite: Suite) -> SubmittedCell:
    """The same cell for another try. Raises UserError where its method has changed since."""
    method = Cell.from_config(cell.config).method
    now = suite.plugins.get(method.name).signature.version
    if now != method.version:
        raise UserError(
            f"{cell.label}: method {method.name} was version {method.version} and is now {now}, "
            "so this is another cell: use `bench submit`"
        )
    launch = override_grammar.apply(dict(cell.launch), "launch", overrides)
    launch = validated(LaunchConfig, launch, "launch").model_dump(mode="json")
    return SubmittedCell(cell.id, cell.config, launch, cell.places)
