"""The document on data sets: what it says of files is what the code does."""

import re

import pytest
from checkout import ROOT

from clopbench.data import walking
from clopbench.data.prepare import LIMIT_GIB
from clopbench.data.sources import SOURCES

TEXT = (ROOT / "docs" / "data.md").read_text()


@pytest.mark.parametrize(
    ("before", "suffixes"),
    [("texts and notes beside images: ", walking.BESIDE), ("images end in\n", walking.SUFFIXES)],
)
def test_suffixes_are_those_of_the_code(before, suffixes):
    (listed,) = re.findall(rf"{before}`([^`]*)`", TEXT)
    assert set(listed.split()) == suffixes


def test_numbers_and_leftovers_are_those_of_the_code():
    stl10 = SOURCES["stl10"]
    assert stl10.layout is not None
    assert (
        f"{stl10.layout[0]:,} + {stl10.layout[1]:,} images with labels and {stl10.unlabelled:,} without" in TEXT
    )
    assert f"`--limit`, {LIMIT_GIB:g} GiB" in TEXT
    assert all(f"`{name}/`" in TEXT for name in walking.LEFTOVERS)
