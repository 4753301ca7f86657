"""`bench retry`: submit again the cells of a table that failed, stalled or were cancelled, as they were."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clopbench.cli.options import DryRun, Folders, Live, complete_profile
from clopbench.cli.terminal import say
from clopbench.errors import UserError, unknown

if TYPE_CHECKING:
    from clopbench.slurm.status import CellStatus
    from clopbench.slurm.submission import SubmittedCell
    from clopbench.suite.overrides import Override
    from clopbench.suite.suite import Suite


def retry(
    *,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE… [key=value …]", help="Tables; keys of the profile (mem_gb=96), launch.*."
        ),
    ],
    kinds: Annotated[
        list[str],
        typer.Option("--class", help="Only failures of this class, or cells in this state (repeatable)."),
    ] = [],
    profile: Annotated[
        str | None, typer.Option(help="Another profile than before.", autocompletion=complete_profile)
    ] = None,
    folders: Folders,
    dry_run: DryRun = False,
    live: Live = False,
) -> None:
    """Submit again what failed, stalled or was cancelled, with the code of now."""
    from clopbench.cli import orders
    from clopbench.results.records import Store
    from clopbench.slurm import settled, submit
    from clopbench.slurm.profiles import load_profile
    from clopbench.slurm.status import Situation
    from clopbench.suite.suite import Suite

    suite, store = Suite.locate(folders.suite, folders.methods_dir), Store(folders.results)
    names, settings = orders.split_words(words)
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
            say("nothing to retry")
        for (name, device, text), statuses in _grouped(chosen, profile).items():
            before = json.loads(text)
            loaded = load_profile(name, suite.root, before | settings)
            scale = statuses[0].place.submission.about["scale"]
            order = submit.Order(suite, store, loaded, scale, before | settings, device, live, sys.argv[1:])
            order.cells = [_again(status.place.cell, overrides, suite) for status in statuses]
            if dry_run:
                orders.say_orders(chain(order.remarks(), orders.scripts(order)))
            else:
                order.preflight()
                orders.say_orders(orders.place(order))


def _grouped(
    statuses: "Iterable[CellStatus]", profile: str | None
) -> "Mapping[tuple[str, str, str], list[CellStatus]]":
    """By what an order has one of: profile, device, and the keys set on the command line (as JSON)."""
    groups: dict[Any, list[CellStatus]] = {}
    for status in statuses:
        about = status.place.submission.about
        settings = json.dumps({} if profile else about["settings"], sort_keys=True)
        groups.setdefault((profile or about["profile"]["name"], about["device"], settings), []).append(status)
    return groups


def _launch_only(texts: Sequence[str]) -> "list[Override]":
    """Overrides that leave a cell what it is. Raises UserError for others."""
    from clopbench.suite import overrides as override_grammar
    from clopbench.suite.declarations import LaunchConfig

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


def _again(cell: "SubmittedCell", overrides: "Sequence[Override]", suite: "Suite") -> "SubmittedCell":
    """The same cell for another try. Raises UserError where its method has changed since."""
    from clopbench.cell import Cell
    from clopbench.parameters import validated
    from clopbench.suite import overrides as override_grammar
    from clopbench.suite.declarations import LaunchConfig

    method = Cell.from_config(cell.config).method
    now = suite.plugins.get(method.name).signature.version
    if now != method.version:
        raise UserError(
            f"{cell.label}: method {method.name} was version {method.version} and is now {now}, "
            "so this is another cell: use `bench submit`"
        )
    launch = override_grammar.apply(dict(cell.launch), "launch", overrides)
    launch = validated(LaunchConfig, launch, "launch").model_dump(mode="json")
    return replace(cell, launch=launch)
