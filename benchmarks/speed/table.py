"""Measure everything, and write the table of ratios into README.md and the figure growth.png.

    uv run --group peers python benchmarks/speed/table.py [--quick] [--from REPORT.json]

Exit status 1 where a requirement does not hold or was not measured. --quick runs two rounds of everything
and writes nothing: it shows that the suites work. --from takes the times of an earlier run.
"""

import argparse
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from growth import draw
from ratios import TABLE_ROWS, Row, Sample, read_samples, rows

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REPORT = ROOT / ".benchmarks" / "speed.json"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--from", dest="report", type=Path)
    options = parser.parse_args()
    # How long `bench` takes over many records is another table: records_table.py.
    suites = sorted(path for path in HERE.glob("test_*.py") if path.name != "test_records.py")
    path = options.report or REPORT
    failed = not options.report and not measure(options.quick, REPORT, *suites)
    report = json.loads(path.read_text())
    samples = read_samples(report)
    table = rows(samples)
    text = f"{hardware(report)}\n\n{markdown(table)}\n\n{details(samples)}"
    print(text)
    if not options.quick:
        write(text)
        draw(samples, HERE / "growth.png")
    kept = options.quick or all(row.holds for row in table)  # Two rounds prove nothing.
    return 1 if failed or not kept else 0


def measure(quick: bool, report: Path, *suites: Path) -> bool:
    """Run suites; whether all of them passed."""
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        *map(str, suites),
        "-q",
        "--benchmark-quiet",
        f"--benchmark-json={report}",
    ]
    return subprocess.run([*command, *(["--quick"] if quick else [])], check=False, cwd=ROOT).returncode == 0


def hardware(report: dict[str, Any]) -> str:
    """Processor, cores, threads, versions and date in a sentence or two."""
    machine = report["machine_info"]
    cpu = machine["cpu"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    when = date.fromisoformat(report["datetime"][:10])
    return (
        f"Measured on {when:%d %B %Y}: {cpu['brand_raw']}, {cpu['count']} cores, "
        f"{machine['threads']} torch threads; Python {machine['python_version']}, {versions}."
    )


def markdown(table: list[Row]) -> str:
    lines = [
        "| work | against | at least | measured [95 % interval] | holds? |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in table:
        verdict = "not measured" if row.measured is None else "yes" if row.holds else "**no**"
        lines.append(f"| {row.work} | {row.against} | {row.required} | {row.measured or '–'} | {verdict} |")
    return "\n".join(lines)


def details(samples: list[Sample]) -> str:
    """The times behind the ratios: each contender of the table, with quartiles."""
    lines = [
        "| work | contender | median time (quartiles), ms | n | rate or peak |",
        "| --- | --- | --- | --- | --- |",
    ]
    for sample in samples:
        loss = sample.work in ("InfoNCE", "SupCon")
        if sample.work in ("clop term", "start") or (loss and sample.size != TABLE_ROWS):
            continue
        low, high = 1e3 * np.quantile(sample.seconds, [0.25, 0.75])
        work = sample.work if not sample.size else f"{sample.work}, {sample.size}"
        time = f"{1e3 * sample.median:,.1f} ({low:,.1f}–{high:,.1f})"
        lines.append(f"| {work} | {sample.contender} | {time} | {len(sample.seconds)} | {_besides(sample)} |")
    return "\n".join(lines)


def _besides(sample: Sample) -> str:
    if "units" in sample.extra:
        return f"{sample.extra['units'] / sample.median:,.0f} views/s"
    return f"{sample.extra['peak_bytes'] / 1e6:,.1f} MB" if "peak_bytes" in sample.extra else ""


def write(text: str, begin: str = BEGIN, end: str = END) -> None:
    """Put the text between two marks in README.md."""
    path = HERE / "README.md"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
