"""Which suite a command is about: the one that was named, the nearest, or the one of the package."""

import os
from dataclasses import dataclass
from pathlib import Path

from clopbench.errors import UserError, visible

VARIABLE = "BENCH_SUITE"
METHODS = "BENCH_METHODS_DIR"
FOLDER = "_suite"
"""Of the package, in a wheel: what a checkout has beside the package (hatch_build.py)."""
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Found:
    """A suite's folder, and in words why it is this one: empty for the nearest."""

    root: Path
    why: str = ""

    @property
    def line(self) -> str | None:
        """What is said of a suite that one may not expect."""
        return f"suite: {visible(str(self.root))} ({self.why})" if self.why else None


def find(given: Path | None = None) -> Found:
    """--suite, else $BENCH_SUITE, else the nearest parent that is a suite, else the installed one.

    Raises UserError where there is none. A folder that is named is not looked at here.
    """
    near = nearest()
    if given is not None:
        return _named(given, "--suite", near)
    if os.environ.get(VARIABLE):
        return _named(Path(os.environ[VARIABLE]), f"${VARIABLE}", near)
    if near is not None:
        return Found(near)
    if (found := installed()) is not None:
        return Found(found, "the installed one")
    raise UserError(f"no suite found: run inside a checkout, or give --suite DIR or ${VARIABLE}")


def methods_dirs() -> list[Path]:
    """The folders that $BENCH_METHODS_DIR names, as in $PATH. Raises UserError for one that is not there."""
    folders = [Path(name).expanduser() for name in os.environ.get(METHODS, "").split(os.pathsep) if name]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"${METHODS}: no folder {folder}")
    return folders


def nearest() -> Path | None:
    """The folder where one stands, or the nearest above it, that is a suite."""
    here = Path.cwd().resolve()
    return next((folder for folder in (here, *here.parents) if _is_suite(folder)), None)


def installed() -> Path | None:
    """The suite that came with this package: in it, or of a checkout beside it."""
    return next((folder for folder in (PACKAGE / FOLDER, PACKAGE.parent) if _is_suite(folder)), None)


def is_part_of_package(root: Path) -> bool:
    """Whether a suite is the wheel's own, where nothing is written."""
    return root.resolve() == PACKAGE / FOLDER


def _named(folder: Path, why: str, near: Path | None) -> Found:
    root = folder.resolve()
    return Found(root, "" if root == near else why)


def _is_suite(folder: Path) -> bool:
    return (folder / "benchmarks").is_dir() and (folder / "methods").is_dir()
