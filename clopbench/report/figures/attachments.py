"""What a record holds beside its numbers: the spectrum and, for some cells, the embeddings themselves.

Figures ask for them by cell id, and only when they are drawn. A results folder keeps spectrum.npy and
embeddings.npz beside record.json; published are a column of the parquet files and embeddings/<cell id>.npz.

Shapes: N test images, D embedding dimensions, K classes.
"""

import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clopbench.errors import UserError
from clopbench.report.figures import placement
from clopbench.results.records import Store
from clopbench.suite.figures import EMBEDDED
from clopbench.suite.suite import Suite

PUBLISHED = Path("results") / "published"
EMBEDDED_SEED = 0
"""Only cells of this seed keep their embeddings."""


@dataclass(frozen=True)
class Embeddings:
    """L2-normalised embeddings of test images, their classes, and the method's prototypes if it has any."""

    z_ND: np.ndarray
    y_N: np.ndarray
    prototype_KD: np.ndarray | None


def read_embeddings(path: Path) -> Embeddings:
    """The arrays of an embeddings.npz, as float64. Raises UserError where the file cannot be used."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        z_ND, y_N = arrays["z_ND"].astype(np.float64), arrays["y_N"].astype(np.int64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a file of embeddings ({type(error).__name__}: {error})") from None
    prototype_KD = arrays.get("prototype_KD")
    if z_ND.ndim != 2 or y_N.shape != z_ND.shape[:1] or not np.isfinite(z_ND).all():
        raise UserError(f"{path}: z_ND must be finite [N, D] and y_N [N], not {z_ND.shape} and {y_N.shape}")
    if prototype_KD is not None:
        prototype_KD = prototype_KD.astype(np.float64)
        if prototype_KD.ndim != 2 or prototype_KD.shape[1] != z_ND.shape[1]:
            raise UserError(f"{path}: prototype_KD must be [K, {z_ND.shape[1]}], not {prototype_KD.shape}")
    return Embeddings(z_ND, y_N, prototype_KD)


class Attachments:
    """Spectra and embeddings of the published cells of a suite."""

    def __init__(self, suite: Suite):
        self.folder = suite.root / PUBLISHED

    def spectrum(self, cell_id: str) -> tuple[float, ...]:
        """Singular values, descending; empty where none are known."""
        return self._spectra.get(cell_id, ())

    def embeddings_path(self, cell_id: str) -> Path:
        return self.folder / "embeddings" / f"{cell_id}.npz"

    @cached_property
    def _spectra(self) -> dict[str, tuple[float, ...]]:
        found: dict[str, tuple[float, ...]] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                columns = pq.read_table(path, columns=["id", "spectrum"]).to_pydict()
            except (OSError, pa.ArrowException, KeyError) as error:
                raise UserError(f"{path}: not a file of published records ({error})") from None
            found |= dict(zip(columns["id"], map(tuple, columns["spectrum"]), strict=True))
        return found


class LocalAttachments(Attachments):
    """Spectra and embeddings of a results folder."""

    def __init__(self, store: Store):
        self.store = store

    def spectrum(self, cell_id: str) -> tuple[float, ...]:
        try:
            return tuple(np.load(self.store.folder(cell_id) / "spectrum.npy", allow_pickle=False).tolist())
        except (OSError, ValueError):
            return ()

    def embeddings_path(self, cell_id: str) -> Path:
        return self.store.folder(cell_id) / "embeddings.npz"


def cells_to_embed(suite: Suite, scale: str) -> set[str]:
    """Ids of the cells whose embeddings some declared figure shows."""
    wanted = set()
    for name in suite.table_names():
        declaration = suite.table(name)
        figures = [figure for figure in declaration.figures if isinstance(figure, EMBEDDED)]
        if figures:
            benchmark = suite.benchmark(declaration.benchmark, scale)
            for figure in figures:
                axes = placement.shown(figure, benchmark.axes)
                wanted |= {
                    entry.cell(EMBEDDED_SEED).id
                    for entry in benchmark.entries
                    if all(point in axes[axis] for axis, point in entry.coordinates.items())
                }
    return wanted


def publish_embeddings(suite: Suite, store: Store, cell_ids: Iterable[str]) -> Iterator[str]:
    """Copy the embeddings of some cells to the published ones, drop those of others; yield what was done.

    A cell that this results folder knows nothing of keeps its published file. Raises UserError for a file
    that cannot be used.
    """
    local, published = LocalAttachments(store), Attachments(suite)
    wanted = set(cell_ids)
    copied = 0
    for cell_id in sorted(wanted):
        source, target = local.embeddings_path(cell_id), published.embeddings_path(cell_id)
        if source.is_file():
            read_embeddings(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            copied += 1
    for path in (published.folder / "embeddings").glob("*.npz"):
        if path.stem not in wanted:
            path.unlink()
    if copied:
        yield f"published the embeddings of {copied} cells: {published.folder / 'embeddings'}"
