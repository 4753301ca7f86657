"""What is said below a table: which seeds and points are not in it, and where its numbers come from."""

from collections.abc import Iterator, Sequence

from clopbench.report import origin
from clopbench.report.formats import wording
from clopbench.report.observations import Observation
from clopbench.report.summary import cost
from clopbench.report.tables import Table


def problems(table: Table) -> Iterator[str]:
    """A sentence on each seed that was no pair, or had to be left out of a claim."""
    for claim in table.claims:
        yield from (f"Not paired, {problem}: {claim.declaration.text}." for problem in claim.unpaired)
        yield from (f"Left out, {seed}: {claim.declaration.text}." for seed in claim.left_out)


def skipped(table: Table) -> Iterator[str]:
    """A sentence on each reason for which points are not run at this scale."""
    for reason, points in table.skipped.items():
        names = "; ".join(wording.name(table, coordinates) for coordinates in points)
        yield f"Not run at this scale: {names}: {reason}."


def provenance(cells: Sequence[Observation]) -> str:
    """What the table cost, on what hardware, with which versions, all from the records."""
    versions = sorted({f"torch {cell.provenance.get('torch')}" for cell in cells})
    return f"{cost(cells)}; {', '.join(versions)}; {origin.code(cell.provenance for cell in cells)}."
