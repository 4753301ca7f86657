"""Declarations that are wrong: each fault is one line with file, line, field and rule."""

import pytest
from checkout import suite_of
from wrong_declarations import BENCHMARK, CASES, DEFAULTS, SCALE, TABLE, spoil

from clopbench.errors import UserError
from clopbench.suite.suite import Suite


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_each_fault_is_one_line(tmp_path, file, old, new, expected):
    root = suite_of(tmp_path / "suite", "table7").root
    spoil(root, file, old, new)
    with pytest.raises(UserError) as refused:
        Suite(root).benchmark("table7")
    problems = refused.value.problems
    assert len(problems) == len(expected), problems
    for part in expected:
        assert any(part in problem for problem in problems), (part, problems)
    for problem in problems:
        assert problem.startswith((BENCHMARK, TABLE, SCALE))
        assert problem.isprintable()
        # Hydra's and OmegaConf's own words.
        assert not any(word in problem for word in ("+scale", "full_key", "Exception", "Omega", "MISSING"))


def test_a_loop_through_other_files(tmp_path):
    root = suite_of(tmp_path / "suite", "table7").root
    (root / "benchmarks" / "base").mkdir()
    for name, other in (("one", "two"), ("two", "/base/one")):
        (root / "benchmarks" / "base" / f"{name}.yaml").write_text(f"defaults: [{other}]\n")
    spoil(root, BENCHMARK, DEFAULTS, "defaults: [{scale: laptop}, base/one, _self_]\n")
    with pytest.raises(UserError) as refused:
        Suite(root).benchmark("table7")
    assert (
        str(refused.value)
        == "benchmarks/base/two.yaml:1: defaults: a loop: table7 → base/one → base/two → base/one"
    )
