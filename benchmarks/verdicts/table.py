"""Simulate verdicts over known truth, print the tables of rates, and write them into docs/statistics.md.

    uv run python benchmarks/verdicts/table.py [--quick] [--size SHARE]

Exit status 1 where a rate misses its limit by more than the simulation can be wrong. --quick takes few
repetitions of the most telling settings (a minute on one core) and writes nothing. --size takes a share of
the full repetitions; what is written says how many they were.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
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
Section = tuple[str, list[Table]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--size", type=float, default=1.0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Said of samples without spread by the methods that are compared.
    start, broken, texts = time.process_time(), [], []
    for name, tables in quick() if options.quick else full(options.size):
        text = f"### {name}\n\n" + "\n\n".join(table.markdown for table in tables)
        print(text, end="\n\n", flush=True)
        texts.append(text)
        broken += [line for table in tables for line in table.broken]
    minutes = (time.process_time() - start) / 60
    repetitions = "" if options.size == 1 else f" with {options.size:g} of the full repetitions"
    made = f"Simulated on {date.today():%d %B %Y}{repetitions}, in {minutes:.0f} minutes of one core."
    print(made, *(f"BROKEN: {line}" for line in broken), sep="\n")
    if not options.quick:
        write("\n\n".join([made, *texts]))
    return 1 if broken else 0


def full(size: float) -> Iterator[Section]:
    """All tables, one section after another."""

    def times(repetitions: int) -> int:
        return max(20, round(size * repetitions))

    laptop, paper = declared("laptop"), declared("paper")
    yield (
        "Families of claims",
        [
            families.false_verdicts(laptop, "laptop", times(1000)),
            families.false_verdicts(paper, "paper", times(1000)),
            families.false_verdicts(paper, "paper", times(500), seeds=(8, 10), true_share=0.5),
            families.by_kind(laptop, times(2000)),
        ],
    )
    yield "Power", [families.power_of_pairs(times(400)), families.power_of_mix(laptop, times(300))]
    yield (
        "The paper's numbers",
        [
            *numbers_of_papers.outcomes(times(4000)),
            numbers_of_papers.predictions(times(4000)),
        ],
    )
    yield (
        "Looks",
        [
            sequences.false_over_looks(paper, times(400)),
            sequences.found_over_looks(paper, times(100)),
        ],
    )
    yield "Promised seeds", [promises.known_truth(times(800)), promises.from_pilots(times(500))]
    yield (
        "Intervals",
        [
            coverages.of_differences(times(1000)),
            coverages.of_middles(times(1000)),
            coverages.of_means(times(1000)),
        ],
    )
    yield "Thresholds", [coverages.of_falls(times(400))]


def quick() -> Iterator[Section]:
    """Few repetitions of every section."""
    mix = declared("paper")
    yield "Families of claims", [families.false_verdicts(mix, "paper", 40, seeds=(2, 6, 10))]
    yield "The paper's numbers", numbers_of_papers.outcomes(150, seeds=(3, 10))[:2]
    yield "Looks", [sequences.false_over_looks(mix, 10)]
    yield "Promised seeds", [promises.known_truth(60)]
    yield "Intervals", [coverages.of_differences(60, seeds=(10,)), coverages.of_middles(60, seeds=(10,))]
    yield "Thresholds", [coverages.of_falls(20)]


def write(text: str) -> None:
    """Put the text between the two marks of docs/statistics.md."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE}: no marks {BEGIN} and {END}")
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
