"""suite.yaml of a suite: what it builds on, whose methods, scales and profiles can be used in it."""

from pathlib import Path

from clopbench.errors import UserError
from clopbench.parameters import Fault, Strict, checked
from clopbench.suite import finding, reading

NAME = "suite.yaml"
INSTALLED = "installed"


class Manifest(Strict):
    """suite.yaml. builds_on: 'installed', or a suite's folder, seen from the file; None: nothing."""

    builds_on: str | None = None


def folders(root: Path) -> list[Path]:
    """A suite's folder, and those of the suites that it builds on, the nearest first.

    Raises UserError where a manifest is wrong, names no suite, or leads back.
    """
    found = [root]
    while (base := _base(found[-1])) is not None:
        if base in found:
            raise UserError(f"{found[-1] / NAME}: builds_on: leads back to {base}")
        found.append(base)
    return found


def _base(root: Path) -> Path | None:
    path = root / NAME
    if not path.exists():
        return None
    document = reading.read(path, str(path))
    found, wrong = checked(Manifest, document.content)
    if found is None:
        raise UserError(*map(document.problem, wrong))
    if found.builds_on is None:
        return None
    own = found.builds_on != INSTALLED
    base = (root / found.builds_on).resolve() if own else finding.installed()
    if base is None or not (base / "benchmarks").is_dir():
        rule = f"'{INSTALLED}' or the folder of a suite (got '{found.builds_on}', which has no benchmarks/)"
        raise UserError(document.problem(Fault(("builds_on",), rule)))
    return base
