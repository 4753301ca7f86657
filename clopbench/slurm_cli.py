"""What the verbs of Slurm do with a command line: words → order → queue, and the lines to print."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from clopbench import overrides as override_grammar
from clopbench.errors import UserError, unknown
from clopbench.launch import sbatch, slurm
from clopbench.launch.occupancy import Occupancy, look
from clopbench.launch.profiles import load_profile
from clopbench.launch.slurm import Order
from clopbench.launch.submission import SubmittedCell
from clopbench.plan import Plan, PlannedCell
from clopbench.request import DEVICES, Request


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
    return Order(request.suite, request.store, loaded, request.scale, device, live, arguments)


def submitted_cell(planned: PlannedCell) -> SubmittedCell:
    """A planned cell as plain data."""
    launch = planned.launch.model_dump(mode="json")
    return SubmittedCell(planned.cell.id, planned.cell.config(), launch, planned.places)


def preview(order: Order, plan: Plan) -> Iterator[str]:
    """The sbatch text of every array of all unfinished cells. Slurm need not be there, and is not asked."""
    order = replace(order, cells=[submitted_cell(planned) for planned in plan.to_run])
    if not order.cells:
        yield "nothing to submit"
        return
    submission = order.describe(slurm.ASSUMED_ARRAY_SIZE)
    for part in submission.parts:
        before = sbatch.waits_for(submission.parts, part, order.at_once)
        dependency = f"afterany:<array {before.number + 1}>" if before else None
        yield f"# array {part.number + 1} of {len(submission.parts)}: {part.count} tasks"
        yield sbatch.text(submission, part, dependency)


def submit(order: Order, plan: Plan) -> Iterator[str]:
    """Submit what nobody is about to run. Raises UserError where Slurm does not take all of it."""
    with slurm.alone(order.store):
        free, skipped = without_queued(plan.to_run, look(order.store, plan.entries))
        yield from (line for line in skipped)
        if not free:
            yield "nothing to submit"
            return
        order.cells = [submitted_cell(planned) for planned in free]
        order.preflight()
        yield from place(order)
    yield estimate_line(order, plan, free)


def place(order: Order) -> Iterator[str]:
    """Submit an order's cells, and say what became of them."""
    done = slurm.submit(order)
    tasks = len(order.tasks())
    if done.jobs:
        yield f"submission {done.submission.name}: {len(order.cells)} cells in {tasks} tasks"
    for part, job in done.jobs:
        yield f"array {job}: {part.count} tasks, {part.parallelism} at a time"
    if done.refusal is not None:
        missing = sum(part.count for part in done.submission.parts) - sum(part.count for part, _ in done.jobs)
        if not done.jobs:
            raise done.refusal
        raise UserError(
            f"{done.refusal}; {missing} of {tasks} tasks are not in the queue: submit again for them"
        )


def without_queued(cells: Sequence[PlannedCell], occupancy: Occupancy) -> tuple[list[PlannedCell], list[str]]:
    """The cells that nobody is about to run, and a line on each kind of the others."""
    queued = [planned for planned in cells if occupancy.is_queued(planned.cell.id)]
    rest = [planned for planned in cells if planned not in queued]
    training = [planned for planned in rest if occupancy.is_training(planned.cell.id)]
    lines = []
    if queued:
        lines.append(f"{len(queued)} cells are in Slurm's queue already")
    if training:
        lines.append(f"{len(training)} cells are being trained by another process")
    return [planned for planned in rest if planned not in training], lines


def estimate_line(order: Order, plan: Plan, cells: Sequence[PlannedCell]) -> str:
    """Time by the clock once tasks start, and task-hours: what an allocation is charged."""
    done = [planned for planned in plan.cells if planned.state == "done"]
    estimate = Plan([*done, *cells], plan.entries).estimate()
    at_once = min(order.at_once, len(order.tasks())) * order.profile.cells_per_task
    seconds = estimate.wall(at_once, len(cells))
    if estimate.seconds is None or seconds is None:
        return f"time not known ({estimate.basis})"
    hours = estimate.seconds / order.profile.cells_per_task / 3600
    return f"about {seconds / 60:.1f} min once started, {hours:.2g} task-hours ({estimate.basis})"
