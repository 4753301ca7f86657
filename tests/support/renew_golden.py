"""Rewrites the golden files after a wanted change; then read the diff.

`uv run python tests/support/renew_golden.py`
"""

import tempfile
from pathlib import Path

import golden_sbatch
from checkout import GOLDEN, suite_of
from synthetic import VALUES, arms, records_of

from clopbench.report.document import collect, make_document
from clopbench.slurm import sbatch
from clopbench.slurm.submission import Part

if __name__ == "__main__":
    suite = suite_of(Path(tempfile.mkdtemp()), "table7")
    records = records_of(suite.benchmark("table7"), VALUES)
    for name, text in make_document(suite, collect(suite, {"laptop": arms(records)})).texts.items():
        (GOLDEN / name.replace("/", "_")).write_text(text)
    golden_sbatch.GOLDEN.write_text(
        sbatch.text(golden_sbatch.golden_submission(), Part(1, 500, 500, 8), "afterany:1234")
    )
