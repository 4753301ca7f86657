"""The metrics that a benchmark's cells can have, so that no table names one that no cell will have.

Which of them a cell does have depends on its settings (`evaluation.validation`, `transfer`, `detection`).
"""

import math
import re
from collections.abc import Collection

from clopbench.errors import unknown

OF_TRAINING = frozenset(
    [
        *(f"{probe}_top{k}" for probe in ("probe", "probe_all", "knn", "knn100") for k in (1, 5)),
        "effective_rank",
        "dominant_share",
        "mean_norm",
        "alignment",
        "uniformity",
        "prototype_cosine_own",
        "prototype_cosine_other",
        "prototype_top1",
        "prototype_overlap",
        *(f"{name}_best" for name in ("probe_top1", "probe_top5", "probe_all_top1", "knn_top1")),
        "effective_rank_best",
        "epoch_best",
        "validation_top1",
        "validation_top1_best",
        *(f"detection_{protocol}{measure}" for protocol in ("", "frozen_") for measure in ("ap50", "ap")),
        "transfer_mean",
    ]
)
OF_TRANSFER = re.compile(r"transfer_[a-z0-9][a-z0-9_-]*")
"""Accuracy on a further data set, which need not be prepared on this machine."""

SHARE = re.compile(
    r"(probe|probe_all|knn|knn100)_top[15](_best)?|validation_top1(_best)?|prototype_top1|dominant_share"
    r"|detection_.*|transfer_.*"
)
"""Metrics that are shares of something, between 0 and 1."""


def bounds(metric: str) -> tuple[float, float] | None:
    """Between what a metric lies, whatever was trained; None where it can be any number."""
    if SHARE.fullmatch(metric):
        return (0.0, 1.0)
    return (1.0, math.inf) if metric.startswith("effective_rank") else None


def fault(metric: str, known: Collection[str]) -> str | None:
    """Why this cannot be a metric of cells that can have the `known` ones; None where it can."""
    if metric in known or ("transfer_mean" in known and OF_TRANSFER.fullmatch(metric)):
        return None
    return str(unknown("metric", metric, known))
