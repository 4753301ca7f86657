"""What the verbs of Slurm do with a command line: words → order → queue, and the lines to print."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clopbench.cli.request import DEVICES, Request
from clopbench.errors import UserError, unknown
from clopbench.results.files import Unreadable, read_bytes, shown
from clopbench.results.plan import Plan, PlannedCell
from clopbench.results.records import Store
from clopbench.slurm import sbatch, squeue
from clopbench.slurm import submit as submitting
from clopbench.slurm.occupancy import Occupancy, Place, look
from clopbench.slurm.profiles import load_profile
from clopbench.slurm.submission import Submission, SubmittedCell, all_submissions
from clopbench.slurm.submit import Order
from clopbench.suite import overrides as override_grammar

LOG_BYTES = 2**24
"""So much of a log is looked at, from its end."""


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
    return SubmittedCell(planned.id, planned.cell.config(), launch, planned.places)


def preview(order: Order, plan: Plan) -> Iterator[str]:
    """The sbatch text for all unfinished cells. Slurm need not be there."""
    order.cells = [submitted_cell(planned) for planned in plan.to_run]
    yield from scripts(order) if order.cells else ["nothing to submit"]


def scripts(order: Order) -> Iterator[str]:
    """The sbatch text of every array of an order."""
    submission = order.describe(squeue.max_array_size() or submitting.ASSUMED_ARRAY_SIZE)
    for part in submission.parts:
        before = sbatch.waits_for(submission.parts, part, order.at_once)
        dependency = f"afterany:<array {before.number + 1}>" if before else None
        yield f"# array {part.number + 1} of {len(submission.parts)}: {part.count} tasks"
        yield sbatch.text(submission, part, dependency)


def submit(order: Order, plan: Plan) -> Iterator[str]:
    """Submit what nobody is about to run. Raises UserError where Slurm does not take all of it."""
    with submitting.alone(order.store):
        free, skipped = without_queued(plan.to_run, look(order.store, plan.entries))
        yield from (line for line in skipped)
        if not free:
            yield "nothing to submit"
            return
        order.cells = [submitted_cell(planned) for planned in free]
        chosen = {cell.id for cell in order.cells}
        order.others = [submitted_cell(planned) for planned in plan.cells if planned.id not in chosen]
        order.preflight()
        yield from place(order)
    yield estimate_line(order, plan, free)


def place(order: Order) -> Iterator[str]:
    """Submit an order's cells, and say what became of them."""
    done = submitting.submit(order)
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
        lines.append(f"{queued} cells are in Slurm's queue already")
    if training:
        lines.append(f"{training} cells are being trained by another process")
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
    return f"about {seconds / 60:.1f} min once started, {hours:.2g} task-hours ({estimate.basis})"


def log_lines(store: Store, prefix: str, most: int) -> Iterator[str]:
    """The last lines of a cell's run.log, and of the output of every Slurm task that had it."""
    submitted = {cell.id for s in all_submissions(store) for task in s.tasks for cell in task}
    ids = sorted({*store.find(prefix), *(cell_id for cell_id in submitted if cell_id.startswith(prefix))})
    if len(ids) != 1:
        found = f"{len(ids)} cells ({', '.join(ids[:5])} …)" if ids else "no cell"
        raise UserError(f"'{prefix}': {found} of that name in {store.root}")
    paths = [store.folder(ids[0]) / "run.log", *_task_logs(store, ids[0])]
    for path in paths:
        yield f"==> {path} <=="
        try:
            content = read_bytes(path, LOG_BYTES, last=LOG_BYTES)
            yield from content.decode(errors="replace").splitlines()[-most:]
        except FileNotFoundError:
            yield "(not there: it has not started)"
        except Unreadable as damage:
            yield f"damaged: {shown(path)}: {damage}"


def _task_logs(store: Store, cell_id: str) -> Iterator[Path]:
    for submission in all_submissions(store):
        for number, cells in enumerate(submission.tasks):
            if any(cell.id == cell_id for cell in cells):
                part = submission.part_of(number)
                job = submission.job(part)
                if job is not None:
                    yield from sorted(submission.logs.glob(f"{job}_{number - part.first}_*"))


def cancel(store: Store, tables: Sequence[str]) -> Iterator[str]:
    """Cancel the queued and running tasks of some tables; of all without names."""
    occupancy = look(store, {})
    for name in tables:
        if name not in occupancy.tables:
            raise unknown("submitted table", name, occupancy.tables)
    chosen: dict[tuple[Submission, int], list[Place]] = {}
    shared = 0
    for place in occupancy.places.values():
        if place.queued is None or place.task is None:
            continue
        mates = place.submission.tasks[place.task]
        if tables and not set(place.cell.tables) & set(tables):
            continue
        if tables and not all(set(mate.tables) <= set(tables) for mate in mates):
            shared += 1  # Its task, or the cell itself, serves another table too.
            continue
        chosen.setdefault((place.submission, place.task), []).append(place)
    if shared:
        yield f"{shared} cells stay in the queue: other tables need their tasks too; name those as well"
    if not chosen:
        yield "nothing to cancel"
        return
    try:
        for submission in {submission for submission, _ in chosen}:
            submission.cancel({task for owner, task in chosen if owner is submission})
    except OSError as error:  # Slurm is told all the same: that alone is enough, as long as it remembers.
        yield f"not noted in {store.root}: {error.strerror}"
    squeue.cancel([place.job for places in chosen.values() for place in places[:1] if place.job])
    cells = sum(len(places) for places in chosen.values())
    yield f"cancelled {len(chosen)} tasks with {cells} cells; `bench retry` or `bench submit` brings them back"
