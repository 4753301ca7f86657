"""What each kind of claim hands on to be tested: sides with a value for each seed, margin, direction."""

import pytest

from clopbench.errors import UserError
from clopbench.parameters import validated
from clopbench.report.claims.kinds import KINDS, kind_of
from clopbench.report.observations import Number, Observation
from clopbench.report.paper_numbers import NumberVerdict
from clopbench.statistics.amounts import steadier
from clopbench.suite.declarations import TableDeclaration

AXES = {"method": ["clop", "supcon"], "rate": ["1", "2", "4"]}
# By method, along the rates: the metric of seed 0 and of seed 1. Below half of the best before it has fallen.
TOP1 = {
    "clop": [(0.90, 0.80), (0.80, 0.84), (0.70, 0.30)],
    "supcon": [(0.85, 0.75), (0.40, 0.35), (0.30, None)],
}


def number(method, rate):
    values = TOP1[method][AXES["rate"].index(rate)]
    cells = tuple(
        Observation(
            f"{method}{rate}{seed}", "arm", seed, "diverged" if value is None else "done", {"top1": value},
            {"subset": "a", "init": f"{method if rate == '4' else ''}"}, {},
        )
        for seed, value in enumerate(values)
    )  # fmt: skip
    return Number({"method": method, "rate": rate}, None, cells, 2, None, NumberVerdict("not run"), "top1")


PLACES = {
    (("method", method), ("rate", rate)): number(method, rate)
    for method in AXES["method"]
    for rate in AXES["rate"]
}
THRESHOLD = {"name": "fall", "text": "where it falls", "axis": "rate", "metric": "top1"}
CLOP, SUPCON = {"method": "clop"}, {"method": "supcon"}
AT_2 = {"rate": "2"}
WHY = {"margin": 0.05, "margin_reason": "a guess"}


def asked(kind, axes=AXES, direction="higher", **fields):
    declared = {
        "title": "Grid", "benchmark": "grid", "rows": "method", "columns": "rate", "metric": "top1",
        "metric_title": "top-1", "direction": direction, "paper": {"source": "s", "setting": "t"},
        "thresholds": [THRESHOLD],
        "claims": [{"name": kind, "text": "x", "paper": "y", "kind": kind} | fields],
    }  # fmt: skip
    table = validated(TableDeclaration, declared, "tables/grid.yaml")
    kind = kind_of(table.claims[0], table)
    return kind, kind.contrasts(axes, PLACES)


