"""Cells with a study: nothing is trained to be judged, something is measured. Metrics and history come back."""

from collections.abc import Callable
from typing import Any

from clopbench.cell import Cell
from clopbench.errors import UserError
from clopbench.studies import overhead, sphere, sphere_measures
from clopbench.study import OverheadStudy, SphereStudy
from clopbench.suite.plugins import Plugins
from clopbench.training.loop import Trainer

Outcome = tuple[dict[str, float | None], list[dict[str, Any]]]


def simulate(cell: Cell, study: SphereStudy, plugins: Plugins) -> Outcome:
    """All measures of `sphere_measures`, always on the CPU. The history has a row per step."""
    objective = sphere.objective(cell, study, plugins)
    z_PD = sphere.start(study, cell.seed)
    metrics = sphere_measures.one_step(objective, z_PD)
    metrics |= sphere_measures.safe_range(objective, z_PD)
    metrics |= sphere_measures.lemma(objective, z_PD)
    ends, history = sphere_measures.long_run(objective, z_PD)
    return metrics | ends, history


def compare_steps(
    study: OverheadStudy, term: Trainer, plugins: Plugins, assemble: Callable[[Cell], Trainer]
) -> Outcome:
    """Steps of `term`, whose method is CLOP, and of its base loss alone. The history has a row per pair."""
    return overhead.measure(study, term, assemble(overhead.base_cell(term.cell, plugins)))


def check(cell: Cell, plugins: Plugins) -> None:
    """Raise UserError where a study cannot be made of the cell; cells without one pass."""
    if isinstance(cell.study, SphereStudy):
        sphere.objective(cell, cell.study, plugins)
        sphere.start(cell.study, cell.seed)
    if isinstance(cell.study, OverheadStudy):
        overhead.base_cell(cell, plugins)


def check_images(cell: Cell, images: int) -> None:
    """Raise UserError where the training images that a cell keeps are too few for its study."""
    if isinstance(cell.study, OverheadStudy) and images < 2 * cell.training.batch_size:
        raise UserError(
            f"training.batch_size: study overhead needs two batches of {cell.training.batch_size}, "
            f"and this cell keeps {images} training images of {cell.data.name}"
        )
