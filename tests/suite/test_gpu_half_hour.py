"""What benchmarks/gpu asks for exists: its tables compose at its scale, and at the tiny one."""

import importlib

import pytest
from checkout import ROOT


@pytest.mark.parametrize("tiny", [False, True])
def test_tables_of_half_an_hour_are_planned(bench, monkeypatch, tiny, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "gpu")
    paper_tables = importlib.import_module("paper_tables")
    for words in paper_tables.tables(tiny).values():
        words = [word for word in words if word not in ("--device", "cuda", "cpu", "--per-gpu", "4")]
        scale = paper_tables.TINY_SCALE if tiny else paper_tables.SCALE
        done = bench("plan", *words, "--scale", scale, "--results", tmp_path)
        assert done.code == 0, done.err
        assert ("0 done" in done.out) and ("GPU-hours" in done.out) != tiny
