"""Going through a class folder: hypothesis grows trees with links, hidden names and odd ones."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clopbench.data.walking import Ignored, Walk, shown
from clopbench.errors import UserError

NAMES = st.sampled_from(["a", "b", "c d", ".h", "é", "x\ny", "._a", "__MACOSX", os.fsdecode(b"\xfe")])
FILES = st.tuples(NAMES, st.sampled_from([".png", ".JPG", ".txt", ".xml", ".webp"])).map("".join)
FOLDERS = st.lists(NAMES, max_size=2)
LINKS = st.sampled_from(["..", ".", "../..", "a", "b", "../a", "../b/c d"])
THINGS = st.lists(
    st.one_of(
        st.tuples(st.just("file"), FOLDERS, FILES),
        st.tuples(st.just("link"), FOLDERS, st.tuples(NAMES, LINKS)),
    ),
    max_size=12,
)


def grow(top: Path, things: list) -> None:
    """Files and links to folders; what cannot be made beside what is there already is left out."""
    for kind, folders, what in things:
        folder = top.joinpath(*folders)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                (folder / what).touch()
            elif (folder / what[1]).is_dir():
                (folder / what[0]).symlink_to(what[1])
        except OSError:
            continue


def seen(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not is_hidden(path.name)]


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def reached(top: Path) -> tuple[set[Path], int]:
    """Real paths of the images that names lead to which are not hidden, and the number of texts: a closure over
    real paths, written apart from the code under test.
    """
    done: set[Path] = set()
    waiting = {top.resolve()}
    while waiting:
        done |= waiting
        folders = {(here, path.resolve()) for here in waiting for path in seen(here) if path.is_dir()}
        waiting = {path for here, path in folders if path != here and path not in here.parents} - done
    files = {path for here in done for path in seen(here) if path.is_file()}
    texts = [path for path in files if path.suffix in (".txt", ".xml")]
    return files - set(texts), len(texts)


@settings(max_examples=60)
@given(THINGS)
def test_every_image_that_can_be_reached_is_found_once(tmp_path_factory, things):
    top = tmp_path_factory.mktemp("grown") / "class"
    top.mkdir()
    grow(top, things)
    expected, texts = reached(top)
    ignored = Ignored(top)
    if not expected:
        with pytest.raises(UserError, match=r"class holds no image$"):
            Walk(ignored).images_below(top)
        return
    found = Walk(ignored).images_below(top)
    assert found == sorted(found)
    assert Counter(path.resolve() for path in found) == Counter(expected)
    assert not any(is_hidden(part) for path in found for part in path.relative_to(top).parts)
    assert sum(n for kind, n in ignored.counts.items() if kind.endswith(" files")) == texts
    assert all(line.isprintable() for line in ignored.lines())


@given(st.text(max_size=20))
@settings(max_examples=60)
def test_a_path_is_shown_in_one_printable_line_and_unchanged_where_it_is_one(text):
    line = shown(text)
    assert line.isprintable()
    assert line == text or not text.isprintable()
