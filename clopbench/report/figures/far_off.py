"""Rows that lie so far off that an axis with them would flatten all others: their values are said in words."""

from collections.abc import Sequence

Span = tuple[float, float]
"""From the smallest to the largest that is drawn of a row."""
FLAT = 0.4
"""The others are flattened where they would have less than this share of the axis."""


def far_off(spans: Sequence[Span]) -> set[int]:
    """Positions of the rows that are far off; none where they are more than half, or fewer than two would stay.

    They lie apart from all others, at one end. Of several choices that which leaves out the fewest.
    """
    order = sorted(range(len(spans)), key=lambda place: sum(spans[place]))
    everything = _width([spans[place] for place in order])
    for amount in range(1, min(len(order) // 2, len(order) - 2) + 1):
        for off, kept in ((order[:amount], order[amount:]), (order[-amount:], order[:-amount])):
            rest = [spans[place] for place in kept]
            if _width(rest) < FLAT * everything and not _overlap([spans[p] for p in off], rest):
                return set(off)
    return set()


def _width(spans: Sequence[Span]) -> float:
    return max(high for _, high in spans) - min(low for low, _ in spans) if spans else 0.0


def _overlap(some: Sequence[Span], others: Sequence[Span]) -> bool:
    low, high = min(low for low, _ in others), max(high for _, high in others)
    return any(one[1] >= low and one[0] <= high for one in some)
