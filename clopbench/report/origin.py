"""Whose code a record's numbers come from, in words: the engine's, and that of the suite's folder.

In a record's provenance `engine` is the former; `commit` and `dirty` have always been those of the suite's
folder. Records that are older than `engine` say nothing of it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

SHORT = 7
NOT_RECORDED = "not recorded"


def engine(provenance: Mapping[str, Any], digits: int = SHORT) -> str:
    """'0.1.0 at 1a2b3c4 with uncommitted changes'; outside git '0.1.0 with files of SHA-256 5d6e7f8'."""
    found = provenance.get("engine")
    if not found:
        return NOT_RECORDED
    files = f"files of SHA-256 {str(found.get('sha256'))[:digits]}"
    if found.get("commit") is None:
        changed = ", changed since it was installed" if found.get("dirty") else ""
        return f"{found.get('version')} with {files}{changed}"
    # Uncommitted changes are not all the same: the files tell them apart.
    changed = f" with uncommitted changes, {files}" if found.get("dirty") else ""
    return f"{found.get('version')} at {str(found['commit'])[:digits]}{changed}"


def suite(provenance: Mapping[str, Any], digits: int = SHORT) -> str:
    """'at 1a2b3c4 with uncommitted changes', 'as installed with the engine', or 'in no git checkout'."""
    commit = provenance.get("commit")
    if commit is None:
        if provenance.get("dirty") is None:
            return "in no git checkout"
        return "changed since it was installed" if provenance["dirty"] else "as installed with the engine"
    return f"at {str(commit)[:digits]}{' with uncommitted changes' if provenance.get('dirty') else ''}"


def code(provenances: Iterable[Mapping[str, Any]]) -> str:
    """Both, of some records together."""
    found = list(provenances)
    if not any(one.get("engine") for one in found):
        commits = sorted({str(one.get("commit"))[:SHORT] for one in found})
        note = ", with uncommitted changes" if any(one.get("dirty") for one in found) else ""
        return f"commit {', '.join(commits)}{note}"
    engines, suites = (sorted(set(map(words, found))) for words in (engine, suite))
    return f"engine {' and '.join(engines)}; suite {' and '.join(suites)}"


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Which of the two differs between two records, as 'engine A → B'."""
    pairs = ((name, words(first), words(second)) for name, words in (("engine", engine), ("suite", suite)))
    return [f"{name} {one} → {other}" for name, one, other in pairs if one != other]
