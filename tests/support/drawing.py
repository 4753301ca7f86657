"""A suite whose one table, method × learning rate, declares figures, and records to draw them from."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from checkout import ROOT
from synthetic import record

from clopbench.report.document import collect
from clopbench.report.observations import group_by_arm
from clopbench.report.tables import Table
from clopbench.results.records import Record, Store
from clopbench.suite.suite import Suite

RATES = ("0.1", "0.5", "1", "5", "10")
METHODS = ("simclr", "supcon", "clop")
TOP1 = {"simclr": 0.62, "supcon": 0.70, "clop": 0.74}
NOISE = (0.0, 0.012, -0.009, 0.004)
"""By seed, times a factor of the method."""
COLLAPSES = {("simclr", "10"): 4, ("supcon", "5"): 2, ("supcon", "10"): 3}
"""At these points so many cells collapse; the last of SupCon's at 10 diverges, without any metric."""

BENCHMARK: dict[str, Any] = {
    "defaults": [{"scale": "laptop"}, "_self_"],
    "title": "Rates",
    "axes": {
        "method": {name: {"method": {"name": name}} for name in METHODS},
        "learning_rate": {rate: {"training.learning_rate": float(rate)} for rate in RATES},
    },
    "method": {"name": "clop"},
}
TABLE: dict[str, Any] = {
    "title": "Learning rates",
    "benchmark": "rates",
    "rows": "method",
    "columns": "learning_rate",
    "metric": "probe_top1",
    "metric_title": "linear probe top-1",
    "also": [{"metric": "effective_rank", "title": "effective rank", "format": "number"}],
    "labels": {"simclr": "SimCLR", "supcon": "SupCon", "clop": "CLOP"},
    "paper": {"source": "summary", "setting": "ImageNet-200"},
}
CURVE: dict[str, Any] = {
    "kind": "curve", "along": "learning_rate", "lines": "method", "x": "log", "label": "learning rate",
    "metrics": ["probe_top1", "effective_rank"],
}  # fmt: skip
SPECTRUM: dict[str, Any] = {
    "kind": "spectrum", "lines": "method", "panels": "learning_rate", "points": {"learning_rate": [0.1, 1]},
}  # fmt: skip
TSNE: dict[str, Any] = {"kind": "tsne", "points": {"method": ["simclr", "clop"], "learning_rate": 0.1}}
HEATMAP: dict[str, Any] = {
    "kind": "prototype_heatmap",
    "points": {"method": "clop", "learning_rate": [0.1, 10]},
}
DOTS: dict[str, Any] = {"kind": "paired_dots"}
ALL: tuple[dict[str, Any], ...] = (DOTS, CURVE, SPECTRUM, TSNE, HEATMAP)


def make_suite(
    folder: Path,
    figures: Sequence[dict[str, Any]] | None = ALL,
    rates: Sequence[str] = RATES,
    **changes: Any,
) -> Suite:
    """figures None: the table does not say."""
    axes = BENCHMARK["axes"] | {"learning_rate": {r: {"training.learning_rate": float(r)} for r in rates}}
    shutil.copytree(ROOT / "methods", folder / "methods", dirs_exist_ok=True)
    shutil.copytree(ROOT / "benchmarks" / "scale", folder / "benchmarks" / "scale", dirs_exist_ok=True)
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "benchmarks" / "rates.yaml").write_text(
        yaml.safe_dump(BENCHMARK | {"axes": axes}, sort_keys=False)
    )
    declared = TABLE | ({} if figures is None else {"figures": list(figures)}) | changes
    (folder / "tables" / "rates.yaml").write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False))
    return Suite(folder)


def make_records(suite: Suite, scale: str = "laptop", seeds: int = len(NOISE)) -> list[Record]:
    """Accuracies that fall where cells collapse, and spectra of 16 values to match."""
    found = []
    for entry in suite.benchmark("rates", scale).entries:
        method, rate = entry.coordinates.values()
        for seed in range(seeds):
            collapsed = seed < COLLAPSES.get((method, rate), 0)
            diverged = (method, rate, seed) == ("supcon", "10", 2)
            top1 = 0.1 if collapsed else TOP1[method] + NOISE[seed] * (1 + METHODS.index(method))
            decay = 3.0 if collapsed else 0.2 + 0.02 * seed
            values = np.exp(-decay * np.arange(16))
            spectrum = tuple((values / np.linalg.norm(values)).tolist())
            cell, status = entry.cell(seed), "collapsed" if collapsed else "done"
            metrics = {"probe_top1": top1, "effective_rank": 1.2 if collapsed else 9.0 + seed}
            made = record(
                cell, None if diverged else top1, "diverged" if diverged else status, spectrum=spectrum
            )
            made.metrics.update({} if diverged else metrics)
            found.append(made)
    return found


def make_tables(suite: Suite, records: Sequence[Record]) -> list[Table]:
    return collect(suite, {"laptop": group_by_arm(r.to_json() for r in records)})["rates"]


def write_embeddings(
    path: Path, classes: int = 10, dim: int = 16, prototypes: bool = True, spread: float = 0.15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """200 images around orthonormal prototypes of their classes; returns z_ND, y_N, prototype_KD."""
    generator = np.random.default_rng(0)
    prototype_KD = np.linalg.qr(generator.normal(size=(dim, dim)))[0][:classes].astype(np.float32)
    y_N = np.arange(200) % classes
    z_ND = prototype_KD[y_N] + spread * generator.normal(size=(200, dim))
    z_ND = (z_ND / np.linalg.norm(z_ND, axis=1, keepdims=True)).astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"z_ND": z_ND, "y_N": y_N} | ({"prototype_KD": prototype_KD} if prototypes else {})
    np.savez_compressed(path, **arrays)
    return z_ND.astype(float), y_N, prototype_KD


def fill_store(folder: Path, records: Sequence[Record]) -> Store:
    """A results folder with the records, and embeddings of the cells of seed 0."""
    store = Store(folder)
    for made in records:
        store.write(made)
        if made.cell.seed == 0:
            own = made.cell.method.name == "clop"
            write_embeddings(store.folder(made.cell.id) / "embeddings.npz", prototypes=own)
    return store
