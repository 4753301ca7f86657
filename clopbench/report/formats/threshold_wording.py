"""Thresholds in words. No layout, and no numbers are made here."""

import math

from clopbench.report.formats.wording import NOT_RUN, NOTHING
from clopbench.report.threshold_lines import Line
from clopbench.statistics.thresholds import Bracket
from clopbench.suite.thresholds import ThresholdDeclaration

HEADINGS = ["row", "median threshold", "interval", "n", "beyond the grid"]


def headings(declaration: ThresholdDeclaration) -> list[str]:
    if declaration.reference is None:
        return HEADINGS
    return [*HEADINGS, declaration.reference_title, f"threshold / {declaration.reference_title}"]


def row(line: Line, name: str) -> list[str]:
    """The texts of one line, under `headings`."""
    texts = [name, median(line), interval(line), count(line), beyond(line)]
    if line.declaration.reference is None:
        return texts
    return [*texts, number(line.predicted) if line.predicted is not None else NOTHING, ratio(line)]


def median(line: Line, unit: float = 1.0) -> str:
    """'3.2', or what open brackets leave of it: '> 10', '≤ 0.1'; 'not known' where both ends are open."""
    if line.found is None:
        return NOT_RUN
    return _between(line.found.low / unit, line.found.high / unit)


def interval(line: Line, unit: float = 1.0) -> str:
    """'(1, 10] with 97.9 %': its ends, the upper one included, and the confidence that it really has."""
    if line.found is None or line.found.interval is None or line.found.confidence is None:
        return NOTHING
    low, high = (bound / unit for bound in line.found.interval)
    right = f"{number(high)}]" if math.isfinite(high) else "∞)"
    return f"({number(low)}, {right} with {line.found.confidence * 100:.1f} %"


def ratio(line: Line) -> str:
    """The median and its interval in units of the prediction."""
    if line.predicted is None or line.found is None:
        return NOTHING
    bounds = interval(line, line.predicted).partition(" with")[0]
    return median(line, line.predicted) + ("" if bounds == NOTHING else f" {bounds}")


def count(line: Line) -> str:
    """Seeds with a bracket; those that recover beyond their threshold and those that are left out are named.

    So is the share of the best that had to be lowered, because smaller falls would be noise.
    """
    marks = [(line.found.recovering if line.found else 0, "recover"), (line.incomplete, "incomplete")]
    texts = [f"{k} {word}" for k, word in marks if k]
    if line.brackets and line.share < line.declaration.share:
        texts.append(f"below {line.share:.1%} of the best: less is noise")
    notes = ", ".join(texts)
    return f"{len(line.brackets)} ({notes})" if notes else str(len(line.brackets))


def beyond(line: Line) -> str:
    """'> 10 in 7 of 10 seeds'; a dash where every seed's threshold lies inside the grid."""
    if line.found is None:
        return NOTHING
    brackets = line.brackets.values()
    tops = [one.low for one in brackets if math.isinf(one.high)]
    bottoms = [one.high for one in brackets if one.low == 0]
    parts = [(">", tops), ("≤", bottoms)]
    seeds = "seed" if line.found.n == 1 else "seeds"
    texts = [
        f"{sign} {number(ends[0])} in {len(ends)} of {line.found.n} {seeds}" for sign, ends in parts if ends
    ]
    return "; ".join(texts) or NOTHING


def one_seed(bracket: Bracket) -> str:
    """'1–3 (1.7)', '> 10', '≤ 0.1'."""
    if bracket.estimate is None:
        return _between(bracket.low, bracket.high)
    text = f"{number(bracket.low)}–{number(bracket.high)} ({number(bracket.estimate)})"
    return f"{text}, recovers" if bracket.recovers else text


def number(amount: float) -> str:
    """Three digits; powers of ten only where they are needed."""
    text = f"{amount:.3g}"
    return f"{float(text):.0f}" if "e+" in text else text


def _between(low: float, high: float) -> str:
    if low == high:
        return number(low)
    if math.isinf(high):
        return f"> {number(low)}" if low else "not known"
    return f"≤ {number(high)}"
