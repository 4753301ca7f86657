"""Where the report's files lie: RESULTS.md, and beside each table's declaration a folder of what is made of it.

Paths are relative to the suite, or to wherever the report is written, with '/' between their parts.
"""

from pathlib import PurePosixPath

TABLES = "tables"
RESULTS = "RESULTS.md"
OWN_WORDS = f"{TABLES}/summary.md"
"""Written by people, like the declarations beside it."""
PAGE, CSV, LATEX = "README.md", "table.csv", "table.tex"
"""In a table's folder: a code host shows the page when one opens the folder."""


def folder(table: str) -> str:
    return f"{TABLES}/{table}"


def page(table: str) -> str:
    """The page on which the table's cells are listed."""
    return f"{folder(table)}/{PAGE}"


def table_of(path: str) -> str | None:
    """The table in whose folder a file lies; None for other files."""
    place = PurePosixPath(path).parent
    return place.name if str(place.parent) == TABLES else None
