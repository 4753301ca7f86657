"""The package as text: its modules, and what each of them imports."""

import ast
from pathlib import Path

from checkout import ROOT

PACKAGE = ROOT / "clopbench"


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """Dotted names that a file imports; names imported from clopbench itself count as its modules."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "clopbench":
                found |= {f"clopbench.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]
