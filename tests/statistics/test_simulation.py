"""The simulation of verdicts over known truth, with few repetitions: no rate is far from what it must be."""

import importlib
import subprocess
import sys

import pytest
from checkout import ROOT


def test_a_section_is_written_without_touching_the_others(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "verdicts")
    table = importlib.import_module("table")
    page = f"before\n{table.BEGIN}\nNothing yet.\n{table.END}\nafter\n"
    page = table.with_section(page, "Looks", "first\n\n| a |")
    assert "Nothing yet" not in page
    assert "Not simulated yet: Families of claims, Power, The paper's numbers, Promised seeds, " in page
    page = table.with_section(page, "Power", "**second**")
    for name in table.SECTIONS:
        page = table.with_section(page, name, f"third {name}") if name not in ("Looks", "Power") else page
    assert page.startswith(
        f"before\n{table.BEGIN}\n### Families of claims\n\nthird Families of claims\n\n### Power"
    )
    assert "### Power\n\n**second**\n\n### The paper's numbers\n" in page
    assert "### Looks\n\nfirst\n\n| a |\n\n### Promised seeds\n" in page
    assert page.endswith(f"third Thresholds\n{table.END}\nafter\n")
    assert table.with_section(page, "Power", "**second**") == page


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
