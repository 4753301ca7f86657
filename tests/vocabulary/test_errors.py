"""Messages: one line each, whatever they quote."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clopbench.errors import LONGEST_MESSAGE, UserError, in_words, nearest, unknown, visible
from clopbench.parameters import Positive, Strict, as_text, checked, validated


@given(st.text())
def test_visible_text_is_one_line_that_says_the_same(text):
    seen = visible(text)
    assert seen.isprintable()
    assert visible(seen) == seen
    if text.isprintable():
        assert seen == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("red\x1b[31m", r"red\x1b[31m"),
        ("two\r\nlines\t", r"two\r\nlines\t"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udce9 from a file's name", r"\udce9 from a file's name"),
        ("\u2028", r"\u2028"),
        ("ResNet-50 (4×) – ‘CLOP’, 正", "ResNet-50 (4×) – ‘CLOP’, 正"),
    ],
)
def test_what_becomes_visible(text, seen):
    assert visible(text) == seen
    assert UserError(text, "other").problems == (seen, "other")


def test_a_user_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(UserError("one\x1b", unknown("table", "tabel", ["table"]))))
    assert error.problems == (r"one\x1b", "unknown table 'tabel': did you mean 'table'? (available: table)")
    assert str(error) == "\n".join(error.problems)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("GPU", "gpu"),
        ("Learning_Rate", "training.learning_rate"),
        ("training.lerning_rate", "training.learning_rate"),
        ("xyz", None),
    ],
)
def test_what_was_meant(given, meant):
    names = ["gpu", "laptop", "training.learning_rate", "training.weight_decay", "training.epochs"]
    assert nearest(given, names) == meant


def test_of_many_names_those_of_the_section_that_was_meant():
    names = [f"training.part_{k}" for k in range(15)] + [f"method.part_{k}" for k in range(15)]
    assert str(unknown("key", "trainin.part_3", names)).count("training.part_") == 16
    assert "method.part_" not in str(unknown("key", "trainin.part_3", names))
    assert "method.part_14" in str(unknown("key", "what", names))


def test_errors_of_others_in_words():
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert in_words(ValueError("a\nb")) == r"ValueError: a\nb"
    assert in_words(SystemExit()) == "SystemExit"
    assert in_words(Broken()) == "Broken: (its message cannot be read)"
    assert len(in_words(ValueError("x" * 10_000))) < LONGEST_MESSAGE + 10


class Inner(Strict):
    rate: Positive
    steps: int = 1


class Outer(Strict):
    name: str
    inner: Inner
    many: list[Inner] = []


def test_every_fault_is_told_and_a_misspelt_field_once():
    values = {
        "nam": "x",
        "inner": {"rate": -1.0, "step": 2},
        "many": [{"rate": 1.0}, {"rate": "x", "foo": None}],
    }
    found, faults = checked(Outer, values)
    assert found is None
    assert sorted(map(str, faults)) == [
        "inner.rate: input should be greater than 0 (got -1.0)",
        "inner.step: unknown field; did you mean 'steps'? (known: rate, steps)",
        "many.1.foo: unknown field (known: rate, steps)",
        "many.1.rate: input should be a valid number (got 'x')",
        "nam: unknown field; did you mean 'name'? (known: inner, many, name)",
    ]
    with pytest.raises(UserError) as refused:
        validated(Outer, values, "here")
    assert len(refused.value.problems) == 5
    assert all(problem.startswith("here.") for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0.1, "0.1"),
        (10, "10"),
        (1.0, "1"),
        (1e-5, "1e-05"),
        ("x", "x"),
        (True, True),
        (10**400, "1" + "0" * 400),
    ],
)
def test_names_of_points(value, name):
    assert as_text(value) == name
