"""Declarations of table 7 into which something is put at random: refused in lines of their own, never a bug."""

import copy
from typing import Any

import pytest
import yaml
from checkout import ROOT, suite_of
from fuzzing import tried
from hypothesis import given
from hypothesis import strategies as st
from wrong_declarations import BENCHMARK, SCALE, TABLE

from clopbench.errors import UserError
from clopbench.suite import reading
from clopbench.suite.suite import Suite

FILES = (BENCHMARK, SCALE, TABLE)
WRITTEN = {name: dict(reading.read(ROOT / name, name).content) for name in FILES}
FREE = ("axes", "labels", "at", "better", "than", "smaller")
"""Mappings whose keys are names of axes and points: what is put there is another axis or point, not a key."""
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["${x}", "???"])
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
UNKNOWN = st.from_regex(r"zz_[a-z0-9.\[\]=${} é]{0,6}", fullmatch=True)


def mappings(value: Any, path: tuple = ()):
    """All mappings of a declaration that have fields."""
    if isinstance(value, dict):
        if not path or path[-1] not in FREE:
            yield path
        for key, inner in value.items():
            yield from mappings(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from mappings(inner, (*path, place))


PLACES = [(name, path) for name in FILES for path in mappings(WRITTEN[name]) if path[:1] != ("defaults",)]


def problems(files: dict[str, Any], folder) -> tuple[str, ...]:
    """All that is wrong; none where the suite is right. Whatever else is raised is a bug."""
    for name, content in files.items():
        text = (
            content
            if isinstance(content, str)
            else yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        )
        (folder / name).write_text(text, encoding="utf-8")
    try:
        Suite(folder).benchmark("table7")
    except UserError as error:
        return error.problems
    return ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("generated") / "suite", "table7").root


def test_there_are_places_at_every_depth():
    assert {len(path) for _, path in PLACES} >= {0, 1, 2, 3}
    assert len(PLACES) > 20


@tried(15)
@given(data=st.data())
def test_unknown_keys_are_always_refused(folder, data):
    """Keys are put in at any depth of any of the three files: each is named in a line of its own."""
    files = copy.deepcopy(WRITTEN)
    keys = data.draw(st.lists(UNKNOWN, min_size=1, max_size=3, unique=True))
    for key in keys:
        name, path = data.draw(st.sampled_from(PLACES))
        inner = files[name]
        for part in path:
            inner = inner[part]
        inner[key] = data.draw(LEAVES)
    found = problems(files, folder)
    for key in keys:
        assert sum(repr(key)[1:-1] in line for line in found) >= 1, (key, found)
    assert all(line.startswith(FILES) and line.isprintable() for line in found), found


@tried(15)
@given(data=st.data())
def test_values_of_any_kind_make_no_bug(folder, data):
    """A value somewhere in one of the files is replaced by anything: right, or refused in lines."""
    files = copy.deepcopy(WRITTEN)
    name, path = data.draw(st.sampled_from(PLACES))
    inner = files[name]
    for part in path:
        inner = inner[part]
    key = data.draw(st.sampled_from(sorted(inner, key=str)))
    inner[key] = data.draw(ANYTHING)
    found = problems(files, folder)
    assert all(line.startswith(FILES) and line.isprintable() for line in found), found


@tried(20)
@given(data=st.data())
def test_text_of_any_kind_makes_no_bug(folder, data):
    """Bytes are changed, taken out and put in; files that end up right are right."""
    name = data.draw(st.sampled_from(FILES))
    content = bytearray((ROOT / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    for other in FILES:
        (folder / other).write_bytes((ROOT / other).read_bytes())
    (folder / name).write_bytes(content)
    found = problems({}, folder)
    assert all(line.startswith(FILES) and line.isprintable() for line in found), found
