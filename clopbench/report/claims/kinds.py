"""Which class answers for a declared claim."""

from inspect import get_annotations, isabstract, isclass

from clopbench.report.claims import against_number, along, pairwise
from clopbench.report.claims.claim_kind import ClaimKind
from clopbench.suite.claims import ClaimDeclaration
from clopbench.suite.declarations import TableDeclaration

FAMILIES = (pairwise, along, against_number)
"""The files in which the classes stand."""
KINDS: dict[type, type[ClaimKind]] = {
    get_annotations(found)["claim"]: found
    for family in FAMILIES
    for found in vars(family).values()
    if isclass(found) and issubclass(found, ClaimKind) and not isabstract(found)
}
"""Declaration → the class whose `claim` it is."""


def kind_of(claim: ClaimDeclaration, table: TableDeclaration) -> ClaimKind:
    """A claim of a table, with all that its kind says of it."""
    return KINDS[type(claim)](claim, table)
