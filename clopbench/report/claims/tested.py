"""A declared claim over the numbers of a table: sides are paired seed by seed, and tested."""

from collections.abc import Sequence
from dataclasses import dataclass

from clopbench.report.claims.claim_kind import ClaimKind, Places
from clopbench.report.claims.contrast import Contrast
from clopbench.report.claims.kinds import kind_of
from clopbench.report.observations import Observation
from clopbench.report.points import Axes, Pair
from clopbench.statistics.comparisons import Comparison
from clopbench.statistics.verdicts import NOT_RUN, ClaimVerdict, Evidence
from clopbench.suite.claims import ClaimDeclaration, Format
from clopbench.suite.declarations import TableDeclaration


@dataclass(frozen=True)
class Claim:
    """A claim with its comparisons and verdict, and what a reader must know about its pairs."""

    kind: ClaimKind
    contrasts: Sequence[Contrast]
    tested: Evidence
    cells: tuple[Observation, ...]
    unpaired: tuple[str, ...]
    """Seeds whose two cells did not share the labelled subset or the initial weights."""
    left_out: tuple[str, ...]
    """Seeds that ended without a value on one side."""
    verdict: ClaimVerdict = NOT_RUN

    @property
    def declaration(self) -> ClaimDeclaration:
        return self.kind.claim

    @property
    def metric(self) -> str:
        return self.kind.metric

    @property
    def format(self) -> Format:
        return self.kind.format

    @property
    def pairs(self) -> list[Pair]:
        """What each comparison of `tested` sets against what."""
        return [contrast.pair for contrast in self.contrasts]

    @property
    def weakest(self) -> tuple[Pair, Comparison] | None:
        """The comparison that the claim hangs on."""
        position = self.tested.weakest
        found = None if position is None else self.tested.comparisons[position]
        return None if position is None or found is None else (self.contrasts[position].pair, found)


def compare(declaration: ClaimDeclaration, table: TableDeclaration, axes: Axes, places: Places) -> Claim:
    """Test every comparison of a claim, without a verdict: that depends on the other claims (Holm)."""
    kind = kind_of(declaration, table)
    contrasts = kind.contrasts(axes, places)
    comparisons = [kind.hypothesis.compare(*one.signed) if one.seeds else None for one in contrasts]
    cells = {cell.id: cell for one in contrasts for cell in one.cells()}
    unpaired = dict.fromkeys(problem for one in contrasts for problem in one.unpaired())
    left_out = dict.fromkeys(seed for one in contrasts for seed in one.left_out())
    return Claim(
        kind, contrasts, Evidence(kind.hypothesis, comparisons, len(left_out)),
        tuple(cells.values()), tuple(unpaired), tuple(left_out),
    )  # fmt: skip
