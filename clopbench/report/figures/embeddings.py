"""The embeddings themselves: their t-SNE with the prototypes, and the cosines of class means and prototypes.

Both show single cells, of seed 0, and are pictures of what happened there; no claim rests on them.
Shapes: N test images, D embedding dimensions, K classes, P points put into the plane (images, then prototypes).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from threadpoolctl import threadpool_limits

from clopbench.report.figures import canvas, looks, placement
from clopbench.report.figures.attachments import EMBEDDED_SEED, Attachments
from clopbench.report.figures.figure_kind import FigureKind
from clopbench.report.observations import Observation
from clopbench.report.tables import Table
from clopbench.results.embeddings import Embeddings
from clopbench.suite.figures import PrototypeHeatmap, TsneFigure

COLUMNS = 3
SIDE = 2.3
"""Inches of a panel of the t-SNE."""
HEATMAPS = 4
COLOURED = 10
"""Classes with a colour of their own; more cannot be told apart."""


@dataclass(frozen=True)
class Shown:
    """One panel: a point of the table, and its cell of seed 0 where it has one."""

    label: str
    cell: Observation | None


EmbeddingFigure = TsneFigure | PrototypeHeatmap


def shows(figure: EmbeddingFigure, table: Table, attachments: Attachments) -> bool:
    return bool(at_hand(figure, table, attachments))


def missing(figure: EmbeddingFigure, table: Table, attachments: Attachments) -> list[str]:
    """The chosen points that are not shown, with the reason."""
    found = {shown.label for shown, _ in at_hand(figure, table, attachments)}
    return [
        f"{shown.label} ({'no embeddings' if _embeddings(shown, attachments) is None else 'no prototypes'})"
        for shown in chosen(figure, table)
        if shown.label not in found
    ]


def draw_tsne(figure: TsneFigure, tables: Sequence[Table], attachments: Attachments) -> Figure:
    """A part for each scale, a panel for each point that has embeddings."""
    layouts = [at_hand(figure, table, attachments) for table in tables]
    bands = [canvas.bands(len(layout), COLUMNS) for layout in layouts]
    drawn, parts = canvas.by_scale(tables, [0.4 + SIDE * band for band in bands])
    for table, layout, part in zip(tables, layouts, parts, strict=True):
        part.suptitle(f"scale {table.scale.name}, seed {EMBEDDED_SEED}")
        for panel, (shown, embeddings) in zip(canvas.panels(part, len(layout), COLUMNS), layout, strict=True):
            _tsne_panel(panel, figure, embeddings)
            panel.set_title(f"{shown.label}{_rank(shown)}")
    drawn.legend(**_classes(layouts), loc="outside lower center", ncols=6, frameon=False, title="class")
    return drawn


def draw_heatmap(figure: PrototypeHeatmap, tables: Sequence[Table], attachments: Attachments) -> Figure:
    """A part for each scale; class means × prototypes above, prototypes × prototypes below, for each point."""
    layouts = [at_hand(figure, table, attachments) for table in tables]
    bands = [canvas.bands(len(layout), HEATMAPS) for layout in layouts]
    drawn, parts = canvas.by_scale(tables, [0.4 + 3.9 * band for band in bands])
    for table, layout, part in zip(tables, layouts, parts, strict=True):
        part.suptitle(f"scale {table.scale.name}, seed {EMBEDDED_SEED}")
        width = min(len(layout), HEATMAPS)
        rows = [layout[start : start + width] for start in range(0, len(layout), width)]
        grid = part.subplots(2 * len(rows), max(width, 2), squeeze=False)
        for unused in grid.ravel():
            unused.set_visible(False)
        for row, entries in enumerate(rows):
            for column, (shown, embeddings) in enumerate(entries):
                assert embeddings.prototype_KD is not None
                above, below = grid[2 * row : 2 * row + 2, column]
                _matrix(above, class_means(embeddings), embeddings.prototype_KD, "mean of class", column == 0)
                _matrix(below, embeddings.prototype_KD, embeddings.prototype_KD, "prototype", column == 0)
                above.set_title(shown.label)
        images = [panel.collections[0] for panel in grid.ravel() if panel.collections]
        part.colorbar(images[0], ax=list(grid.ravel()), label="cosine", shrink=0.5, aspect=30, ticks=[-1, 0, 1])
    return drawn


def tsne_caption(figure: TsneFigure, tables: Sequence[Table], attachments: Attachments) -> str:
    """What is to be seen, and how it was made."""
    sizes = sorted({len(e.y_N) for table in tables for _, e in at_hand(figure, table, attachments)})
    classes = max(e.y_N.max() + 1 for table in tables for _, e in at_hand(figure, table, attachments))
    grey = f" Only the first {COLOURED} of {classes} classes are coloured." if classes > COLOURED else ""
    title = figure.title or "Embeddings of test images in the plane (t-SNE)"
    return (
        f"{title}: n = 1 cell in each panel, seed {EMBEDDED_SEED}, {' or '.join(map(str, sizes))} test images. "
        f"Stars are the prototypes, where the method has any.{grey} Perplexity {figure.perplexity:g}, started "
        "from the first two principal components. t-SNE shows neighbours and not distances: whether embeddings "
        "have collapsed is told by their effective rank."
    )


def heatmap_caption(figure: PrototypeHeatmap, tables: Sequence[Table], attachments: Attachments) -> str:
    """What is to be seen, and of which cell."""
    title = figure.title or "Cosines with the prototypes"
    return (
        f"{title}: of the mean test embedding of each class (above) and of the prototypes themselves (below); "
        f"n = 1 cell in each column, seed {EMBEDDED_SEED}."
    )


def chosen(figure: EmbeddingFigure, table: Table) -> list[Shown]:
    """The points that the figure names, with their cells of seed 0."""
    found = []
    for number in placement.at(table.numbers, placement.shown(figure, table.axes), {}):
        cells = {cell.seed: cell for cell in number.cells}
        found.append(Shown(canvas.heading(table, number.coordinates), cells.get(EMBEDDED_SEED)))
    return found


def at_hand(figure: EmbeddingFigure, table: Table, attachments: Attachments) -> list[tuple[Shown, Embeddings]]:
    """The points that can be shown, with their embeddings. Raises UserError for a damaged published file."""
    found = [
        (shown, embeddings)
        for shown in chosen(figure, table)
        if (embeddings := _embeddings(shown, attachments)) is not None
    ]
    if figure.with_prototypes:
        return [one for one in found if one[1].prototype_KD is not None]
    return found


def _embeddings(shown: Shown, attachments: Attachments) -> Embeddings | None:
    return attachments.embeddings(shown.cell.id) if shown.cell else None


def plane(figure: TsneFigure, embeddings: Embeddings) -> np.ndarray:
    """Images and then prototypes in the plane [P, 2]: t-SNE from a fixed start, on one thread, so that the
    same embeddings give the same picture.
    """
    # scikit-learn costs half a second to import, and most reports show no t-SNE.
    from sklearn.manifold import TSNE

    z_PD = embeddings.z_ND
    if embeddings.prototype_KD is not None:
        z_PD = np.concatenate([z_PD, embeddings.prototype_KD])
    perplexity = min(figure.perplexity, (len(z_PD) - 1) / 3)
    # Its stub takes the words for `init` only, though the class takes an array too.
    given = start(z_PD)
    tsne = TSNE(perplexity=perplexity, init=given, random_state=figure.seed)  # pyright: ignore[reportArgumentType]
    with threadpool_limits(1):
        return tsne.fit_transform(z_PD.astype(np.float32))


def start(z_PD: np.ndarray) -> np.ndarray:
    """The first two principal components [P, 2], scaled to a deviation of 1e-4; their signs are fixed."""
    left, singular, _ = np.linalg.svd(z_PD - z_PD.mean(0), full_matrices=False)
    components = left[:, :2] * singular[:2]
    components *= np.sign(components[np.abs(components).argmax(0), [0, 1]])
    return (components / max(components[:, 0].std(), 1e-12) * 1e-4).astype(np.float32)


def class_means(embeddings: Embeddings) -> np.ndarray:
    """Mean embedding of each prototype's class [K, D]; NaN for a class without images."""
    assert embeddings.prototype_KD is not None
    own = [embeddings.z_ND[embeddings.y_N == label] for label in range(len(embeddings.prototype_KD))]
    return np.array([z.mean(0) if len(z) else np.full(z.shape[1], np.nan) for z in own])


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of each row of one with each row of the other."""
    return _unit(first) @ _unit(second).T


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _rank(shown: Shown) -> str:
    rank = shown.cell.metrics.get("effective_rank") if shown.cell else None
    return "" if rank is None else f"\neffective rank {rank:.1f}"


def _tsne_panel(axes: Axes, figure: TsneFigure, embeddings: Embeddings) -> None:
    points = plane(figure, embeddings)
    images, stars = points[: len(embeddings.y_N)], points[len(embeddings.y_N) :]
    others = embeddings.y_N >= COLOURED
    axes.scatter(*images[others].T, s=6, color="0.8", lw=0, zorder=1)
    for label, colour in enumerate(looks.classes(COLOURED)):
        marker = canvas.MARKERS[label % 5]
        axes.scatter(*images[embeddings.y_N == label].T, s=9, color=colour, marker=marker, lw=0, zorder=2)
        if label < len(stars):
            axes.scatter(*stars[label], s=90, color=colour, marker="*", ec="black", lw=0.8, zorder=3)
    axes.scatter(*stars[COLOURED:].T, s=30, color="0.8", marker="*", ec="0.4", lw=0.5, zorder=1)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.04)


def _classes(layouts: Sequence[Sequence[tuple[Shown, Embeddings]]]) -> dict[str, list[object]]:
    """Handles and labels of the legend."""
    everything = [embeddings for layout in layouts for _, embeddings in layout]
    classes = max(int(embeddings.y_N.max()) + 1 for embeddings in everything)
    colours = looks.classes(COLOURED)
    handles: list[object] = [
        Line2D([], [], ls="", marker=canvas.MARKERS[label % 5], ms=4, color=colours[label])
        for label in range(min(classes, COLOURED))
    ]
    labels: list[object] = [str(label) for label in range(len(handles))]
    if classes > COLOURED:
        handles.append(Line2D([], [], ls="", marker="o", ms=4, color="0.8"))
        labels.append("others")
    if any(embeddings.prototype_KD is not None for embeddings in everything):
        handles.append(Line2D([], [], ls="", marker="*", ms=9, color="white", mec="black"))
        labels.append("prototype")
    return {"handles": handles, "labels": labels}


def _matrix(axes: Axes, rows: np.ndarray, columns: np.ndarray, name: str, first: bool) -> None:
    """One matrix of cosines; the numbers themselves where they fit."""
    axes.set_visible(True)
    sns.heatmap(
        cosines(rows, columns), vmin=-1, vmax=1, cmap="vlag", square=True, cbar=False, ax=axes, rasterized=True,
    )  # fmt: skip
    step = -(-len(columns) // 10)
    ticks = range(0, len(columns), step)
    axes.set_xticks([t + 0.5 for t in ticks], [str(t) for t in ticks], rotation=0)
    axes.set_yticks([t + 0.5 for t in ticks], [str(t) for t in ticks], rotation=0)
    axes.set(xlabel="prototype", ylabel=name if first else "")


TSNE = FigureKind(
    TsneFigure, "t-SNE", "no embeddings are at hand", shows, draw_tsne, tsne_caption, missing
)  # fmt: skip
HEATMAP = FigureKind(
    PrototypeHeatmap, "cosines with prototypes", "no embeddings with prototypes are at hand",
    shows, draw_heatmap, heatmap_caption, missing,
)  # fmt: skip
