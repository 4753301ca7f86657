"""Records as training would leave them, by the thousand: ten tables, and a published record varied.

Each table compares five methods at ten label fractions, so that 500 cells make up one seed of all of them. A
record is a published one at scale laptop under another cell: its size and its fields are real, its accuracy is
made up. 1 % are failures and 1 % collapsed.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from engine import ROOT

from clopbench.cell import Cell
from clopbench.results.published import read_published
from clopbench.results.records import Record, Store
from clopbench.suite.suite import Suite

TABLES = [f"sweep{number:02d}" for number in range(10)]
METHODS = {
    "simclr": {"method": {"name": "simclr"}},
    "supcon": {"method": {"name": "supcon"}},
    "clop": {"method": {"name": "clop"}},
    "clop_supcon": {"method": {"name": "clop", "base": "supcon"}},
    "clop_random": {"method": {"name": "clop", "prototypes": "random"}},
}
FRACTIONS = {f"f{percent}": {"data.label_fraction": percent / 100} for percent in range(10, 101, 10)}
PER_SEED = len(TABLES) * len(METHODS) * len(FRACTIONS)
FAILURE = {"class": "out_of_memory", "message": "OutOfMemoryError: CUDA out of memory", "traceback": "…"}


def write_suite(folder: Path) -> Suite:
    """The suite, with the methods, scales and the profile `lab` of this checkout."""
    shutil.copytree(ROOT / "benchmarks" / "scale", folder / "benchmarks" / "scale")
    shutil.copytree(ROOT / "methods", folder / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "slurm").mkdir()
    shutil.copy(ROOT / "slurm" / "lab.yaml", folder / "slurm")
    (folder / "tables").mkdir()
    for number, name in enumerate(TABLES):
        for where, content in (("benchmarks", _benchmark(number)), ("tables", _table(name))):
            (folder / where / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return Suite(folder)


def _benchmark(number: int) -> dict[str, object]:
    return {
        "defaults": [{"scale": "laptop"}, "_self_"],
        "title": f"Five methods, learning rate {number + 1} of {len(TABLES)}",
        "axes": {"method": METHODS, "label_fraction": FRACTIONS},
        "method": {"name": "clop"},
        "training": {"learning_rate": 0.01 * (number + 1)},
    }


def _table(name: str) -> dict[str, object]:
    claim = {"name": "clop_is_best", "kind": "best", "text": "CLOP is the best", "best": {"method": "clop"}}
    return {
        "title": f"Made-up table {name}",
        "benchmark": name,
        "rows": "method",
        "columns": "label_fraction",
        "metric": "probe_top1",
        "metric_title": "linear probe top-1",
        "paper": {"source": "none", "setting": "made up"},
        "claims": [claim | {"paper": "says nothing of it"}],
    }


def cells(suite: Suite, seeds: Iterable[int]) -> Iterator[Cell]:
    """All cells of the suite at these seeds."""
    entries = [entry for name in TABLES for entry in suite.benchmark(name).entries]
    for seed in seeds:
        for entry in entries:
            yield entry.cell(seed)


def write_records(store: Store, wanted: Iterable[Cell]) -> None:
    """A record of each cell. Without waiting for the disk, as `Store.write` does three times for each."""
    published = read_published(ROOT / "results" / "published" / "laptop.parquet")
    template = next(record for record in published if record.cell.study is None)  # A training.
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(template.spectrum))
    for cell in wanted:
        record = _vary(template, cell)
        folder = store.folder(record.cell.id)
        folder.mkdir(parents=True)
        if record.is_result:
            (folder / "history.csv").write_text(record.history)
            (folder / "spectrum.npy").write_bytes(buffer.getvalue())
        (folder / "record.json").write_text(json.dumps(record.to_json(), indent=1, sort_keys=True) + "\n")


def _vary(template: Record, cell: Cell) -> Record:
    digits = hashlib.sha256(f"{cell.seed} {cell.method} {cell.training.learning_rate} {cell.data}".encode())
    noise = int.from_bytes(digits.digest()[:4]) / 2**32
    if noise < 0.01:
        return Record(cell, "failed", provenance=template.provenance, failure=FAILURE)
    effect = 0.01 * len(cell.method.parameters) + 0.1 * cell.data.label_fraction
    metrics = template.metrics | {"probe_top1": 0.7 + effect + 0.05 * noise}
    pairing = {key: f"{value[:48]}{cell.seed:016d}" for key, value in template.pairing.items()}
    status = "collapsed" if noise > 0.99 else "done"
    return replace(template, cell=cell, status=status, metrics=metrics, pairing=pairing)


def pretend_training(store: Store, wanted: Iterable[Cell], seconds: float) -> list[Path]:
    """A lease on each cell, by a process of another host that has reported eight of 25 epochs.

    Returns the leases: a heartbeat is a touch of each.
    """
    holder = {"host": "elsewhere", "pid": 1, "started": "1", "epoch": 8, "epochs": 25}
    holder |= {"views_per_second": 9000.0, "seconds_per_epoch": seconds, "slurm_job": "1_1", "slurm_node": "n1"}
    leases = []
    for cell in wanted:
        folder = store.folder(cell.id)
        folder.mkdir(parents=True, exist_ok=True)
        leases.append(folder / "lease.1")
        leases[-1].write_text(json.dumps(holder))
    return leases
