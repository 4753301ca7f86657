"""Rewrites tests/golden after a wanted change: `uv run python tests/renew_golden.py`, then read the diff."""

import tempfile
from pathlib import Path

from checkout import ROOT, suite_of
from test_report import VALUES, arms, records_of
from test_submit import GOLDEN, golden_submission

from clopbench.report.document import collect, make_document
from clopbench.slurm import sbatch
from clopbench.slurm.submission import Part

if __name__ == "__main__":
    suite = suite_of(Path(tempfile.mkdtemp()), "table7")
    records = records_of(suite.benchmark("table7"), VALUES)
    for name, text in make_document(suite, collect(suite, {"laptop": arms(records)})).texts.items():
        (ROOT / "tests" / "golden" / name.replace("/", "_")).write_text(text)
    GOLDEN.write_text(sbatch.text(golden_submission(), Part(1, 500, 500, 8), "afterany:1234"))
