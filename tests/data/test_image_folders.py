"""Image folders as they are distributed and as they lie about: what is used, ignored and refused."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torchvision
from checkout import pixels_of
from imagetree import (
    CLASSES,
    draw,
    imagenet,
    link,
    plain,
    tiny_imagenet,
    with_unlabelled,
)

from clopbench.data import imagefolder, store
from clopbench.data.prepare import prepare
from clopbench.errors import UserError

FIRST = CLASSES[0]


@pytest.fixture(autouse=True)
def _data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def _nothing_blocks() -> Iterator[None]:
    """Whoever opens a FIFO waits for ever: here for ten seconds."""

    def wake(_number, _frame):
        raise TimeoutError("something blocks")

    before = signal.signal(signal.SIGALRM, wake)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# --- layouts


def sorted_validation(root: Path) -> Path:
    """Tiny ImageNet after the script that everybody uses; the list and an empty folder stay behind."""
    tiny_imagenet(root)
    for line in (root / "val" / "val_annotations.txt").read_text().splitlines():
        name, kind = line.split("\t")[:2]
        (root / "val" / kind / "images").mkdir(parents=True, exist_ok=True)
        (root / "val" / "images" / name).rename(root / "val" / kind / "images" / name)
    return root


def two_test_splits(root: Path) -> Path:
    plain(root)
    shutil.copytree(root / "test", root / "val")
    return root


def ignored(out: str) -> set[str]:
    start = "  ignored: "
    return {line.removeprefix(start) for line in out.splitlines() if line.startswith(start)}


LAYOUTS: dict[Callable[[Path], Path], list[str]] = {
    plain: [],
    with_unlabelled: [],
    imagenet: ["files of test/, as val/ is the test split (5, such as test/ILSVRC2012_test_00000020.JPEG)"],
    tiny_imagenet: [
        "files of test/, as val/ is the test split (5, such as test/images/test_20.JPEG)",
        ".txt files (3, such as train/n01443537/n01443537_boxes.txt)",
        "files or folders beside the splits (2, such as wnids.txt)",
    ],
    sorted_validation: [
        "files of test/, as val/ is the test split (5, such as test/images/test_20.JPEG)",
        "files outside of class folders (1, such as val/val_annotations.txt)",
        "empty folders (1, such as val/images)",
        ".txt files (3, such as train/n01443537/n01443537_boxes.txt)",
        "files or folders beside the splits (2, such as wnids.txt)",
    ],
    two_test_splits: ["files of val/, as test/ is the test split (6, such as val/n01443537/val_10.JPEG)"],
}


@pytest.mark.parametrize("limit", [16.0, 1e-9], ids=["packed", "decoded"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_layouts_give_each_image_its_class_and_say_what_they_leave_out(bench, tmp_path, layout, limit):
    """The same images in every layout; classes and order are those of torchvision's reading of a plain one."""
    peer = {
        split: torchvision.datasets.ImageFolder(str(plain(tmp_path / "plain") / split))
        for split in ("train", "test")
    }
    tree = layout(tmp_path / "tree")
    done = bench("data", "prepare", "mine", "--from", tree, "--limit", limit)
    assert done.code == 0, done.err
    assert ignored(done.out) == set(LAYOUTS[layout])
    data = pixels_of("mine")
    for split, ours in (("train", data.train), ("test", data.test)):
        assert ours.labels.tolist() == peer[split].targets
        images = ours.images if limit > 1 else [ours[i][0] for i in range(len(ours.labels))]  # pyright: ignore[reportIndexIssue]
        expected = [np.asarray(image).transpose(2, 0, 1) for image, _ in peer[split]]
        np.testing.assert_array_equal(np.stack(list(images)), np.stack(expected))
    assert (data.unlabelled is not None) == (layout is with_unlabelled)
    assert bench("data", "verify").code == 0


