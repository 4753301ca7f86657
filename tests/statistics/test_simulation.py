"""The simulation of verdicts over known truth, with few repetitions: no rate is far from what it must be."""

import subprocess
import sys

import pytest
from checkout import ROOT


@pytest.mark.slow
def test_rates_of_error_and_of_kept_promises():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "verdicts" / "table.py", "--quick"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "BROKEN" not in done.stdout
    assert done.returncode == 0, done.stderr
    assert "Looks" in done.stdout and "Thresholds" in done.stdout
