"""Signs of failure in the cells behind a table, and in one cell: what shows, and what was not measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clopbench.report.observations import Number
from clopbench.report.tables import Table
from clopbench.suite.checks import CheckDeclaration
from clopbench.suite.suite import Suite


@dataclass(frozen=True)
class Count:
    """In how many cells of an entry a sign shows, of those that measured it."""

    shown: int
    measured: int


def count(check: CheckDeclaration, number: Number) -> Count:
    """A cell that diverged has measured nothing, so it is counted nowhere here: the table says how it ended."""
    amounts = [check.amount(cell.metrics) for cell in number.cells]
    known = [amount for amount in amounts if amount is not None]
    return Count(sum(map(check.shows, known)), len(known))


def counts(table: Table) -> list[tuple[Number, list[Count]]]:
    """For each entry with cells, a count of each declared check."""
    checks = table.declaration.checks
    return [(number, [count(one, number) for one in checks]) for number in table.numbers if number.cells]


def of_cell(suite: Suite, metrics: Mapping[str, float | None]) -> Iterator[tuple[str, str]]:
    """What each check of the suite's tables says of a cell: its text, and 'no (… 0.12; shows above 0.9)'."""
    for name in suite.table_names():
        for check in suite.table(name).checks:
            amount = check.amount(metrics)
            if amount is None:
                yield check.text, f"not measured ({check.rule})"
            else:
                yield (
                    check.text,
                    f"{'yes' if check.shows(amount) else 'no'} ({amount:.3g}; shows for {check.rule})",
                )
