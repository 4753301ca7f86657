"""Claims as cards: what is claimed and whether it holds; a card opens what was seen, and where."""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from clopbench.report.claims.tested import Claim
from clopbench.report.formats import wording
from clopbench.report.html.markup import Child, element
from clopbench.report.html.tables import chip, claim_key, place
from clopbench.report.results_page import Answers, evidence
from clopbench.report.summary import FRAGILE
from clopbench.report.tables import Table


def claim_cards(found: Answers) -> Iterator[Element]:
    """The claims of the paper in order of importance, then hypotheses of our own, and a count of the others."""
    if found.paper:
        yield _cards("The paper's claims", found.paper)
    if found.own:
        yield element("h3", "Hypotheses of our own")
        yield _cards("Hypotheses of our own", found.own)
    if found.idle:
        text = f"Not run at any scale: {found.idle} further claims. Their tables say what runs them."
        yield element("p", text, class_="note")


def _cards(title: str, claims: Sequence[tuple[Table, Claim]]) -> Element:
    return element("div", *(_card(*one) for one in claims), class_="cards", role="list", aria_label=title)


def _card(table: Table, claim: Claim) -> Element:
    verdict = claim.verdict.verdict
    fragile = element("small", FRAGILE, class_="fragile") if claim.is_fragile else None
    head = element(
        "summary",
        element("span", claim.declaration.text, class_="claim"),
        element("span", chip(verdict), fragile),
    )
    where = element("a", evidence(table, claim), href=f"#{place(table.name, table.scale.name)}")
    fields: list[tuple[str, Child]] = [
        ("the paper", claim.declaration.evidence),
        ("seen here", wording.effect(table, claim)),
        ("verdict", claim.text),
        ("where", where),
    ]
    body = element("dl", *(element("div", element("dt", name), element("dd", text)) for name, text in fields))
    cells = element(
        "button", f"Its {len(claim.cells)} cells", type_="button", class_="number",
        data_opens=claim_key(table, claim), aria_haspopup="dialog",
    )  # fmt: skip
    return element("details", head, body, cells if claim.cells else None, class_="card", role="listitem")
