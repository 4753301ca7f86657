"""Looks at claims: noted once, appended whole, read whatever the file holds."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clopbench.errors import UserError
from clopbench.results import looks
from clopbench.results.looks import RecordedLook

TEN = RecordedLook("laptop", (), {"table7/a": frozenset(range(10)), "table7/b": frozenset([0, 1, 2, 7])})
TWENTY = RecordedLook("laptop", (10, 20), {"table7/a": frozenset(range(20))})


def test_written_by_hand(tmp_path):
    assert looks.add(tmp_path / "new", [TEN, TEN, TWENTY]) == 2
    lines = (tmp_path / "new" / looks.NAME).read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "scale": "laptop", "declared": [], "claims": {"table7/a": "0-9", "table7/b": "0-2,7"},
    }  # fmt: skip
    assert looks.read(tmp_path / "new") == ([TEN, TWENTY], [])
    assert looks.add(tmp_path / "new", [TWENTY, TEN]) == 0
    assert TEN.seeds == frozenset(range(10))
    assert TEN.seeds_of("table7/b") == {0, 1, 2, 7}
    assert TEN.seeds_of("not seen then") == frozenset(range(10))


@given(st.dictionaries(st.text(min_size=1), st.frozensets(st.integers(0, 200), min_size=1), min_size=1))
def test_what_is_written_is_read(claims):
    look = RecordedLook("cpu", (5, 10), claims)
    assert looks.from_data(json.loads(json.dumps(look.as_data()))) == look


@pytest.mark.parametrize(
    "line",
    [
        *("{", "[]", "null", "7", '{"scale": "laptop"}', "\x00\x01", "é"),
        *('{"scale": 1, "declared": [], "claims": {"a": "0"}}', '{"scale": "x", "declared": [], "claims": {}}'),
        *(
            f'{{"scale": "x", "declared": {declared}, "claims": {{"a": "0"}}}}'
            for declared in ("[9, 5]", "[5, 5]", "[0]", "5", "null", "[true]", '["5"]')
        ),
        *(
            f'{{"scale": "x", "declared": [], "claims": {claims}}}'
            for claims in ("[]", '{"a": 3}', '{"a": "9-1"}', '{"a": ""}', '{"a": "0-999999999"}', '{"a": "x"}')
        ),
    ],
)
def test_a_line_that_is_no_look_is_damaged_and_spoils_only_itself(tmp_path, line):
    looks.add(tmp_path, [TEN])
    with (tmp_path / looks.NAME).open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    looks.add(tmp_path, [TWENTY])
    found, damages = looks.read(tmp_path)
    assert found == [TEN, TWENTY]
    assert len(damages) == 1
    assert damages[0].startswith(f"damaged: {tmp_path / looks.NAME}: line 2: ")


def test_a_line_that_was_cut_off_does_not_take_the_next_one_with_it(tmp_path):
    looks.add(tmp_path, [TEN])
    path = tmp_path / looks.NAME
    path.write_bytes(path.read_bytes()[:-20])
    assert looks.add(tmp_path, [TWENTY]) == 1
    found, damages = looks.read(tmp_path)
    assert found == [TWENTY]
    assert len(damages) == 1


def test_what_is_no_file_is_said_and_nothing_waits(tmp_path):
    os.mkfifo(tmp_path / looks.NAME)
    assert looks.read(tmp_path) == ([], [f"damaged: {tmp_path / looks.NAME}: a named pipe in place of a file"])
    with pytest.raises(UserError, match="cannot be noted: a named pipe in place of a file"):
        looks.add(tmp_path, [TEN])


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"file/looks\.jsonl: the look at these claims cannot be noted"):
        looks.add(tmp_path / "file", [TEN])


def test_beside_a_published_file_or_in_a_folder(tmp_path):
    assert looks.beside(tmp_path) == tmp_path
    assert looks.beside(tmp_path / "laptop.parquet") == tmp_path
