"""A suite with one small and one large table, and hundreds of made-up records, for tests of the HTML report."""

import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from checkout import ROOT
from synthetic import record

from clopbench.results.records import Record
from clopbench.suite.suite import Suite

EVIL = "</script><b>bold</b> & \"quoted\" 'too'"
RATES = {"0.1": 0.1, "0.5": 0.5, "1": 1.0, "2": 2.0, "5": 5.0, "10": 10.0}
METHODS = {
    "simclr": "{method: {name: simclr}}",
    "supcon": "{method: {name: supcon}}",
    "clop": "{method: {name: clop}}",
}

BENCHMARK = """\
defaults: [{{scale: laptop}}, _self_]
title: {title}
axes:
{axes}
method: {{name: clop}}
"""

SWEEP_TABLE = """\
title: "Learning rates: where methods collapse"
benchmark: sweep
rows: method
columns: rate
metric: probe_top1
metric_title: "linear probe top-1"
also: [{metric: effective_rank, title: "effective rank", format: number}]
labels: {simclr: SimCLR, supcon: SupCon, clop: CLOP}
paper:
  source: "section 5.2, Figure 3"
  setting: "CIFAR-100, `ResNet-50`"
  values: [{at: {method: clop, rate: "1"}, mean: 0.743}]
claims:
  - {name: best, kind: best, best: {method: clop}, text: "CLOP is best at every rate", paper: "Figure 3"}
  - name: sensitive
    kind: less_sensitive
    less: {method: clop}
    than: {method: supcon}
    to: rate
    text: "CLOP depends less on the learning rate than SupCon"
    paper: "Figure 3"
"""

# Values whose order as text is not their order as numbers.
FLAT = {"a": 0.095, "b": 1.0, "c": 0.12, "d": None, "e": 0.1005}


def sweep_benchmark() -> str:
    methods = ", ".join(f"{name}: {sets}" for name, sets in METHODS.items())
    rates = ", ".join(f'"{name}": {{training.learning_rate: {value}}}' for name, value in RATES.items())
    return BENCHMARK.format(title="Sweep", axes=f"  method: {{{methods}}}\n  rate: {{{rates}}}")


def flat_benchmark() -> str:
    points = ", ".join(f"{name}: {{method.weight: {place + 11}}}" for place, name in enumerate(FLAT))
    return BENCHMARK.format(title="Flat", axes=f"  weight: {{{points}}}")


def flat_table() -> str:
    label = EVIL.replace("'", "''")
    return (
        f"title: 'Weights {label}'\nbenchmark: flat\nrows: weight\nmetric: probe_top1\n"
        f"metric_title: top-1\nlabels: {{a: '{label}'}}\npaper: {{source: nowhere, setting: none}}\n"
    )


def make_suite(folder: Path) -> Suite:
    """Tables 'flat' and 'sweep' at the repository's scales."""
    shutil.copytree(ROOT / "methods", folder / "methods")
    shutil.copytree(ROOT / "benchmarks" / "scale", folder / "benchmarks" / "scale")
    (folder / "tables").mkdir()
    for name, benchmark, table in (
        ("flat", flat_benchmark(), flat_table()),
        ("sweep", sweep_benchmark(), SWEEP_TABLE),
    ):
        (folder / "benchmarks" / f"{name}.yaml").write_text(benchmark)
        (folder / "tables" / f"{name}.yaml").write_text(table)
    (folder / "tables" / "summary.md").write_text(
        "**In one paragraph.** As in [the sweep](tables/sweep/README.md), "
        "and <b>no</b> more than [that](docs/x.md).\n"
    )
    return Suite(folder)


def history(chance: random.Random, epochs: int = 25) -> str:
    """Eight columns of a training run, with every digit."""
    lines = ["epoch,loss_total,loss_base,loss_pull,learning_rate,batch_rank,mean_norm,cosine_own"]
    for epoch in range(1, epochs + 1):
        values = [5 * math.exp(-epoch / 9) + chance.gauss(0, 0.05) for _ in range(3)]
        values += [0.1 * math.cos(epoch / 17)] + [chance.random() for _ in range(3)]
        lines.append(",".join([str(epoch), *map(repr, values)]))
    return "\n".join(lines) + "\n"


def sweep_records(suite: Suite, scale: str, seeds: int) -> Iterator[Record]:
    """Supcon collapses at rate 5 and diverges at 10; simclr diverges in some seeds."""
    chance = random.Random(7)
    for entry in suite.benchmark("sweep", scale).entries:
        method, rate = entry.coordinates["method"], entry.coordinates["rate"]
        for seed in range(seeds):
            top1, status, rank = 0.9 - 0.02 * RATES[rate] + chance.gauss(0, 0.01), "done", 40.0
            if method == "supcon" and rate == "5":
                top1, status, rank = 0.1 + chance.random() / 50, "collapsed", 1.2
            if rate == "10" and (method == "supcon" or (method == "simclr" and seed % 3 == 0)):
                yield record(
                    entry.cell(seed), None, "diverged", notes={"diverged": "loss not finite at epoch 3"}
                )
                continue
            spectrum = tuple(math.exp(-i / rank) + chance.random() / 100 for i in range(64))
            metrics = {"probe_top1": top1, "effective_rank": rank + chance.random(), "knn_top1": top1 - 0.01}
            made = record(entry.cell(seed), top1, status, history=history(chance), spectrum=spectrum)
            made.metrics.update(metrics)
            yield made


def flat_records(suite: Suite) -> Iterator[Record]:
    """Two seeds of each weight; 'd' was never run."""
    for entry in suite.benchmark("flat").entries:
        mean = FLAT[entry.coordinates["weight"]]
        for seed in (0, 1) if mean is not None else ():
            yield record(entry.cell(seed), mean)
