"""What `--seeds` understands: a count, ranges, lists, and lists of ranges."""

import pytest

from clopbench.errors import UserError
from clopbench.results.plan import parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [0, 1, 2]),
        ("2-4", [2, 3, 4]),
        ("2..4", [2, 3, 4]),
        ("7,3", [7, 3]),
        ("0-2,7", [0, 1, 2, 7]),
        ("7,0..2", [7, 0, 1, 2]),
    ],
)
def test_seeds_that_are_meant(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "4-2", "0-2,2", "1,,2", "a..b", "0-1-2", "0...2", "0-99999999999,5"]
)
def test_others_are_refused_in_one_line(text):
    with pytest.raises(UserError) as error:
        parse_seeds(text)
    [line] = error.value.problems
    assert line.startswith("--seeds: ")
