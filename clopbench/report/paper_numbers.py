"""The numbers of the paper beside ours: a verdict on each, and the effects that they let us expect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clopbench.statistics.replication import (
    DIFFERS_INSIDE,
    OPEN,
    OUTSIDE,
    REPRODUCED,
    PaperNumber,
    Prediction,
    Reproduction,
    judge_number,
    predict,
)
from clopbench.suite.declarations import PaperValue

NOT_COMPARABLE, NOT_RUN, NOT_KNOWN = "not comparable", "not run", "paper's number not known"
VERDICTS = (REPRODUCED, DIFFERS_INSIDE, OUTSIDE, OPEN, NOT_COMPARABLE, NOT_RUN)
"""All that a number of the paper can get."""


@dataclass(frozen=True)
class NumberVerdict:
    """verdict: one of VERDICTS, or NOT_KNOWN where the paper gives none. found: None if nothing is tested."""

    verdict: str
    reason: str = ""
    found: Reproduction | None = None


def judge(
    values: Sequence[float], paper: PaperValue | None, margin: float | None, comparable: bool
) -> NumberVerdict:
    """Set our values, one per seed, beside the paper's number. comparable: ours have the paper's scale."""
    if not values:
        return NumberVerdict(NOT_RUN)
    if paper is None:
        return NumberVerdict(NOT_KNOWN)
    if not comparable:
        return NumberVerdict(NOT_COMPARABLE)
    if margin is None:
        return NumberVerdict(OPEN, "no margin declared")
    found = judge_number(values, _number(paper), margin)
    return NumberVerdict(found.outcome, found.reason, found)


def expected(
    first: PaperValue | None,
    second: PaperValue | None,
    ours: tuple[Mapping[int, float], Mapping[int, float]],
    sign: int,
) -> Prediction | None:
    """The effect of the first over the second that the paper's numbers let us expect over seeds of ours.

    ours: seed → value of either side, with the same seeds. sign: 1 where more is better, else -1: the effect is
    positive where the first is better. None where the paper does not give both numbers.
    """
    if first is None or second is None or not ours[0]:
        return None
    found = predict(
        _number(first), _number(second), len(ours[0]), (list(ours[0].values()), list(ours[1].values()))
    )
    if found is None or sign > 0:
        return found
    return Prediction(-found.effect, -found.high, -found.low, found.reason)


def _number(paper: PaperValue) -> PaperNumber:
    return PaperNumber(paper.mean, paper.sd, paper.n)