BETTER = ({0: 0.80, 1: 0.84}, {0: 0.40, 1: 0.35}, "higher", 0.0)
EXPECTED = {
    "better": ({"better": CLOP | AT_2, "than": SUPCON}, [BETTER]),
    "best": ({"best": CLOP | AT_2, "among": {"method": ["clop", "supcon"]}}, [BETTER]),
    "each_beats": ({"each": CLOP | AT_2, "than": SUPCON}, [BETTER]),
    "spread": ({"smaller": CLOP | AT_2, "than": SUPCON}, [BETTER]),
    "at_least_as_good": ({"candidate": CLOP | AT_2, "than": SUPCON} | WHY, [(*BETTER[:3], 0.05)]),
    "equivalent": ({"among": {"method": ["clop", "supcon"]} | AT_2} | WHY, [(*BETTER[:3], 0.05)]),
    # CLOP ranges over 0.90 − 0.70 and 0.84 − 0.30; SupCon over 0.85 − 0.30, and in seed 1 it lacks a point.
    "less_sensitive": (
        {"less": CLOP, "than": SUPCON, "to": "rate"},
        [({0: 0.20, 1: 0.54}, {0: 0.55}, "lower", 0.0)],
    ),
    # Points before the fall: CLOP falls at the third in seed 1 and else nowhere, SupCon at the second.
    "higher_threshold": (
        {"candidate": CLOP, "than": SUPCON, "threshold": "fall"},
        [({0: 3, 1: 2}, {0: 1, 1: 1}, "higher", 0.0)],
    ),
    "near": (
        {"at": CLOP | AT_2, "value": 0.81} | WHY,
        [({0: 0.80, 1: 0.84}, {0: 0.81, 1: 0.81}, "higher", 0.05)],
    ),
    "at_most": (
        {"at": {"method": ["clop", "supcon"]} | AT_2, "limit": 0.5, "limit_reason": "a budget"},
        [
            ({0: 0.80, 1: 0.84}, {0: 0.5, 1: 0.5}, "lower", 0.0),
            ({0: 0.40, 1: 0.35}, {0: 0.5, 1: 0.5}, "lower", 0.0),
        ],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_comparisons_as_data(name):
    fields, expected = EXPECTED[name]
    kind, found = asked(name, **fields)
    assert len(found) == len(expected)
    for contrast, (first, second, direction, margin) in zip(found, expected, strict=True):
        assert contrast.first == pytest.approx(first)
        assert contrast.second == pytest.approx(second)
        assert (contrast.direction, contrast.margin) == (direction, margin)
        sign = 1 if direction == "higher" else -1
        shared = sorted(first.keys() & second.keys())
        assert contrast.seeds == shared
        assert contrast.signed[0] == pytest.approx({seed: sign * first[seed] for seed in shared})
        assert contrast.signed[1] == pytest.approx({seed: sign * second[seed] for seed in shared})
        assert kind.amounts(contrast).n == len(shared)


# The differences of CLOP and SupCon at rate 2 are 0.40 and 0.49, and what the margin of 0.05 makes of them.
AMOUNTS = {
    "better": [{0: 0.40, 1: 0.49}],
    "best": [{0: 0.40, 1: 0.49}],
    "each_beats": [{0: 0.40, 1: 0.49}],
    "at_least_as_good": [{0: 0.45, 1: 0.54}],
    "equivalent": [{0: 0.45, 1: 0.54}, {0: -0.35, 1: -0.44}],
    # SupCon's range minus CLOP's, in the one seed that has both.
    "less_sensitive": [{0: 0.35}],
    "higher_threshold": [{0: 1, 1: 1}],
    # Of numbers only the side counts: 0.80 and 0.84 lie above 0.76 and below 0.86.
    "near": [{0: 1, 1: 1}, {0: 1, 1: 1}],
    "at_most": [{0: -1, 1: -1}],
}


@pytest.mark.parametrize("name", AMOUNTS)
def test_amounts_that_are_tested(name):
    """Positive speaks for the claim; two bounds where the difference must lie within a margin."""
    kind, [contrast, *_] = asked(name, **EXPECTED[name][0])
    found = kind.amounts(contrast)
    assert [bound.tolist() for bound in found.bounds] == [
        pytest.approx(list(bound.values()) if isinstance(bound, dict) else list(bound))
        for bound in AMOUNTS[name]
    ]
    assert not found.deterministic
    kind, [contrast, *_] = asked(name, deterministic=True, **EXPECTED[name][0])
    assert kind.amounts(contrast).deterministic


def test_spread_is_tested_on_distances_from_the_middle():
    kind, [contrast] = asked("spread", **EXPECTED["spread"][0])
    first, second = EXPECTED["spread"][1][0][:2]
    assert kind.amounts(contrast) == steadier(first, second)
    with pytest.raises(UserError, match="a measurement without noise has no spread to compare"):
        asked("spread", deterministic=True, **EXPECTED["spread"][0])


def test_every_kind_is_asked():
    assert {type(asked(name, **fields)[0]) for name, (fields, _) in EXPECTED.items()} == set(KINDS.values())


def test_where_less_is_better_the_second_side_may_be_larger():
    _, [contrast] = asked("better", direction="lower", better=CLOP | AT_2, than=SUPCON)
    assert contrast.signed == ({0: -0.80, 1: -0.84}, {0: -0.40, 1: -0.35})
    assert contrast.direction == "lower"


def test_what_a_reader_must_know_of_the_cells():
    _, [contrast] = asked("better", better=CLOP | {"rate": "4"}, than=SUPCON)
    assert contrast.seeds == [0]
    assert [cell.id for cell in contrast.cells()] == ["clop40", "supcon40"]
    assert list(contrast.unpaired()) == ["seed 0: initial weights differ"]
    assert list(contrast.left_out()) == ["seed 1 diverged (supcon, 4)"]


def test_one_point_has_no_range():
    """A run restricted to one point of the axis says nothing on what changes along it."""
    fields, _ = EXPECTED["less_sensitive"]
    _, [contrast] = asked("less_sensitive", AXES | {"rate": ["2"]}, **fields)
    assert contrast.seeds == []
    _, [contrast] = asked("less_sensitive", AXES | {"rate": ["1", "2"]}, **fields)
    assert contrast.first == pytest.approx({0: 0.10, 1: 0.04})
