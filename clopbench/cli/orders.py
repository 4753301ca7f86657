"""From the words of a command line to an order in Slurm's queue, for `bench submit` and `bench retry`."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from clopbench.cli.request import DEVICES, Request
from clopbench.cli.terminal import EXIT_INCOMPLETE, say, warn
from clopbench.errors import quantity, unknown
from clopbench.results.plan import Plan, PlannedCell
from clopbench.results.times import about
from clopbench.slurm import sbatch
from clopbench.slurm import submit as submitting
from clopbench.slurm.handover import Handover
from clopbench.slurm.occupancy import Occupancy, look
from clopbench.slurm.profiles import load_profile
from clopbench.slurm.submission import SubmittedCell
from clopbench.slurm.submit import Order
from clopbench.suite import overrides as override_grammar


def split_words(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Tables and overrides of cells, apart from keys of the profile, which have no dot (timeout_min=120)."""
    keys = {word: word.partition("=")[0] for word in words if "=" in word}
    of_profile = [word for word, key in keys.items() if "." not in key and key != "scale"]
    settings, _ = override_grammar.parse(of_profile)
    return [word for word in words if word not in of_profile], {s.key: s.value for s in settings}


def new_order(
    request: Request, profile: str, settings: dict[str, Any], device: str, live: bool, arguments: Sequence[str]
) -> Order:
    """An order without cells yet. Raises UserError for an unknown profile, key or device."""
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    loaded = load_profile(profile, request.suite.root, settings)
    return Order(request.suite, request.store, loaded, request.scale, settings, device, live, arguments)


def submitted_cell(planned: PlannedCell) -> SubmittedCell:
    """A planned cell as plain data."""
    launch = planned.launch.model_dump(mode="json")
    return SubmittedCell(planned.id, planned.cell.config(), launch, planned.places, planned.overrides)


def preview(order: Order, plan: Plan) -> Iterator[str]:
    """The sbatch text for all unfinished cells. Slurm need not be there."""
    yield from order.remarks()
    order.cells = [submitted_cell(planned) for planned in plan.to_run]
    yield from scripts(order) if order.cells else ["nothing to submit"]


def scripts(order: Order) -> Iterator[str]:
    """The sbatch text of every array of an order."""
    submission = order.describe(order.array_size())
    for part in submission.parts:
        before = sbatch.waits_for(submission.parts, part, order.at_once)
        dependency = f"afterany:<array {before.number + 1}>" if before else None
        yield f"# array {part.number + 1} of {len(submission.parts)}: {quantity(part.count, 'task')}"
        yield from sbatch.text(submission, part, dependency).splitlines()


def submit(order: Order, plan: Plan, wait: bool = False) -> Iterator[str]:
    """Submit what nobody is about to run; wait: the rest too, when there is room.

    Raises Incomplete where Slurm takes only a part of it, and UserError where it refuses.
    """
    yield from order.remarks()
    with contextlib.ExitStack() as attendance:
        with submitting.alone(order.store):
            free, skipped = without_queued(plan.to_run, look(order.store, plan.entries))
            yield from skipped
            if not free:
                yield "nothing to submit"
                return
            order.cells = [submitted_cell(planned) for planned in free]
            chosen = {cell.id for cell in order.cells}
            order.others = [submitted_cell(planned) for planned in plan.cells if planned.id not in chosen]
            order.preflight()
            handover = submitting.prepare(order)
            if wait:
                attendance.enter_context(submitting.attended(handover.submission))
            submitting.submit(handover, wait)
        yield from placed(order, handover)
        yield estimate_line(order, plan, free)
        if wait and handover.may_pass:
            yield from submitting.the_rest(handover)
        submitting.check_complete(handover)


def place(order: Order) -> Iterator[str]:
    """Submit an order's cells, and say what became of them. Raises as `submit`."""
    yield from order.remarks()
    handover = submitting.prepare(order)
    submitting.submit(handover, patient=False)
    yield from placed(order, handover)
    submitting.check_complete(handover)


def placed(order: Order, handover: Handover) -> Iterator[str]:
    """What is in the queue, and what Slurm said besides."""
    if handover.taken or handover.may_pass:
        amount = f"{quantity(len(order.cells), 'cell')} in {quantity(handover.total, 'task')}"
        yield f"submission {handover.submission.name}: {amount}"
    for part, job in handover.taken:
        yield submitting.array_line(part, job)
    yield from (f"Slurm says: {words}" for words in handover.said)


def without_queued(cells: Sequence[PlannedCell], occupancy: Occupancy) -> tuple[list[PlannedCell], list[str]]:
    """The cells that nobody is about to run, and a line on each kind of the others."""
    free, queued, training = [], 0, 0
    for planned in cells:
        if occupancy.is_queued(planned.id):
            queued += 1
        elif occupancy.is_training(planned.id):
            training += 1
        else:
            free.append(planned)
    lines = []
    if queued:
        lines.append(f"{quantity(queued, 'cell is', 'cells are')} in Slurm's queue already")
    if training:
        lines.append(f"{quantity(training, 'cell is', 'cells are')} being trained by another process")
    return free, lines


def estimate_line(order: Order, plan: Plan, cells: Sequence[PlannedCell]) -> str:
    """Time by the clock once tasks start, and task-hours: what an allocation is charged."""
    done = [planned for planned in plan.cells if planned.state == "done"]
    estimate = Plan([*done, *cells], plan.entries).estimate()
    at_once = min(order.at_once, len(order.tasks())) * order.profile.cells_per_task
    seconds = estimate.wall(at_once, len(cells))
    if estimate.seconds is None or seconds is None:
        return f"time not known ({estimate.basis})"
    hours = estimate.seconds / order.profile.cells_per_task / 3600
    return f"{about(seconds)} once started, {hours:.2g} task-hours ({estimate.basis})"


def say_orders(lines: Iterator[str]) -> None:
    """Print lines as they come. Where not all is in the queue at the end, say so, and Exit with status 3."""
    try:
        for line in lines:
            say(line)
    except submitting.Incomplete as left:
        warn(str(left))
        raise typer.Exit(EXIT_INCOMPLETE) from None
