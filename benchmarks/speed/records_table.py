"""Measure `bench` over many records, and write the second table of README.md and the figure growth_records.png.

    uv run python benchmarks/speed/records_table.py [--quick] [--from REPORT.json]

Needs a Slurm on this machine (slurm/lab/install); without it only plan and report are measured. Exit status 1
where a requirement does not hold or was not measured. --quick runs the smallest size and writes nothing.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from growth import MARKERS
from matplotlib.ticker import LogLocator, NullFormatter
from ratios import Sample, read_samples
from table import HERE, ROOT, hardware, measure, write

SUITE = HERE / "test_records.py"
REPORT = ROOT / ".benchmarks" / "records.json"
BEGIN, END = "<!-- records: begin -->", "<!-- records: end -->"
PICTURE = "![Time and peak memory of bench against the number of records](growth_records.png)"
STATUS_CELLS, STATUS_SECONDS = 2_000, 2.0
REPORT_RECORDS, REPORT_SECONDS = 100_000, 60.0
GROWTH = 1.1
"""Ten times the records may take ten times as long, and this factor for a machine that is never quite idle."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--from", dest="report", type=Path)
    options = parser.parse_args()
    path = options.report or REPORT
    failed = not options.report and not measure(options.quick, REPORT, SUITE)
    report = json.loads(path.read_text())
    samples = read_samples(report)
    kept = requirements(samples)
    lines = [f"- {text}: {measured or 'not measured'}{_verdict(holds)}" for text, measured, holds in kept]
    text = "\n\n".join([hardware(report), times(samples), "\n".join(lines), PICTURE])
    print(text)
    if not options.quick:
        write(text, BEGIN, END)
        draw(samples, HERE / "growth_records.png")
    return 1 if failed or not (options.quick or all(holds for _, _, holds in kept)) else 0


def _verdict(holds: bool) -> str:
    return ", holds" if holds else ", **does not hold**"


def times(samples: Sequence[Sample]) -> str:
    """Work × size, as Markdown: median time (lowest to highest, rounds), CPU time and peak memory."""
    lines = [
        "| `bench` | records or cells | seconds: median (range, n) | CPU seconds | peak memory, MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for sample in samples:
        low, high = sample.seconds.min(), sample.seconds.max()
        spread = f"{sample.median:.1f} ({low:.1f}–{high:.1f}, n = {len(sample.seconds)})"
        peak = f"{sample.extra['peak_bytes'] / 1e6:,.0f}"
        cpu = f"{np.median(sample.extra['cpu_seconds']):.1f}"
        lines.append(f"| {sample.work} | {sample.size:,} | {spread} | {cpu} | {peak} |")
    return "\n".join(lines)


def requirements(samples: Sequence[Sample]) -> list[tuple[str, str | None, bool]]:
    """What must hold, what was measured (None: nothing), and whether it does."""
    status = f"status of {STATUS_CELLS:,} cells, half of them unfinished"
    found = [
        _at_most(samples, "status", STATUS_CELLS // 2, STATUS_SECONDS, status),
        _at_most(samples, "report", REPORT_RECORDS, REPORT_SECONDS, f"report over {REPORT_RECORDS:,} records"),
    ]
    for work in dict.fromkeys(sample.work for sample in samples):
        sizes = sorted((s for s in samples if s.work == work), key=lambda s: s.size)
        for smaller, larger in pairwise(sizes):
            more, longer = larger.size / smaller.size, larger.median / smaller.median
            text = f"{work}: {larger.size:,} take no more than {more:g} times as long as {smaller.size:,}"
            found.append((text, f"{longer:.1f} times", longer <= GROWTH * more))
    return found


def _at_most(
    samples: Sequence[Sample], work: str, size: int, seconds: float, text: str
) -> tuple[str, str | None, bool]:
    sample = next((s for s in samples if (s.work, s.size) == (work, size)), None)
    text = f"{text} in {seconds:g} s"
    return (text, None, False) if sample is None else (text, f"{sample.median:.1f} s", sample.median <= seconds)


def draw(samples: Sequence[Sample], path: Path) -> None:
    """Write the figure as PNG: time and peak memory against the number of records, on log axes."""
    works = list(dict.fromkeys(sample.work for sample in samples))
    with sns.axes_style("whitegrid"):
        figure, (time, memory) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for number, work in enumerate(works):
        found = sorted((s for s in samples if s.work == work), key=lambda s: s.size)
        sizes = [s.size for s in found]
        look = {"color": sns.color_palette("colorblind")[number], "marker": MARKERS[number], "label": work}
        time.plot(sizes, [s.median for s in found], **look)
        memory.plot(sizes, [s.extra["peak_bytes"] / 1e6 for s in found], **look)
    slowest = max(s.median for s in samples)
    ends = np.array([max(s.size for s in samples) / 30, max(s.size for s in samples)])
    time.plot(ends, slowest * ends / ends[1], color="0.6", linestyle=":", label="in proportion")
    for axes, y in ((time, "seconds (median)"), (memory, "MB (peak of the process)")):
        axes.set(xscale="log", yscale="log", xlabel="records (submit: cells)", ylabel=y)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
            axis.set_minor_formatter(NullFormatter())
    time.set_title("bench over many records: time")
    memory.set_title("memory")
    figure.legend(*time.get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
