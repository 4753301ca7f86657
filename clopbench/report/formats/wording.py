"""Numbers, verdicts and claims in words. No layout, and no numbers are made here."""

from clopbench.report import layout
from clopbench.report.amounts import value
from clopbench.report.claims.tested import Claim
from clopbench.report.observations import Number
from clopbench.report.points import Pair
from clopbench.report.tables import Table
from clopbench.statistics.summaries import Summary
from clopbench.suite.claims import Format
from clopbench.suite.declarations import Coordinates, PaperValue

NOT_RUN = "not run"
NOTHING = "–"
WEAKEST = "weakest of"


def sentence(text: str) -> str:
    """With a capital at its start, but not of a Greek letter, which is a symbol: η and Η differ."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def mean(summary: Summary | None, kind: Format) -> str:
    """'97.12 ± 0.31', without ± at n = 1."""
    if summary is None:
        return NOT_RUN
    text = value(kind, summary.mean)
    return text if summary.half_width is None else f"{text} ± {value(kind, summary.half_width)}"


def count(number: Number) -> str:
    """'10', or '7/10' where cells are missing; collapsed and diverged cells are named."""
    n = number.summary.n if number.summary else 0
    text = str(n) if n == number.planned else f"{n}/{number.planned}"
    marks = [f"{k} {status}" for status in ("collapsed", "diverged") if (k := number.count(status))]
    return f"{text} ({', '.join(marks)})" if marks else text


def paper(table: Table, entry: PaperValue | None) -> str:
    """The paper's mean, with its sd and n where it gives them."""
    if entry is None:
        return "not known"
    kind = table.declaration.format
    sd = f"sd {value(kind, entry.sd, 1)}" if entry.sd is not None else "sd not known"
    n = f"n {entry.n}" if entry.n is not None else "n not known"
    return f"{value(kind, entry.mean, 1)} ({sd}, {n})"


def difference(table: Table, number: Number) -> str:
    """Ours minus the paper's; a dash where one is missing, or where the difference would mean nothing."""
    if number.difference is None or not table.scale.is_paper:
        return NOTHING
    return value(table.declaration.format, number.difference, 1, signed=True)


def verdict(number: Number) -> str:
    reason = number.verdict.reason
    return f"{number.verdict.verdict} ({reason})" if reason else number.verdict.verdict


def name(table: Table, coordinates: Coordinates) -> str:
    """A point in words: the row's label, then the points of the other axes."""
    rows = table.declaration.rows
    others = [table.point_label(point) for axis, point in coordinates.items() if axis != rows]
    return ", ".join([table.label(coordinates), *others])


def anchor(table: Table, coordinates: Coordinates) -> str:
    """The id under which the cells of a number are listed."""
    return layout.anchor(table.scale.name, *coordinates.values())


def effect(table: Table, claim: Claim) -> str:
    """The comparison that the claim hangs on, positive in its favour: '+0.42 [−0.10, +0.94]'."""
    if claim.weakest is None:
        return NOTHING
    pair, found = claim.weakest
    text = claim.kind.effect(found)
    k = len(claim.contrasts)
    return text if k == 1 else f"{text} ({WEAKEST} {k}: {pair_name(table, pair)})"


def family(count: int) -> str:
    """How many claims the adjusted p values of a table are corrected over."""
    if not count:
        return "no claim has seeds enough for a test"
    return f"corrected over {count} claim{'s' if count > 1 else ''}"


def coefficient(number: float | None) -> str:
    """A correlation or a standardised effect: '+0.42'."""
    return NOTHING if number is None else f"{number:+.2f}".replace("-", "−")


def p_value(p: float | None) -> str:
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def in_favour(claim: Claim) -> str:
    """'3 of 10'; a dash for what is not decided seed by seed."""
    if claim.weakest is None:
        return NOTHING
    found = claim.weakest[1]
    return f"{NOTHING if found.in_favour is None else found.in_favour} of {found.n}"


def pair_name(table: Table, pair: Pair) -> str:
    """What is set against what, naming only the axes on which the two differ after the first side.

    A point that is set against a number is named alone.
    """
    if not pair.second:
        return name(table, pair.first[0])
    first, second = pair.first[0], pair.second[0]
    changed = {axis: point for axis, point in second.items() if point != first[axis]}
    shown = first if len(pair.first) == 1 else {axis: first[axis] for axis in changed}
    one = ", ".join(table.point_label(point) for point in shown.values())
    return f"{one} against {', '.join(table.point_label(point) for point in changed.values())}"
