"""The paper's tables at the scale that was made for half an hour, and their records in one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commands import run

from clopbench.results.published import publish
from clopbench.results.records import Store

SCALE, TINY_SCALE = "gpu_short", "laptop"
PER_GPU = 4
"""Cells at once: a small network leaves most of a large GPU idle."""
TABLES = {
    "table7": ("table7",),
    "label_fraction at 10 %": ("label_fraction", "--only", "label_fraction=0.1"),
    "figure1": ("figure1",),
    "learning_rate": ("learning_rate",),
}
SEEDS, TINY_SEEDS = 10, 1
TINY = ("training.epochs=2", "training.warmup_epochs=0")


def tables(tiny: bool) -> dict[str, list[str]]:
    """What to say to `bench run`, by the name of the piece."""
    rest = ["--seeds", str(TINY_SEEDS), *TINY, "--device", "cpu"] if tiny else ["--seeds", str(SEEDS)]
    packed = [] if tiny else ["--device", "cuda", "--per-gpu", str(PER_GPU)]
    chosen = list(TABLES.items())[: 2 if tiny else None]
    return {name: [*words, *rest, *packed] for name, words in chosen}


def train(words: Sequence[str], scale: str, results: Path, out: Path, deadline: float) -> dict[str, Any] | None:
    """Train what is missing; None where time ran out, and the checkpoints are saved."""
    done = run(["run", *words, "--scale", scale, "--results", str(results)], deadline - 30)
    found = [Store(results).read(path.name) for path in results.glob("??/*")]
    records = [record for record in found if record is not None and record.is_result]
    publish(records, out / f"{scale}.parquet")
    if done is None:
        return None
    return {"right": done.code == 0, "cells": len(records), "said": done.out.strip().splitlines()[-8:]}
