"""A declared claim over the numbers of a table: its comparisons seed by seed, and what was found on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from clopbench.errors import quantity
from clopbench.report.claims.claim_kind import ClaimKind, Places
from clopbench.report.claims.contrast import Contrast
from clopbench.report.claims.kinds import kind_of
from clopbench.report.observations import BROKEN, Observation
from clopbench.report.points import Axes, Pair
from clopbench.statistics.amounts import Amounts
from clopbench.statistics.comparisons import Comparison
from clopbench.statistics.family import NOT_RUN, UNDECIDED, Found, Verdict
from clopbench.statistics.replication import Prediction
from clopbench.suite.claims import ClaimDeclaration, Format
from clopbench.suite.declarations import TableDeclaration

NO_VERDICT = Verdict(NOT_RUN)
NO_VALUE = "no seed has a value on both sides: see the diverged cells"


@dataclass(frozen=True)
class Claim:
    """A claim with its comparisons and verdict, and what a reader must know about its pairs."""

    kind: ClaimKind
    contrasts: Sequence[Contrast]
    effects: Sequence[Comparison | None]
    """One for each contrast; None where its two sides share no seed."""
    amounts: Sequence[Amounts | None]
    """What they are tested on."""
    cells: tuple[Observation, ...]
    unpaired: tuple[str, ...]
    """Seeds whose two cells did not share the labelled subset or the initial weights."""
    left_out: tuple[str, ...]
    """Seeds that ended without a value on one side."""
    expected: Sequence[Prediction | None]
    """The effect that the paper's numbers let us expect, for each comparison of which it gives both."""
    verdict: Verdict = NO_VERDICT
    undone_by: int | None = None
    """How many single seeds would each undo the verdict, were they left out; None where nothing is decided."""
    seeds_of_family: int = 0
    """Of how many."""
    settled_at: int | None = None
    """The seeds of the look at which the verdict fell, where that was not the last one."""

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
        """What each comparison sets against what."""
        return [contrast.pair for contrast in self.contrasts]

    @property
    def found(self) -> Sequence[Found | None]:
        """What the test says of each comparison; None where nothing was tested."""
        return self.verdict.comparisons or [None] * len(self.contrasts)

    @cached_property
    def position(self) -> int | None:
        """Of the comparison that the claim hangs on; of equal ones (to the test) that of the smallest effect.

        It cannot where all lie on one side of a number in all seeds, or where there are too few seeds for it.
        None where nothing was compared.
        """
        hung = self.verdict.weakest
        hardest = None if hung is None else self.found[hung]
        alike = [
            (self.kind.hypothesis.slack(effect), place)
            for place, (effect, found) in enumerate(zip(self.effects, self.found, strict=True))
            if effect is not None and (hardest is None or found == hardest)
        ]
        return min(alike)[1] if alike else None

    @property
    def weakest(self) -> tuple[Pair, Comparison] | None:
        """What is compared at `position`, and its effect."""
        effect = None if self.position is None else self.effects[self.position]
        return None if self.position is None or effect is None else (self.pairs[self.position], effect)

    @property
    def is_fragile(self) -> bool:
        """Whether a single seed that is left out undoes the verdict."""
        return bool(self.undone_by)

    @property
    def text(self) -> str:
        """The verdict with its reason, whether it is fragile, and how many of its seeds ended badly."""
        word, reason = self.verdict.verdict, self.verdict.reason
        text = f"{word}: {reason}" if reason else word
        if self.is_fragile:
            text = f"{word}, fragile: undone by {self.undone_by} of {self.seeds_of_family} seeds"
        if self.settled_at is not None:
            text = f"{text}, settled at the look with {quantity(self.settled_at, 'seed')}"
        seeds = {cell.seed for cell in self.cells}
        broken = {cell.seed for cell in self.cells if cell.status in BROKEN}
        return f"{text}; collapsed or diverged in {len(broken)} of {len(seeds)} seeds" if broken else text


def compare(
    declaration: ClaimDeclaration, table: TableDeclaration, axes: Axes, places: Places, comparable: bool
) -> Claim:
    """A claim with all its comparisons, without a verdict: that depends on the other claims of its family.

    comparable: the numbers are of the paper's own scale, and can be set beside its own.
    """
    kind = kind_of(declaration, table)
    contrasts = kind.contrasts(axes, places)
    effects = [_effect(kind, one) if one.seeds else None for one in contrasts]
    amounts = [kind.amounts(one) if one.seeds else None for one in contrasts]
    cells = {cell.id: cell for one in contrasts for cell in one.cells()}
    unpaired = dict.fromkeys(problem for one in contrasts for problem in one.unpaired())
    left_out = dict.fromkeys(seed for one in contrasts for seed in one.left_out())
    expected = [kind.expected(one) if comparable else None for one in contrasts]
    return Claim(
        kind, contrasts, effects, amounts, tuple(cells.values()), tuple(unpaired), tuple(left_out), expected
    )


def _effect(kind: ClaimKind, contrast: Contrast) -> Comparison:
    first, second = contrast.signed
    return kind.hypothesis.compare(list(first.values()), list(second.values()))


def said(claim: Claim, verdict: Verdict) -> Verdict:
    """A claim all of whose seeds diverged was run, although nothing is left to compare."""
    if verdict.verdict == NOT_RUN and claim.left_out:
        return replace(verdict, verdict=UNDECIDED, reason=NO_VALUE)
    return verdict
