"""Prepared data sets that were damaged: one line each, nothing blocks, and the others are as they were."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagetree import CLASSES, draw, plain

from clopbench.data import sources, store
from clopbench.data.dataset import Meta
from clopbench.data.prepare import prepare
from clopbench.errors import UserError


@pytest.fixture(autouse=True)
def _nothing_blocks() -> Iterator[None]:
    def wake(_number, _frame):
        raise TimeoutError("something blocks")

    before = signal.signal(signal.SIGALRM, wake)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder of the data set `mine`, beside which `yours` is sound."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    for name in ("mine", "yours"):
        prepare(name, plain(tmp_path / "tree"))
    return store.root() / "mine"


def changed(**fields: object) -> Callable[[Path], object]:
    """meta.json with other fields; ... takes one away."""

    def change(path: Path) -> None:
        content = json.loads(path.read_text()) | fields
        path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))

    return change


def moved(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


DESCRIPTIONS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_text(""),
    "not UTF-8": lambda path: path.write_bytes(b'{"name": "\xff"}'),
    "no mapping": lambda path: path.write_text("[1, 2]"),
    "nothing": lambda path: path.write_text("null"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "5,000 digits": lambda path: path.write_text('{"format": ' + "9" * 5000 + "}"),
    "a FIFO": moved(os.mkfifo),
    "a folder": moved(lambda path: path.mkdir()),
    "a link to itself": moved(lambda path: path.symlink_to(path.name)),
    "another format": changed(format=2),
    "no format": changed(format=None),
    "a field too many": changed(colour="red"),
    "a field too few": changed(source=...),
    "no counts": changed(counts=None),
    "counts of one split": changed(counts={"train": [4, 4, 4]}),
    "counts of two classes": changed(counts={"train": [4, 4], "test": [2, 2]}),
    "negative counts": changed(counts={"train": [4, 4, -4], "test": [2, 2, 2]}),
    "counts that are texts": changed(counts={"train": ["4"] * 3, "test": ["2"] * 3}),
    "classes without names": changed(class_names=[1, 2, 3]),
    "no classes": changed(class_names=[], counts={"train": [], "test": []}),
    "a shape of two": changed(shape=[8, 8]),
    "a version that is a text": changed(version="one"),
    "a mean that is a text": changed(mean="0.5"),
    "unlabelled true": changed(unlabelled=True),
    "labels of another kind": changed(labels="words"),
    "a folder that is a number": changed(folder=5),
}


@pytest.mark.parametrize("damage", DESCRIPTIONS)
def test_a_damaged_description_is_one_line(bench, folder, damage):
    DESCRIPTIONS[damage](folder / "meta.json")
    rows = {row["name"]: row for row in json.loads(bench("data", "list", "--json").out)}
    assert (rows["mine"]["state"], rows["yours"]["state"]) == ("damaged", "packed")
    assert rows["mine"]["summary"].startswith(f"{folder / 'meta.json'}: ")
    done = bench("data", "verify")
    assert done.code == 1
    assert sorted(line[:9] for line in done.out.splitlines()) == ["BAD mine:", "ok  yours"]
    refused = bench("plan", "table7", "data.name=mine", "--results", folder.parent / "results")
    assert refused.code == 2
    assert refused.err.splitlines() == [f"error: data.name: {rows['mine']['summary']}"]


@settings(max_examples=100)
@given(st.dictionaries(
    st.sampled_from(list(Meta.__dataclass_fields__)),
    st.recursive(
        st.none() | st.booleans() | st.integers(-1, 3) | st.floats() | st.text(max_size=2),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["train", "test"]), inner),
        max_leaves=6,
    ),
    min_size=1,
))  # fmt: skip
def test_a_description_with_any_content_is_read_or_refused(tmp_path_factory, fields):
    """And what is read can be described."""
    right = Meta(1, "any", 1, "f", [3, 8, 8], ["a"], {"train": [1], "test": [1]}, None, None, "somewhere")
    root = tmp_path_factory.getbasetemp() / "any-description"
    (root / "any").mkdir(parents=True, exist_ok=True)
    (root / "any" / "meta.json").write_text(json.dumps(vars(right) | fields))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BENCH_DATA", str(root))
        try:
            meta = store.read_meta("any")
        except UserError as error:
            line = str(error)
        else:
            assert isinstance(meta, Meta)
            line = sources.source("any").summary.replace(meta.source, "")
    assert line.isprintable()


ARRAYS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "gone": lambda path: path.unlink(),
    "a FIFO": moved(os.mkfifo),
    "a folder": moved(lambda path: path.mkdir()),
    "a header that claims a terabyte": lambda path: path.write_bytes(
        path.read_bytes().replace(b"(12, 3, 8, 8)", b"(9**9,3,8,8)").replace(b"(9**9,", b"(999999999,")
    ),
    "junk": lambda path: path.write_bytes(b"\x93NUMPY\x01\x00" + b"\xff" * 99),
}


@pytest.mark.parametrize("damage", ARRAYS)
def test_damaged_pixels_are_refused(bench, folder, damage):
    path = folder / "train_images.npy"
    ARRAYS[damage](path)
    with pytest.raises(UserError, match=r"data/mine: (is damaged|pixels or labels are not those)"):
        sources.load("mine")
    done = bench("data", "verify")
    assert done.code == 1
    assert sorted(line[:9] for line in done.out.splitlines()) == ["BAD mine:", "ok  yours"]


def test_a_tree_that_was_decoded_from_and_is_gone_or_changed_is_named(bench, folder, tmp_path):
    tree = tmp_path / "tree"
    prepare("theirs", tree, limit_gib=1e-9)
    draw(tree / "test" / CLASSES[0] / "more.png", 0, 0)
    with pytest.raises(UserError, match=r"/tree: has other test images than when theirs was prepared from it$"):
        sources.load("theirs")
    assert bench("data", "verify", "theirs").code == 1
    tree.rename(tmp_path / "gone")
    with pytest.raises(UserError, match=r"tree has no train/<class>/\* \(there is no such folder\)$"):
        sources.load("theirs")
    done = bench("data", "verify")
    assert [line[:12] for line in done.out.splitlines()] == ["ok  mine: SH", "BAD theirs: ", "ok  yours: S"]
