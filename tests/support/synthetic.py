"""Records with made-up numbers, for tests of the store and the report."""

from clopbench.cell import Cell
from clopbench.report.observations import group_by_arm
from clopbench.results.records import Record


def record(cell: Cell, top1: float | None = 0.9, status: str = "done", **changes) -> Record:
    """A record as a run would leave it, with `top1` as its accuracy."""
    metrics: dict[str, float | None] = {} if top1 is None else {"probe_top1": top1, "effective_rank": 10.0}
    values = {
        "pairing": {"subset": f"subset {cell.seed}", "init": f"init {cell.seed}"},
        "provenance": {
            "commit": "abcdef0123456789", "dirty": False, "device": "CPU test", "torch": "2.0",
            "seconds": 60.0, "ended_unix": 1.0,
        },
        "history": "epoch,loss_total\n1,2.5\n",
        "spectrum": (0.8, 0.6),
    }  # fmt: skip
    if status == "failed":
        failure = {"class": "error", "message": "RuntimeError: boom", "traceback": "…"}
        return Record(cell, status, failure=failure, provenance=values["provenance"])
    return Record(cell, status, metrics, **(values | changes))


# Per seed: orthonormal, random. Differences 1, 1, 4 points: mean 2, sd √3, t = 2, p = 0.1835.
VALUES = {0: (0.92, 0.91), 1: (0.94, 0.93), 2: (0.96, 0.92)}


def records_of(benchmark, values=VALUES):
    orthonormal, random = benchmark.entries
    return [
        record(entry.cell(seed), top1)
        for seed, pair in values.items()
        for entry, top1 in zip((orthonormal, random), pair, strict=True)
        if top1 is not None
    ]


def arms(records):
    return group_by_arm(r.to_json() for r in records)
