"""Signs of failure as a sheet, and their limits in words."""

from collections.abc import Iterator

from clopbench.report import signs
from clopbench.report.formats import wording
from clopbench.report.formats.sheet import Sheet
from clopbench.report.tables import Table

TITLE = "Signs of failure: seeds in which each shows, of those that measured it"


def sheets(table: Table) -> list[Sheet]:
    """Entries × checks; nothing where the table declares none, or has no cells."""
    checks = table.declaration.checks
    body = [
        [wording.name(table, number.coordinates), *(_words(one) for one in found)]
        for number, found in (signs.counts(table) if checks else ())
    ]
    return [Sheet(TITLE, ["row", *(check.text for check in checks)], body)] if body else []


def limits(table: Table) -> Iterator[str]:
    """A sentence on each check: its rule and the reason for its limit."""
    for check in table.declaration.checks:
        yield f"{wording.sentence(check.text)} shows for {check.rule}: {check.reason}."


def _words(found: signs.Count) -> str:
    return f"{found.shown} of {found.measured}" if found.measured else wording.NOTHING
