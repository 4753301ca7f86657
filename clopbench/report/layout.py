"""Where the report's files lie: RESULTS.md, and beside each table's declaration a folder of what is made of it.

Paths are relative to the suite, or to wherever the report is written, with '/' between their parts.
"""

import hashlib
import json
import re
from pathlib import PurePosixPath

TABLES = "tables"
RESULTS = "RESULTS.md"
FRONT = "README.md"
"""Of a suite that has one, with marks between which the answer stands."""
OWN_WORDS = f"{TABLES}/summary.md"
"""Written by people, like the declarations beside it."""
PAGE, CSV, LATEX = "README.md", "table.csv", "table.tex"
"""In a table's folder: a code host shows the page when one opens the folder."""


FRAME = {"cells", "data", "main", "search", "shown", "summary"}
"""Ids of the HTML page's own."""
_PLAIN = re.compile(r"[a-z0-9_.]+")


def anchor(*parts: str) -> str:
    """An id that no other names have, of letters, digits, '_', '.', '-' and '~'."""
    slug = "-".join(parts)
    if all(map(_PLAIN.fullmatch, parts)) and slug not in FRAME:
        return slug
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^a-z0-9_.]+', '-', slug.lower())}~{digest}"


def folder(table: str) -> str:
    return f"{TABLES}/{table}"


def page(table: str) -> str:
    """The page on which the table's cells are listed."""
    return f"{folder(table)}/{PAGE}"


def table_of(path: str) -> str | None:
    """The table in whose folder a file lies; None for other files."""
    place = PurePosixPath(path).parent
    return place.name if str(place.parent) == TABLES else None
