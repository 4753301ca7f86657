"""Records with made-up numbers, for tests of the store and the report."""

from clopbench.cell import Cell
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
