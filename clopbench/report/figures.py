"""Figures, made with seaborn on matplotlib's file-only backend. Functions return the Figure."""

import io

import matplotlib

matplotlib.use("Agg")

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from clopbench.report import wording
from clopbench.report.tables import Table

DPI = 160


def paired_dots(tables: list[Table]) -> Figure:
    """One panel per scale: each seed's value in each row, joined by a line; the mean with its interval.

    Lines that run the same way say more than two overlapping clouds: the rows are paired over seeds.
    """
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind")
    figure, panels = plt.subplots(1, len(tables), figsize=(4.2 * len(tables), 3.6), squeeze=False)
    for axes, table in zip(panels[0], tables, strict=True):
        factor = 100 if table.declaration.format == "percent" else 1
        frame = pd.DataFrame(
            [
                {"row": _wrapped(table, number.coordinates), "seed": seed, "value": value * factor}
                for number in table.numbers
                for seed, value in number.values.items()
            ]
        )
        order = [_wrapped(table, number.coordinates) for number in table.numbers]
        for _, one_seed in frame.groupby("seed"):
            axes.plot(
                [order.index(row) for row in one_seed["row"]], one_seed["value"], color="0.75", lw=0.8, zorder=1
            )
        sns.stripplot(
            frame, x="row", y="value", order=order, hue="row", hue_order=order, legend=False,
            jitter=False, size=4.5, alpha=0.7, ax=axes, zorder=2,
        )  # fmt: skip
        for position, number in enumerate(table.numbers):
            if number.summary:
                half = (number.summary.half_width or 0) * factor
                axes.errorbar(
                    position + 0.16, number.summary.mean * factor, yerr=half or None,
                    fmt="D", ms=5, color="black", capsize=3, lw=1.2, zorder=3,
                )  # fmt: skip
        unit = " (%)" if factor == 100 else ""
        n = max((number.planned for number in table.numbers), default=0)
        axes.set(xlabel="", ylabel=f"{table.declaration.metric_title}{unit}")
        axes.set_title(f"scale {table.scale.name}, n = {n} seeds; mean and 95 % interval", fontsize="small")
        axes.margins(x=0.25)
    figure.tight_layout()
    return figure


def to_png(figure: Figure) -> bytes:
    """The figure as PNG, without the fields that change from version to version."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def _wrapped(table: Table, coordinates: dict[str, str]) -> str:
    return wording.name(table, coordinates).replace(", ", ",\n")
