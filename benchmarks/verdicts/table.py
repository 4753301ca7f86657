"""Simulate verdicts over known truth, print the tables of rates, and write them into docs/statistics.md.

    uv run python benchmarks/verdicts/table.py [--quick] [--size SHARE] [--section NAME …]

Exit status 1 where a rate misses its limit by more than the simulation can be wrong. --quick takes few
repetitions of the most telling settings (a minute on one core) and writes nothing. --size takes a share of
the full repetitions. Each section is written as soon as it is done, and says when it was made, with how many
repetitions and in how many minutes; sections that are not asked for stay as they are.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import coverages
import families
import numbers_of_papers
import promises
import sequences
from mix import ROOT, declared
from rates import Table

PAGE = ROOT / "docs" / "statistics.md"
BEGIN, END = "<!-- verdicts: begin -->", "<!-- verdicts: end -->"
SECTIONS = (
    "Families of claims", "Power", "The paper's numbers", "Looks", "Promised seeds", "Intervals", "Thresholds",
)  # fmt: skip
Sections = Mapping[str, Callable[[], Sequence[Table]]]
"""Name → what makes its tables."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--size", type=float, default=1.0)
    parser.add_argument("--section", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="NAME")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Said of samples without spread by the methods that are compared.
    broken: list[str] = []
    sections = quick() if options.quick else full(options.size)
    for name in options.section:
        if name not in sections:
            continue
        start = time.process_time()
        tables = sections[name]()
        found = [line for table in tables for line in table.broken]
        minutes = (time.process_time() - start) / 60
        text = "\n\n".join([_made(options.size, minutes), *(table.markdown for table in tables)])
        print(f"### {name}\n\n{text}", *(f"BROKEN: {line}" for line in found), sep="\n", flush=True)
        broken += found
        if not options.quick:
            PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    return 1 if broken else 0


def _made(size: float, minutes: float) -> str:
    repetitions = "" if size == 1 else f" with {size:g} of the full repetitions"
    took = "less than a minute" if minutes < 1 else f"{minutes:.0f} minutes"
    return f"Simulated on {date.today():%d %B %Y}{repetitions}, in {took} of one core."


def with_section(page: str, name: str, text: str) -> str:
    """The page with a section's text between its marks, in the order of SECTIONS, and what is missing there."""
    before, begin, rest = page.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE}: no marks {BEGIN} and {END}")
    found: dict[str, str] = {}
    for part in inside.strip().split("### ")[1:]:
        heading, _, body = part.partition("\n\n")
        found[heading.strip()] = body.strip()
    found[name] = text
    parts = [f"### {one}\n\n{found[one]}" for one in SECTIONS if one in found]
    if missing := [one for one in SECTIONS if one not in found]:
        parts.insert(0, f"Not simulated yet: {', '.join(missing)}.")
    return f"{before}{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}{after}"


def full(size: float) -> Sections:
    """All tables, by section."""

    def times(repetitions: int) -> int:
        return max(20, round(size * repetitions))

    laptop, paper = declared("laptop"), declared("paper")
    return {
        "Families of claims": lambda: [
            families.false_verdicts(laptop, "laptop", times(1000)),
            families.false_verdicts(paper, "paper", times(1000)),
            families.false_verdicts(paper, "paper", times(500), seeds=(8, 10), true_share=0.5),
            families.by_kind(laptop, times(2000)),
        ],
        "Power": lambda: [families.power_of_pairs(times(400)), families.power_of_mix(laptop, times(300))],
        "The paper's numbers": lambda: [
            *numbers_of_papers.outcomes(times(4000)),
            numbers_of_papers.predictions(times(4000)),
        ],
        "Looks": lambda: [
            sequences.false_over_looks(paper, times(400)),
            sequences.found_over_looks(paper, times(100)),
        ],
        "Promised seeds": lambda: [promises.known_truth(times(800)), promises.from_pilots(times(500))],
        "Intervals": lambda: [
            coverages.of_differences(times(1000)),
            coverages.of_middles(times(1000)),
            coverages.of_means(times(1000)),
        ],
        "Thresholds": lambda: [coverages.of_falls(times(400))],
    }


def quick() -> Sections:
    """Few repetitions of most sections."""
    mix = declared("paper")
    return {
        "Families of claims": lambda: [families.false_verdicts(mix, "paper", 40, seeds=(2, 6, 10))],
        "The paper's numbers": lambda: numbers_of_papers.outcomes(150, seeds=(3, 10))[:2],
        "Looks": lambda: [sequences.false_over_looks(mix, 10)],
        "Promised seeds": lambda: [promises.known_truth(60)],
        "Intervals": lambda: [
            coverages.of_differences(60, seeds=(10,)), coverages.of_middles(60, seeds=(10,)),
        ],
        "Thresholds": lambda: [coverages.of_falls(20)],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
