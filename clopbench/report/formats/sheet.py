"""Texts in rows and columns, before they become Markdown, LaTeX, HTML or a table in the terminal."""

from collections.abc import Callable
from dataclasses import dataclass, field

from clopbench.suite.declarations import Coordinates


@dataclass(frozen=True)
class Sheet:
    """Texts in rows and columns under a heading; `links` says which entries stand for which point."""

    title: str
    head: list[str]
    body: list[list[str]]
    links: dict[tuple[int, int], Coordinates] = field(default_factory=dict)

    def linked(self, link: Callable[[str, Coordinates], str]) -> list[list[str]]:
        """The body with `link(text, point)` in place of the entries that stand for a point."""
        return [
            [
                link(text, self.links[row, column]) if (row, column) in self.links else text
                for column, text in enumerate(line)
            ]
            for row, line in enumerate(self.body)
        ]
