"""Which code runs: the engine, which is the installed package, and apart from it the suite's folder."""

import base64
import hashlib
import importlib.metadata
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import clopbench
from clopbench.suite import finding

DISTRIBUTION = "clop-bench"
# Regenerated documents and records are outputs of a run, not the code that made it.
OUTPUTS = (":!RESULTS.md", ":!tables/*/*", ":!tables/summary.md", ":!results")
COMPILED = (":(exclude,glob)**/__pycache__/**", ":(exclude)*.pyc")
DECLARED = ("benchmarks", "methods", "slurm", "tables/*.yaml")
"""Where a new file of a suite is read without being asked for, so that it counts before git knows it."""


def source_state(suite: Path) -> dict[str, Any]:
    """All of it, looked up once for a whole run: `commit` and `dirty` of the suite's folder, and `engine`."""
    return {**suite_state(suite), "engine": engine_state(package_folder())}


def suite_state(root: Path) -> dict[str, Any]:
    """Commit and dirty (what people write differs from it); both None where git does not keep the folder.

    Of the suite that came with the engine, dirty says whether its files differ from what was installed.
    """
    found = _git_state(root, (".", *OUTPUTS), (*DECLARED, *OUTPUTS))
    if found["commit"] is None and finding.is_part_of_package(root):
        found["dirty"] = _differs_from_installed(root)
    return found


def engine_state(package: Path) -> dict[str, Any]:
    """version, commit, dirty, and sha256 of a package's files.

    Outside a git checkout commit is None, and dirty says whether files differ from what was installed (None
    where nobody wrote that down).
    """
    found = _git_state(package, (".",), (".",))
    if found["commit"] is None:
        found["dirty"] = _differs_from_installed(package)
    return {"version": clopbench.__version__, **found, "sha256": sha256_of(package)}


def package_folder() -> Path:
    """The folder clopbench/ that this process runs."""
    return Path(clopbench.__file__).resolve().parent


def sha256_of(package: Path) -> str:
    """SHA-256 (hex) over names and contents of a package's files, without what Python compiles by itself."""
    total = hashlib.sha256()
    for name in sorted(path.relative_to(package).as_posix() for path in _files(package)):
        content = (package / name).read_bytes()
        total.update(f"{name}\0{len(content)}\0".encode(errors="surrogateescape") + content)
    return total.hexdigest()


def is_code(name: str) -> bool:
    """False for files and folders that are no part of the engine, whatever lies in them."""
    return (
        name not in ("__pycache__", finding.FOLDER) and not name.startswith(".") and not name.endswith(".pyc")
    )


def _files(package: Path) -> list[Path]:
    found = []
    for folder, inner, names in os.walk(package):
        inner[:] = filter(is_code, inner)
        found += [Path(folder, name) for name in filter(is_code, names)]
    return found


def _differs_from_installed(folder: Path) -> bool | None:
    """Whether files differ from the installer's list of hashes, None where nothing of the folder is on it."""
    try:
        listed = importlib.metadata.files(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    known = {Path(str(path.locate())).resolve(): path.hash for path in listed if path.hash is not None}
    files = _files(folder)
    listed_here = {
        path
        for path in known
        if path.is_relative_to(folder) and all(map(is_code, path.relative_to(folder).parts))
    }
    if not listed_here:  # Another copy than the installed one, or an editable one.
        return None
    return listed_here != set(files) or any(
        _encoded(path, known[path].mode) != known[path].value for path in files
    )


def _encoded(path: Path, mode: str) -> str:
    """A file's hash as installers write it down."""
    return base64.urlsafe_b64encode(hashlib.new(mode, path.read_bytes()).digest()).decode().rstrip("=")


def _git_state(root: Path, tracked: Sequence[str], new: Sequence[str]) -> dict[str, Any]:
    """Commit and dirty of a folder, some of whose files git keeps; both None otherwise.

    tracked, new: the paths whose changes count, and those where a file counts that git does not know.
    """
    # In a checkout of something else, as a virtual environment may be, the commit would say nothing.
    if not _git(root, "ls-files", "--", "."):
        return {"commit": None, "dirty": None}
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changes = [
        _git(root, "status", "--porcelain", "--untracked-files=no", "--", *tracked),
        _git(root, "ls-files", "--others", "--exclude-standard", "--", *new, *COMPILED),
    ]
    return {"commit": commit, "dirty": None if None in changes else any(changes)}


def _git(root: Path, *arguments: str) -> str | None:
    # Within a hook, git's own variables name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
