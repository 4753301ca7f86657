"""Numbers, verdicts and claims in words. No layout, and no numbers are made here."""

from collections.abc import Sequence

from clopbench.report import layout
from clopbench.report.amounts import value
from clopbench.report.claims.tested import Claim
from clopbench.report.observations import BROKEN, Number
from clopbench.report.points import Pair
from clopbench.report.tables import Table
from clopbench.statistics.looks import Look
from clopbench.statistics.summaries import Summary
from clopbench.suite.claims import Format
from clopbench.suite.declarations import Coordinates, PaperValue

NOT_RUN = "not run"
NOTHING = "–"
NOT_KNOWN = "not known"
WEAKEST = "weakest of"
FIRST = 0.04
"""A first look that nobody declared may spend more than this."""


def sentence(text: str) -> str:
    """With a capital at its start, but not of a Greek letter, which is a symbol: η and Η differ."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def mean(summary: Summary | None, kind: Format) -> str:
    """'97.12 ± 0.31', or '99.80 [99.12, 100.00]' at the end of the scale; no interval at n = 1."""
    if summary is None:
        return NOT_RUN
    text = value(kind, summary.mean)
    if summary.low is None or summary.high is None:
        return text
    if summary.half_width is None:
        return f"{text} [{value(kind, summary.low)}, {value(kind, summary.high)}]"
    return f"{text} ± {value(kind, summary.half_width)}"


def count(number: Number) -> str:
    """'10', or '7/10' where cells are missing; collapsed and diverged cells are named."""
    n = number.summary.n if number.summary else 0
    text = str(n) if n == number.planned else f"{n}/{number.planned}"
    marks = [f"{k} {status}" for status in BROKEN if (k := number.count(status))]
    return f"{text} ({', '.join(marks)})" if marks else text


def paper(table: Table, entry: PaperValue | None) -> str:
    """The paper's mean, with its sd and n where it gives them."""
    if entry is None:
        return NOT_KNOWN
    kind = table.declaration.format
    sd = f"sd {value(kind, entry.sd, 1)}" if entry.sd is not None else "sd not known"
    n = f"n {entry.n}" if entry.n is not None else "n not known"
    return f"{value(kind, entry.mean, 1)} ({sd}, {n})"


def difference(table: Table, number: Number) -> str:
    """Ours minus the paper's; a dash where one is missing, or where the difference would mean nothing."""
    if number.difference is None or not table.scale.is_paper:
        return NOTHING
    kind, found = table.declaration.format, number.verdict.found
    text = value(kind, number.difference, 1, signed=True)
    if found is None or found.low is None or found.high is None:
        return text
    return f"{text} [90 %: {value(kind, found.low, 1, signed=True)}, {value(kind, found.high, 1, signed=True)}]"


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
    text = text if k == 1 else f"{text} ({WEAKEST} {k}: {pair_name(table, pair)})"
    expected = None if claim.position is None else expectation(claim, claim.position)
    return f"{text}; the paper lets expect {expected}" if expected else text


def expectation(claim: Claim, position: int) -> str:
    """'+1.20 [−0.35, +2.75]: inside' for a comparison of which the paper gives both numbers, else nothing."""
    expected, effect = claim.expected[position], claim.effects[position]
    if expected is None or effect is None or effect.estimate is None:
        return ""
    interval = claim.kind.interval(expected.low, expected.high)
    where = "inside" if expected.holds(effect.estimate) else "outside"
    reason = f", {expected.reason}" if expected.reason else ""
    return f"{claim.kind.estimate(expected.effect)}{interval}: ours lies {where}{reason}"


def family(count: int) -> str:
    """How many claims the adjusted p values of a table are corrected over."""
    if not count:
        return "no claim has seeds enough for a test"
    return f"corrected over {count} claim{'s' if count > 1 else ''}"


def looks(taken: Sequence[Look]) -> str:
    """What a look may still spend where others took their part; nothing of a first one, which has most."""
    if not taken or (len(taken) == 1 and not taken[0].declared and not 0 < taken[0].level < FIRST):
        return ""
    seeds = ", ".join(str(look.seeds) for look in taken)
    declared, share = "declared " if taken[-1].declared else "", f"{taken[-1].level * 100:.2g} %"
    return f"{declared}look {len(taken)} (seeds: {seeds}), which may spend {share} of the 5 %"


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
