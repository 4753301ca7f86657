"""Numbers of a paper that is right, or wrong by exactly the margin: what is said of them."""

from collections.abc import Sequence

import numpy as np
from outcomes import DISTRIBUTIONS, SD, Distribution, Floats, draw
from rates import Rate, Table

from clopbench.statistics.replication import (
    DIFFERS_INSIDE,
    LEVEL,
    OPEN,
    OUTSIDE,
    REPRODUCED,
    PaperNumber,
    judge_number,
    predict,
)

SEEDS = (2, 3, 5, 8, 10, 20, 40)
PAPER_SEEDS = 10
MARGINS = {True: 4 / 3, False: 6.0}
"""In standard deviations: Table 7's where sd and n are known; wide enough to reproduce anything where not."""


def outcomes(repetitions: int, seeds: Sequence[int] = SEEDS) -> list[Table]:
    """Tables of rates: false *reproduced* on the margin, false *outside* without a shift, true *reproduced*."""
    rows: dict[str, dict[str, dict[str, Rate]]] = {"on": {}, "outside": {}, "found": {}}
    for known, how in ((True, f"sd and n = {PAPER_SEEDS}"), (False, "one draw")):
        margin = MARGINS[known] * SD
        for distribution in DISTRIBUTIONS:
            name = f"{distribution}, {how}"
            for n in seeds:
                rng = np.random.default_rng([n, DISTRIBUTIONS.index(distribution), known])
                counts = {outcome: np.zeros(3) for outcome in (REPRODUCED, DIFFERS_INSIDE, OUTSIDE, OPEN)}
                for _ in range(repetitions):
                    ours = _row(rng, distribution, n)
                    paper = _number(_row(rng, distribution, PAPER_SEEDS if known else 1))
                    for place, shift in enumerate((0.0, margin, -margin)):
                        counts[judge_number((ours + shift).tolist(), paper, margin).outcome][place] += 1
                inside = counts[REPRODUCED] + counts[DIFFERS_INSIDE]
                column = f"n = {n}"
                worse = max(inside[1], inside[2])
                rows["on"].setdefault(name, {})[column] = Rate(worse, repetitions, high=LEVEL)
                rows["outside"].setdefault(name, {})[column] = Rate(counts[OUTSIDE][0], repetitions, high=LEVEL)
                rows["found"].setdefault(name, {})[column] = Rate(counts[REPRODUCED][0], repetitions)
    corner = "outcomes, what the paper gives"
    return [
        Table("Called reproduced where the true shift is the margin, to the worse side.", corner, rows["on"]),
        Table("Called outside the margin where the paper is right.", corner, rows["outside"]),
        Table("Called reproduced where the paper is right.", corner, rows["found"]),
    ]


def predictions(repetitions: int, seeds: Sequence[int] = (3, 5, 10, 20)) -> Table:
    """How often our effect lies inside the prediction interval of a paper that is right."""
    rows: dict[str, dict[str, Rate]] = {}
    for known, how in ((True, f"sd and n = {PAPER_SEEDS}"), (False, "one draw")):
        for distribution in DISTRIBUTIONS:
            low = 0.93 if distribution != "one seed in five collapses" and known else None
            for n in seeds:
                rng = np.random.default_rng([n, DISTRIBUTIONS.index(distribution), known])
                inside = 0
                for _ in range(repetitions):
                    theirs = [_number(_row(rng, distribution, PAPER_SEEDS if known else 1)) for _ in range(2)]
                    drawn = draw(rng, distribution, n, 2, 0.5)
                    ours = drawn.values(0), drawn.values(1)
                    found = predict(theirs[0], theirs[1], n, (ours[0].tolist(), ours[1].tolist()))
                    inside += found is not None and found.holds(float((ours[0] - ours[1]).mean()))
                rows.setdefault(f"{distribution}, {how}", {})[f"n = {n}"] = Rate(inside, repetitions, low=low)
    return Table("Our effect lies inside the 95 % prediction interval.", "outcomes, what the paper gives", rows)


def _row(rng: np.random.Generator, distribution: Distribution, n: int) -> Floats:
    return draw(rng, distribution, n, 1, 0.0).values(0)


def _number(values: Floats) -> PaperNumber:
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return PaperNumber(float(values.mean()), sd, len(values) if sd is not None else None)
