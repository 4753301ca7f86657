"""A command that is given nothing shows its help as it is; whatever else is wrong is one line."""

import pytest

BARE = {"bench": [], "data": ["data"]}
WRONG = {
    "no such verb": ["nope"],
    "no such option": ["--nope"],
    "no table": ["run"],
    "no value": ["run", "--seeds"],
    "a value of another kind": ["run", "table7", "--workers", "many"],
    "too few": ["run", "table7", "--workers", "0"],
    "no such verb of a family": ["data", "nope"],
    "no such option of a verb": ["plan", "table7", "--nope"],
}


@pytest.mark.parametrize("words", BARE.values(), ids=BARE)
def test_the_help_of_a_bare_command_is_that_of_help(bench, words):
    done, told = bench(*words), bench(*words, "--help")
    assert (done.code, done.out, told.code) == (2, "", 0)
    assert done.err == told.out
    assert done.err.startswith("Usage: bench ")
    assert done.err.count("\n") > 8


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(bench, words):
    done = bench(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert "Usage" not in done.err
