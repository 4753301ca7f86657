"""A copy of the code and declarations as they are now, for tasks that start hours or days later."""

import compileall
import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from clopbench.errors import UserError
from clopbench.launch.checkout import is_code, package_folder, sha256_of
from clopbench.suite.suite import Suite

SNAPSHOT = "snapshot"
DECLARATIONS = ("benchmarks", "tables")
# Versions that say which software computed; importing the packages would take seconds.
PACKAGES = ("clop-bench", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "submitit")
VARIABLES = ("BENCH_DATA", "BENCH_SUITE", "BENCH_RESULTS", "CONDA_PREFIX", "VIRTUAL_ENV", "LOADEDMODULES")


def method_folders(suite: Suite) -> list[str]:
    """Where a snapshot has the suite's method folders, relative to the submission."""
    return [f"{SNAPSHOT}/methods", *(f"{SNAPSHOT}/methods-{n}" for n in range(1, len(suite.method_folders)))]


def take(folder: Path, suite: Suite, engine: str) -> None:
    """Copy engine, declarations and methods into `folder`/snapshot.

    engine: the SHA-256 that records will give for it. Raises UserError where what was copied is another one.
    """
    _copy(package_folder(), folder / SNAPSHOT / "clopbench")
    for name in DECLARATIONS:
        if (suite.root / name).is_dir():
            _copy(suite.root / name, folder / SNAPSHOT / name)
    for source, target in zip(suite.method_folders, method_folders(suite), strict=True):
        _copy(source, folder / target)
    if sha256_of(folder / SNAPSHOT / "clopbench") != engine:
        raise UserError("the engine's files changed while they were copied for the tasks; submit again")
    # Compiled once here, or each of a thousand tasks would try to write the same files at the same time.
    compileall.compile_dir(folder / SNAPSHOT, quiet=2)


def environment() -> dict[str, Any]:
    """Which software and machine submitted."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": sys.executable,
        "python_version": platform.python_version(),
        "host": socket.gethostname(),
        "versions": versions,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=lambda _, names: [name for name in names if not is_code(name)])
