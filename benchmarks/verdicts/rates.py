"""Rates with their Monte-Carlo errors, whether they keep their limits, and tables of them in Markdown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

CERTAIN = 3.5
"""Standard errors by which a limit must be missed before it is called broken: a table has hundreds of rates."""


@dataclass(frozen=True)
class Rate:
    """How often something happened. low, high: where the true rate must lie; None where nothing is required."""

    count: float
    total: int
    low: float | None = None
    high: float | None = None

    @property
    def value(self) -> float:
        return self.count / self.total

    @property
    def error(self) -> float:
        """Standard error of the simulation; of a rate of 0 or 1 that of one with one more or less."""
        likely = min(max(self.value, 1 / self.total), 1 - 1 / self.total)
        return math.sqrt(likely * (1 - likely) / self.total)

    @property
    def broken(self) -> bool:
        """Whether the limit is missed by more than the simulation can be wrong."""
        return any(
            side * (self.value - limit) > CERTAIN * math.sqrt(max(limit * (1 - limit), 1e-4) / self.total)
            for side, limit in ((1, self.high), (-1, self.low))
            if limit is not None
        )

    @property
    def text(self) -> str:
        shown = f"{100 * self.value:.1f}"
        return f"**{shown} broken**" if self.broken else shown


@dataclass(frozen=True)
class Table:
    """Rates in per cent: row → column → rate."""

    title: str
    corner: str
    rows: Mapping[str, Mapping[str, Rate]]

    @property
    def rates(self) -> list[Rate]:
        return [rate for row in self.rows.values() for rate in row.values()]

    @property
    def broken(self) -> list[str]:
        """Where limits are broken, in words."""
        return [
            f"{self.title}: {row}, {column}: {rate.text}"
            for row, columns in self.rows.items()
            for column, rate in columns.items()
            if rate.broken
        ]

    @property
    def markdown(self) -> str:
        columns = list(dict.fromkeys(column for row in self.rows.values() for column in row))
        lines = [
            f"| {self.corner} | {' | '.join(columns)} |",
            f"| --- |{' --- |' * len(columns)}",
            *(
                f"| {name} | {' | '.join(row[column].text if column in row else '–' for column in columns)} |"
                for name, row in self.rows.items()
            ),
        ]
        least, most = (round(100 * pick(rate.error for rate in self.rates), 1) for pick in (min, max))
        errors = f"± {most}" if least == most else f"± {least} to {most}"
        return f"**{self.title}** Per cent; the simulation's standard error is {errors}.\n\n" + "\n".join(lines)
