"""The metrics that a benchmark's cells can have, so that no table names one that no cell will have.

Which of them a cell does have depends on its settings (`evaluation.validation`, `transfer`, `detection`).
"""

import re
from collections.abc import Collection, Iterable

from clopbench.errors import unknown

OF_TRAINING = frozenset(
    [
        *(f"{probe}_top{k}" for probe in ("probe", "probe_all", "knn", "knn100") for k in (1, 5)),
        "effective_rank",
        "mean_norm",
        "alignment",
        "uniformity",
        "prototype_cosine_own",
        "prototype_cosine_other",
        *(f"{name}_best" for name in ("probe_top1", "probe_top5", "probe_all_top1", "knn_top1")),
        "effective_rank_best",
        "epoch_best",
        "validation_top1_best",
        *(f"detection_{protocol}{measure}" for protocol in ("", "frozen_") for measure in ("ap50", "ap")),
        "transfer_mean",
    ]
)
OF_TRANSFER = re.compile(r"transfer_[a-z0-9][a-z0-9_-]*")
"""Accuracy on a further data set, which need not be prepared on this machine."""
OF_OVERHEAD = frozenset(
    ["overhead_time", "overhead_memory", "step_ms", "step_ms_base", "step_mib", "step_mib_base"]
)
OF_SPHERE = frozenset(
    [
        *("pull_back", "sideways", "factor_error", "factor_error_on_sphere"),
        *("shrinks_below", "best_rate", "safe_low", "safe_high", "worst_in_safe_range", "concentrates_from"),
        *("gradient_equal", "gradient_colinear"),
    ]
)


def of_sphere(rates: Iterable[float], long_rates: Iterable[float]) -> frozenset[str]:
    """Those of a simulation: some are of each of its rates."""
    short = {f"{name}_{rate:g}" for rate in rates for name in ("ratio", "ratio_on_sphere")}
    return OF_SPHERE | short | {f"{name}_{rate:g}" for rate in long_rates for name in ("mean_norm", "rank")}


def fault(metric: str, known: Collection[str]) -> str | None:
    """Why this cannot be a metric of cells that can have the `known` ones; None where it can."""
    if metric in known or ("transfer_mean" in known and OF_TRANSFER.fullmatch(metric)):
        return None
    return str(unknown("metric", metric, known))
