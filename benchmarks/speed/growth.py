"""The figure of how cost grows: loss time and peak memory against N, step time against the batch."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from ratios import OURS, Sample

MARKERS = "osD^vP"


def draw(samples: Sequence[Sample], path: Path) -> None:
    """Write the figure as PNG: log axes, colours that colour-blind readers can tell apart, and markers."""
    names = sorted(
        {s.contender for s in samples if s.work in ("InfoNCE", "SupCon")}, key=lambda n: (n != OURS, n)
    )
    style = {name: (sns.color_palette("colorblind")[i], MARKERS[i]) for i, name in enumerate(names)}
    with sns.axes_style("whitegrid"):
        figure, axes = plt.subplot_mosaic("abe;cdf", figsize=(14, 8), layout="constrained")
    for loss, (time, memory) in {"InfoNCE": "ab", "SupCon": "cd"}.items():
        for name in names:
            found = sorted((s for s in samples if (s.work, s.contender) == (loss, name)), key=lambda s: s.size)
            sizes = [s.size for s in found]
            colour, marker = style[name]
            look = {"color": colour, "marker": marker, "label": name}
            axes[time].plot(sizes, [1e3 * s.median for s in found], **look)
            axes[memory].plot(sizes, [s.extra["peak_bytes"] / 1e6 for s in found], **look)
        _label(axes[time], f"{loss}: time", "N (embeddings)", "forward + backward, ms (median)")
        _label(axes[memory], f"{loss}: peak memory", "N (embeddings)", "tensors, MB (peak)")
    steps = sorted((s for s in samples if s.work == "step"), key=lambda s: s.size)
    colour, marker = style.get(OURS, ("black", "o"))
    axes["e"].plot([s.size for s in steps], [1e3 * s.median for s in steps], color=colour, marker=marker)
    _label(axes["e"], "SimCLR's step at scale cpu", "batch (images, two views each)", "step, ms (median)")
    axes["f"].axis("off")
    handles = axes["a"].get_legend_handles_labels()
    axes["f"].legend(*handles, loc="center", frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y, yscale="log")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
