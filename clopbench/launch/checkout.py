"""Which code ran: the git commit of the suite's folder."""

import subprocess
from pathlib import Path
from typing import Any


def source_state(root: Path) -> dict[str, Any]:
    """Commit and dirty (tracked files differ from it); both None outside a git checkout."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    # Regenerated documents and records are outputs of a run, not the code that made it.
    outputs = [":!RESULTS.md", ":!tables/*/*", ":!tables/summary.md", ":!results"]
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *outputs)
    return {"commit": commit, "dirty": bool(changes)}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
