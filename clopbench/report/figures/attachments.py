"""What a record holds beside its numbers: the spectrum and, for some cells, the embeddings themselves.

Figures ask for them by cell id, and only when they are drawn. A results folder keeps spectrum.npy and
embeddings.npz beside record.json; published are a column of the parquet files and embeddings/<cell id>.npz.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clopbench.errors import UserError, quantity
from clopbench.report.figures import placement
from clopbench.results import embeddings
from clopbench.results.embeddings import Embeddings
from clopbench.results.files import Unreadable, shown
from clopbench.results.records import DamagedRecord, Store, read_spectrum
from clopbench.suite.suite import Suite

PUBLISHED = Path("results") / "published"
EMBEDDED_SEED = 0
"""Only cells of this seed keep their embeddings."""


def read_embeddings(path: Path) -> Embeddings:
    """The arrays of an embeddings.npz, as float64. Raises UserError where the file cannot be used."""
    try:
        return embeddings.read_embeddings(path)
    except (FileNotFoundError, Unreadable) as damage:
        raise UserError(f"damaged: {shown(path)}: {damage}") from None


class Attachments:
    """Spectra and embeddings of the published cells of a suite."""

    def __init__(self, suite: Suite):
        self.folder = suite.root / PUBLISHED

    def spectrum(self, cell_id: str) -> tuple[float, ...]:
        """Singular values, descending; empty where none are known."""
        return self._spectra.get(cell_id, ())

    def embeddings_path(self, cell_id: str) -> Path:
        return self.folder / "embeddings" / f"{cell_id}.npz"

    def embeddings(self, cell_id: str) -> Embeddings | None:
        """None where none were kept. Raises UserError for a damaged file."""
        path = self.embeddings_path(cell_id)
        return read_embeddings(path) if os.path.lexists(path) else None

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
            return read_spectrum(self.store.folder(cell_id))
        except DamagedRecord:
            return ()

    def embeddings_path(self, cell_id: str) -> Path:
        return self.store.folder(cell_id) / embeddings.FILE

    def embeddings(self, cell_id: str) -> Embeddings | None:
        """None where none were kept, or none that can be used: whoever reads the folder's records says so."""
        try:
            return super().embeddings(cell_id)
        except UserError:
            return None


def cells_to_embed(suite: Suite, scale: str) -> set[str]:
    """Ids of the cells whose embeddings some declared figure shows."""
    wanted = set()
    for name in suite.table_names():
        declaration = suite.table(name)
        figures = [figure for figure in declaration.figures if figure.embedded]
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

    A cell of which this results folder has nothing that can be used keeps its published file.
    """
    local, published = LocalAttachments(store), Attachments(suite)
    wanted = set(cell_ids)
    copied = 0
    for cell_id in sorted(wanted):
        source, target = local.embeddings_path(cell_id), published.embeddings_path(cell_id)
        if local.embeddings(cell_id) is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            copied += 1
    for path in (published.folder / "embeddings").glob("*.npz"):
        if path.stem not in wanted:
            path.unlink()
    if copied:
        yield f"published the embeddings of {quantity(copied, 'cell')}: {published.folder / 'embeddings'}"
