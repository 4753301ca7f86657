"""What goes into the wheel beside the engine: the suite, as clopbench/_suite/."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SUITE = (
    *("benchmarks/*.yaml", "benchmarks/scale/*.yaml", "methods/*.py", "tables/*.yaml", "tables/summary.md"),
    *("slurm/*.yaml", "results/published/*", "results/published/embeddings/*"),
)
"""Declarations, plug-ins and published records; not what `bench report` makes of them."""


class SuiteHook(BuildHookInterface):
    """Adds the suite's files; an editable installation has them already, in the checkout."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        found = {path for pattern in SUITE for path in root.glob(pattern) if path.is_file()}
        for path in sorted(found):
            name = path.relative_to(root).as_posix()
            build_data["force_include"][str(path)] = f"clopbench/_suite/{name}"