def edited(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Tiny ImageNet whose list of validation images was changed, line by line."""

    def edit(root: Path) -> None:
        listing = root / "val" / "val_annotations.txt"
        listing.write_text("".join(change(listing.read_text().splitlines(keepends=True))))

    return edit


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[1:], r"val/images/val_100\.JPEG: is not in val_annotations\.txt"),
        (lambda lines: [*lines, lines[0]], r"line 7: val_100\.JPEG is not in images/, or listed twice$"),
        (lambda lines: [*lines, "gone.JPEG\tn01443537\n"], r"line 7: gone\.JPEG is not in images/"),
        (lambda lines: [lines[0].replace("n01443537", "n9"), *lines[1:]], "line 1: class 'n9' is none of the"),
        (lambda lines: [*lines[:2], "\n", *lines[2:]], "line 3: class '' is none of the"),
        (lambda lines: [line.replace("\t", " ") for line in lines], "line 1: class '' is none of the"),
        (lambda lines: [line.replace(CLASSES[2], FIRST) for line in lines], f"no image of class {CLASSES[2]}$"),
    ],
)  # fmt: skip
def test_a_list_of_validation_images_names_each_of_them_once(tmp_path, change, words):
    tree = tiny_imagenet(tmp_path / "tree")
    edited(change)(tree)
    with pytest.raises(UserError, match=words) as caught:
        imagefolder.scan(tree)
    assert "\n" not in str(caught.value)


# --- what is ignored, and counted


def hidden(root: Path) -> None:
    folder = root / "train" / FIRST
    for name in (".ipynb_checkpoints/0-checkpoint.png", "deep/.cache/1.png", "._x.png", "__MACOSX/x.png"):
        draw(folder / name, 5, 0)
    (folder / ".DS_Store").write_bytes(b"\0")
    link(folder / ".#0.png", "user@host.1234:56")  # An editor's lock: a link to nothing.
    os.mkfifo(folder / ".pipe")
    draw(root / "train" / ".hidden_class" / "0.png", 5, 0)
    draw(root / "test" / FIRST / "@eaDir" / "SYNOPHOTO_THUMB_M.jpg", 5, 0)


def texts(root: Path) -> None:
    for name in ("boxes.txt", "Thumbs.db", "desktop.ini", "meta.JSON", "notes.txt"):
        (root / "train" / FIRST / name).write_text("x")


def up(root: Path) -> None:
    link(root / "train" / FIRST / "up", "..")
    link(root / "train" / FIRST / "here", ".")
    link(root / "test" / FIRST / "root", root)
    link(root / "test" / FIRST / "top", "/")


def outside(root: Path) -> None:
    draw(root / "train" / "stray.png", 5, 0)
    (root / "test" / "README").write_text("x")


def twice(root: Path) -> None:
    draw(root / "pool" / "more.png", 5, 0)
    link(root / "train" / FIRST / "a", root / "pool")
    link(root / "train" / FIRST / "b", root / "pool")
    shutil.rmtree(root / "test" / FIRST)
    link(root / "test" / FIRST, root / "pool")


IGNORED: dict[Callable[[Path], None], tuple[int, set[str]]] = {
    hidden: (18, {"hidden files or folders (9, such as train/.hidden_class)"}),
    texts: (18, {
        f".txt files (2, such as train/{FIRST}/boxes.txt)", f".db files (1, such as train/{FIRST}/Thumbs.db)",
        f".ini files (1, such as train/{FIRST}/desktop.ini)",
        f".json files (1, such as train/{FIRST}/meta.JSON)",
    }),
    up: (18, {f"links to folders that were there already (4, such as train/{FIRST}/here)"}),
    outside: (18, {"files outside of class folders (2, such as train/stray.png)"}),
    twice: (18 + 1 - 2 + 1, {
        f"links to folders that were there already (1, such as train/{FIRST}/b)",
        "files or folders beside the splits (1, such as pool)",
    }),
}  # fmt: skip
"""How to change the plain tree of 18 images → how many are used then, and what is said."""


@pytest.mark.parametrize("change", IGNORED, ids=lambda change: change.__name__)
def test_what_is_ignored_is_counted(bench, tmp_path, change):
    tree = plain(tmp_path / "tree")
    change(tree)
    done = bench("data", "prepare", "mine", "--from", tree)
    assert done.code == 0, done.err
    used, lines = IGNORED[change]
    assert ignored(done.out) == lines
    meta = store.read_meta("mine")
    assert meta is not None
    assert sum(map(sum, meta.counts.values())) == used


# --- what is refused, by name


def special(kind: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        path = root / "train" / FIRST / "x.png"
        if kind == "FIFO":
            os.mkfifo(path)
        elif kind == "socket":
            here = Path.cwd()
            os.chdir(path.parent)  # Its name may have 100 letters.
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
            os.chdir(here)
        else:
            path.symlink_to("/dev/zero")

    return make


def shared(root: Path) -> None:
    link(root / "train" / CLASSES[1] / "theirs", root / "train" / FIRST)


def replaced(name: str, content: bytes) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return write


def cut(root: Path) -> None:
    path = root / "train" / FIRST / f"{FIRST}_2.JPEG"
    path.write_bytes(path.read_bytes()[:60])


JUNK = r"test/n01443537/x\.png: is no image that can be decoded"
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "FIFO": (special("FIFO"), r"train/n01443537/x\.png: is neither a file nor a folder, but a FIFO$"),
    "socket": (special("socket"), r"train/n01443537/x\.png: is neither a file nor a folder, but a socket$"),
    "device": (special("device"), r"train/n01443537/x\.png: is neither a file nor a folder, but a device$"),
    "dangling link": (
        lambda root: link(root / "train" / FIRST / "x.png", "../gone.png"),
        r"train/n01443537/x\.png: is a link to \.\./gone\.png, which is not there$",
    ),
    "dangling folder": (
        lambda root: link(root / "train" / FIRST / "deep" / "more", "gone"),
        r"train/n01443537/deep/more: is a link to gone, which is not there$",
    ),
    "dangling class": (
        lambda root: link(root / "train" / "x", "gone"), r"train/x: is a link to gone, which is not there$"
    ),
    "dangling split": (
        lambda root: link(root / "unlabelled", "gone"), r"unlabelled: is a link to gone, which is not there$"
    ),
    "link to itself": (
        lambda root: link(root / "train" / FIRST / "x.png", "x.png"),
        r"train/n01443537/x\.png: cannot be read \(Too many levels of symbolic links\)$",
    ),
    "folder of two classes": (shared, r"train/n01(443537|629819/theirs): is a folder of .*, by a link$"),
    "other format": (
        replaced(f"train/{FIRST}/x.jp2", b""), r"train/n01443537/x\.jp2: is no image \(images end in \.bmp, "
    ),
    "no suffix": (replaced(f"train/{FIRST}/README", b""), r"train/n01443537/README: is no image"),
    "empty file": (replaced(f"test/{FIRST}/x.png", b""), JUNK),
    "junk": (replaced(f"test/{FIRST}/x.png", b"\xff\xd8\xff" * 9), JUNK),
    "script": (
        replaced(f"test/{FIRST}/x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n"), JUNK
    ),
    "cut off": (cut, r"train/n01443537/n01443537_2\.JPEG: is no image that can be decoded"),
    "line break": (
        replaced(f"train/{FIRST}/a\nb\x1b[31m.png", b""), r"train/n01443537/a\\nb\\x1b\[31m\.png: is no image"
    ),
    "not UTF-8": (
        replaced(f"train/{FIRST}/" + os.fsdecode(b"\xff.png"), b""), r"train/n01443537/\\udcff\.png: is no"
    ),
    "class with a line break": (
        lambda root: (root / "test" / "a\nb").mkdir() or draw(root / "test" / "a\nb" / "0.png", 0, 0),
        r"test has class a\\nb, which the training split has not$",
    ),
    "class only in val": (
        lambda root: ((root / "test").rename(root / "val"), draw(root / "val" / "zebra" / "0.png", 0, 0)),
        r"val has class zebra, which the training split has not$",
    ),
    "class only in train": (
        lambda root: draw(root / "train" / "zebra" / "0.png", 0, 0), r"test has no folder for class zebra$"
    ),
    "no image of a class": (
        lambda root: ((root / "train" / "zebra").mkdir(), (root / "test" / "zebra").mkdir()),
        r"train/zebra holds no image$",
    ),
    "hidden images of a class": (
        lambda root: [draw(root / name, 0, 0) for name in ("train/a/.x/0.png", "test/a/0.png")],
        r"train/a holds no image$",
    ),
    "flat test": (
        lambda root: (shutil.rmtree(root / "test"), draw(root / "test" / "0.png", 0, 0)),
        r"test has no class folders$",
    ),
    "flat val": (
        lambda root: (shutil.rmtree(root / "test"), draw(root / "val" / "images" / "0.png", 0, 0)),
        r"val has no folder for class n01443537, n01629819, n01641577$",
    ),
    "nothing unlabelled": (lambda root: (root / "unlabelled").mkdir(), "unlabelled holds no image$"),
    "two spellings": (
        lambda root: [draw(root / name / "0.png", 0, 0) for name in ("unlabelled", "unlabeled")],
        "has both unlabelled/ and unlabeled/$",
    ),
    "another size": (
        lambda root: draw(root / "unlabelled" / "0.png", 0, 0, side=9),
        r"unlabelled/0\.png: is 9×9 pixels, others are 8×8",
    ),
    "a level too high": (
        lambda root: (
            (root / "inner").mkdir(), [(root / s).rename(root / "inner" / s) for s in ("train", "test")]
        ),
        r"has no train/<class>/\*; .*/tree/inner has$",
    ),
    "train is a file": (
        lambda root: (shutil.rmtree(root / "train"), (root / "train").write_text("x")),
        r"has no train/<class>/\*$",
    ),
}  # fmt: skip
"""What is wrong with a plain tree, and the end of the one line that says so."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_one_line_that_names_it(bench, tmp_path, name):
    tree = plain(tmp_path / "tree")
    change, words = REFUSED[name]
    change(tree)
    done = bench("data", "prepare", "mine", "--from", tree)
    assert done.code == 2
    assert done.err.startswith("error: ")
    (line,) = done.err.splitlines()
    with pytest.raises(UserError, match=words):
        raise UserError(line)
    assert all(character.isprintable() for character in line)
    assert store.prepared_names() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("place", [f"train/{FIRST}", f"train/{FIRST}/{FIRST}_0.JPEG"])
def test_what_cannot_be_read_is_named(tmp_path, place):
    tree = plain(tmp_path / "tree")
    (tree / place).chmod(0)
    with pytest.raises(UserError, match=rf"{place}: .*Permission denied"):
        prepare("mine", tree)
    (tree / place).chmod(0o700)


# --- names


@pytest.mark.parametrize(
    "name",
    [
        "blank space",
        "naïve",
        "日本語",
        "a\nb",
        "-rf",
        "'quoted\"",
        "\x1b[2J",
        "a" * 200,
        os.fsdecode(b"\xff\xfe"),
    ],
)
@pytest.mark.parametrize("limit", [16.0, 1e-9], ids=["packed", "decoded"])
def test_odd_names_of_classes_and_files_do_no_harm(bench, tmp_path, name, limit):
    tree = tmp_path / name / "tree"
    for split in ("train", "test"):
        for kind, one in enumerate(sorted(["m", name])):
            draw(tree / split / one / f"{name}.png", kind, len(split))
    done = bench("data", "prepare", "mine", "--from", tree, "--limit", limit)
    assert done.code == 0, done.err
    meta = store.read_meta("mine")
    assert meta is not None
    assert meta.class_names == sorted(["m", name])
    data = pixels_of("mine")
    assert data.train.labels.tolist() == [0, 1]
    listing = bench("data", "list").out + bench("data", "verify").out + done.out
    assert all(character.isprintable() for line in listing.split("\n") for character in line)
