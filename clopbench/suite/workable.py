"""Settings that are right one by one and cannot work together, found before anything is trained."""

from collections.abc import Collection, Iterator

from clopbench.cell import Cell
from clopbench.data import sources

LEAST_BATCH = 2
"""Images in a batch: a single one has nothing to be contrasted with."""
LEAST_CLASSES = 2


def unworkable(cell: Cell, overridden: Collection[str]) -> Iterator[tuple[list[str], str]]:
    """Rules that a cell breaks, each with its keys. overridden: those that the command line sets.

    A shorter training on the command line leaves the declared warm-up as it is (its cells have always been
    these): `remarks` says so.
    """
    if cell.study is not None:
        if cell.seeding.varies is not None:
            yield ["seeding.varies"], "goes with trainings, and these cells are a study"
        return
    if (stream := _nothing_drawn(cell)) is not None:
        yield ["seeding.varies"], f"nothing of these cells is drawn from stream {stream}"
    training = cell.training
    if _never_warm(cell) and not _only_shortened(overridden):
        rule = f"warmup_epochs = {training.warmup_epochs} is more than epochs = {training.epochs}"
        rule += ": the full rate would never be reached"
        yield ["training.warmup_epochs", "training.epochs"], rule
    if training.batch_size < LEAST_BATCH:
        rule = f"must be at least {LEAST_BATCH}, to be contrasted with each other (got {training.batch_size})"
        yield ["training.batch_size"], rule
    classes = sources.source(cell.data.name).num_classes
    if classes < LEAST_CLASSES:
        yield ["data.name"], f"{cell.data.name} has {classes} class: there is nothing to tell apart"


def remarks(cells: Collection[Cell], overridden: Collection[str]) -> list[str]:
    """What a user should know of cells that can work: a sentence each, the same for all of them."""
    found = {}
    for cell in cells:
        training = cell.training
        if cell.study is None and _never_warm(cell) and _only_shortened(overridden):
            rule = f"training.warmup_epochs = {training.warmup_epochs} is more than training.epochs"
            advice = "the full rate is never reached; training.warmup_epochs=0 starts with it"
            found[f"{rule} = {training.epochs}: {advice}"] = None
    return list(found)


def _nothing_drawn(cell: Cell) -> str | None:
    """The stream that alone varies, where the cell certainly does not draw from it."""
    evaluation, varies = cell.evaluation, cell.seeding.varies
    unused = {
        "probe": evaluation.probe == "lbfgs",
        "detection": evaluation.detection is None,
        "validation": evaluation.validation == 0,
    }
    return varies if varies is not None and unused.get(varies) else None


def _never_warm(cell: Cell) -> bool:
    return cell.training.warmup_epochs > cell.training.epochs


def _only_shortened(overridden: Collection[str]) -> bool:
    return "training.epochs" in overridden and "training.warmup_epochs" not in overridden
