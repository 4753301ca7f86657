"""Verdicts on the paper's numbers (those on claims are judged together: clopbench/statistics/family.py).

A number is *reproduced* if two one-sided tests at 5 % put our mean within the declared margin of the paper's;
else *different* if a two-sided test at 5 % tells them apart; else *undecided*. It is *not comparable* at any
scale but the paper's.
"""

from dataclasses import dataclass

from clopbench.statistics import summaries
from clopbench.statistics.summaries import ALPHA, Summary


@dataclass(frozen=True)
class NumberVerdict:
    """verdict: reproduced, different, undecided, not comparable, not run, or paper's number not known."""

    verdict: str
    reason: str = ""


def judge_number(
    ours: Summary | None,
    paper_mean: float | None,
    paper_sd: float | None,
    paper_n: int | None,
    margin: float | None,
    comparable: bool,
) -> NumberVerdict:
    """Set our mean beside the paper's. Without its sd and n, the paper's number counts as exact."""
    if ours is None:
        return NumberVerdict("not run")
    if paper_mean is None:
        return NumberVerdict("paper's number not known")
    if not comparable:
        return NumberVerdict("not comparable")
    if ours.sd is None or margin is None:
        missing = "one seed" if ours.sd is None else "no margin declared"
        return NumberVerdict("undecided", missing)
    if ours.sd == 0:
        within = abs(ours.mean - paper_mean) < margin
        return NumberVerdict("reproduced" if within else "different", "no spread over seeds")
    if paper_sd is not None and paper_n is not None:
        theirs = (paper_mean, paper_sd, paper_n)
        equivalence = summaries.equivalence_p(ours.mean, ours.sd, ours.n, *theirs, margin)
        _, difference = summaries.welch(ours.mean, ours.sd, ours.n, *theirs)
        reason = ""
    else:
        equivalence = summaries.equivalence_p_to_constant(ours.mean, ours.sd, ours.n, paper_mean, margin)
        difference = summaries.one_sample_p(ours.mean, ours.sd, ours.n, paper_mean)
        reason = "the paper's uncertainty is not known"
    if equivalence < ALPHA:
        return NumberVerdict("reproduced", reason)
    return NumberVerdict("different" if difference < ALPHA else "undecided", reason)
