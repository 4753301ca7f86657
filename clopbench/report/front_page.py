"""The answer in a few lines, for the front page: README.md between two marks, the rest of it is people's."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from clopbench.report import layout
from clopbench.report.claims.tested import Claim
from clopbench.report.formats import markdown, wording
from clopbench.report.formats.markdown import link
from clopbench.report.results_page import answers, evidence
from clopbench.report.summary import SYMBOLS
from clopbench.report.tables import Table
from clopbench.statistics.family import CONTRADICTED, SUPPORTED
from clopbench.suite import reading
from clopbench.suite.suite import Suite

BEGIN, END = "<!-- answer: begin -->", "<!-- answer: end -->"
LINES = 6
HEADINGS = ["claim of the paper", "seen here [95 % interval]", "where", "verdict", "claims like it"]


def front_page(suite: Suite, tables: Mapping[str, Sequence[Table]]) -> str | None:
    """README.md with the answer of these tables; None where the suite has none, or it has no marks."""
    path = suite.root / layout.FRONT
    text = reading.text(path, layout.FRONT) if path.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        return None
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{answer(suite, tables)}\n{END}{rest.partition(END)[2]}"


def answer(suite: Suite, tables: Mapping[str, Sequence[Table]]) -> str:
    """A line for each ten of importance, the last for all that follow: one claim, and how others ended."""

    def kind(one: tuple[Table, Claim]) -> int:
        return min(one[0].declaration.importance // 10, LINES)

    claims = sorted(answers(suite, tables).paper, key=kind)
    lines = [_line(list(some)) for _, some in groupby(claims, kind)]
    return str(markdown.table(HEADINGS, lines)) if lines else "Nothing was run yet."


def _line(claims: Sequence[tuple[Table, Claim]]) -> list[str]:
    """The first claim that was decided, else the first."""
    decided = [one for one in claims if one[1].verdict.verdict in (SUPPORTED, CONTRADICTED)]
    table, claim = (decided or claims)[0]
    others = Counter(other.verdict.verdict for _, other in claims if other is not claim)
    counts = ", ".join(f"{others[verdict]} {SYMBOLS[verdict]}" for verdict in SYMBOLS if others[verdict])
    verdict = claim.verdict.verdict
    fragile = ", fragile" if claim.is_fragile else ""
    return [
        link(claim.declaration.text, layout.page(table.name)),
        wording.effect(table, claim).partition(" (weakest")[0],
        evidence(table, claim),
        f"{SYMBOLS[verdict]} {verdict}{fragile}",
        counts or "–",
    ]
