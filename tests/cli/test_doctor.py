"""`bench doctor`: what is well is folded, what is not is shown first of all, and --all shows everything."""

import json
from dataclasses import replace

import pytest
from batches import PLUGINS
from checkout import suite_of

from clopbench.cli import doctor
from clopbench.cli.doctor import MOST_LINES, Finding
from clopbench.launch import taking
from clopbench.suite import trial, tried
from clopbench.suite.suite import Suite
from clopbench.suite.tried import Tried


@pytest.fixture
def own_suite(tmp_path, monkeypatch):
    mine = suite_of(tmp_path / "suite", "table7")
    monkeypatch.setenv("BENCH_SUITE", str(mine.root))
    return mine.root


def test_the_shipped_suite_in_a_few_lines_and_in_full(bench, suite):
    done = bench("doctor")
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) <= 12
    assert f"ok  methods that can be built: {', '.join(PLUGINS.names())}" in lines
    assert f"ok  declarations: {len(suite.table_names())} tables fit their benchmarks at all scales" in lines
    everything = bench("doctor", "--all")
    assert everything.code == 0
    findings = json.loads(bench("doctor", "--json").out)
    assert [f"ok  {one['check']}: {one['text']}" for one in findings] == everything.out.splitlines()
    for name in ("cifar100", "voc2007_boxes"):
        assert sum(one["check"] == f"data {name}" for one in findings) == 1
        assert sum(f" {name}," in f"{line}," for line in lines) == 1


@pytest.mark.parametrize("more", [[], ["--all"]])
def test_what_is_wrong_is_named_and_decides_the_exit_status(bench, own_suite, more):
    """A method that cannot be built, a table with a wrong claim, a data set that is damaged."""
    (own_suite / "methods" / "broken.py").write_text("raise RuntimeError('at import')\n")
    table = own_suite / "tables" / "table7.yaml"
    table.write_text(table.read_text().replace("metric: probe_top1", "metric: probe_top9", 1))
    done = bench("doctor", *more)
    assert done.code == 1
    bad = [line for line in done.out.splitlines() if line.startswith("BAD")]
    assert any(line.startswith("BAD method broken: ") for line in bad)
    assert any(line.startswith("BAD declarations: tables/table7.yaml") for line in bad)


def test_files_that_were_built_well_are_not_built_again_until_they_change(
    bench, own_suite, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    built = []
    rows = trial.rows

    def noting(plugins):
        built.append([plugin.name for plugin in plugins])
        return rows(plugins)

    monkeypatch.setattr(trial, "rows", noting)
    first, again = bench("doctor"), bench("doctor")
    assert (first.code, again.code, first.out) == (0, 0, again.out)
    assert built == [PLUGINS.names()]
    clop = own_suite / "methods" / "clop.py"
    clop.write_text(clop.read_text() + "\n")
    (own_suite / "methods" / "broken.py").write_text("raise RuntimeError('at import')\n")
    for _ in range(2):
        assert "BAD method broken: " in bench("doctor").out
    assert built[1:] == [["broken", "clop"], ["broken"]]
    assert bench("doctor", "--all").code == 1
    assert built[3:] == [sorted([*PLUGINS.names(), "broken"])]
    tried.path().write_bytes(b"\xff\x00 nonsense")
    assert bench("doctor").code == 1
    tried.path().unlink()
    tried.path().mkdir()
    assert bench("doctor").code == 1


def test_another_engine_or_a_file_of_a_package_is_tried_again(own_suite):
    plugin = Suite(own_suite).plugins.get("clop")
    Tried("engine 1").note([plugin])
    assert Tried("engine 1").knows(plugin)
    assert not Tried("engine 2").knows(plugin)
    assert not Tried("engine 1").knows(replace(plugin, module="package.clop"))
    assert not Tried("engine 1").knows(replace(plugin, problem="cannot be read"))


def test_many_problems_leave_room_for_none_to_be_silent(bench, own_suite):
    for number in range(60):
        (own_suite / "tables" / f"t{number:02}.yaml").write_text("title: 1\n")
    done = bench("doctor")
    lines = done.out.splitlines()
    assert (done.code, len(lines)) == (1, MOST_LINES)
    everything = [line for line in bench("doctor", "--all").out.splitlines() if line.startswith("BAD")]
    left = len(everything) - sum(line.startswith("BAD") for line in lines[:-1])
    assert lines[-1] == f"BAD … and {left} more (--all shows them)"


@pytest.mark.parametrize("bad", [0, 1, 14, 15, 16, 200])
def test_never_more_lines_than_said(bad):
    well = [Finding(f"c{n}", True, "x") for n in range(8)] + [
        Finding(f"data d{n}", True, "x", "data", f"d{n}") for n in range(40)
    ]
    wrong = [Finding(f"w{n}", False, "y") for n in range(bad)]
    lines = doctor._folded([*well, *wrong])
    assert len(lines) == min(9 + bad, MOST_LINES)
    shown = sum(line.startswith("BAD w") for line in lines)
    assert shown == bad or lines[-1] == f"BAD … and {bad - shown} more (--all shows them)"


def test_gpus_that_do_not_work_are_bad(bench, monkeypatch, own_suite):
    monkeypatch.setattr(taking, "visible_gpus", lambda: ["0"])
    monkeypatch.setattr(taking, "hides_gpus", lambda: False)
    monkeypatch.setattr(taking, "ask_torch", lambda: {"devices": [], "problem": "RuntimeError: too old"})
    done = bench("doctor")
    assert done.code == 1
    words = "--device auto takes the CPU, as GPU 0 does not work: RuntimeError: too old"
    assert f"BAD device: {words}\n" in done.out
