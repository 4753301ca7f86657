"""The package as text: its modules, and what each of them imports."""

import ast
from pathlib import Path

from checkout import ROOT

PACKAGE = ROOT / "clopbench"


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """Dotted names that a file imports: modules of the package, and what else comes from where."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if is_module(inner) else node.module)
    return found


def is_module(name: str) -> bool:
    """Whether a dotted name is a file of the package."""
    return (ROOT / name.replace(".", "/")).with_suffix(".py").exists() and name.startswith("clopbench.")


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]


def dotted(path: Path) -> str:
    """The name under which a file of the package is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
