"""Data sets for transfer, read from small trees in the layout that their authors distribute. No network."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torchvision
import voctree
from PIL import Image
from scipy.io import savemat

from clopbench.cli import data as data_verbs
from clopbench.data import detection_sets, sources, store, transfer_sets, voc
from clopbench.data.dataset import ABSENT, HARD, PRESENT, Split
from clopbench.data.prepare import prepare
from clopbench.errors import UserError

SIZE = 6


@pytest.fixture(autouse=True)
def _data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))


class Painter:
    """Writes images of one colour each, all different, and remembers which split and class each belongs to."""

    def __init__(self) -> None:
        self.painted: list[tuple[str, int, tuple[int, ...]]] = []

    def __call__(self, path: Path, split: str, label: int) -> None:
        number = len(self.painted)
        colour = (number % 256, number // 256, 7)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIZE + number % 3, SIZE), colour).save(
            path, "PNG"
        )  # Without loss, whatever its name.
        self.painted.append((split, label, colour))

    def of(self, split: str) -> list[tuple[int, tuple[int, ...]]]:
        return sorted((label, colour) for where, label, colour in self.painted if where == split)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def food101(root: Path, paint: Painter) -> None:
    for split in ("train", "test"):
        listing = {name: [f"{name}/{split}{k}" for k in range(2)] for name in ("pizza", "apple_pie")}
        text(root / "food-101" / "meta" / f"{split}.json", json.dumps(listing))
        for name, files in listing.items():
            for file in files:
                paint(root / "food-101" / "images" / f"{file}.jpg", split, int(name == "pizza"))


def dtd(root: Path, paint: Painter) -> None:
    for split in ("train", "val", "test"):
        names = [f"{name}/{name}_{split}.jpg" for name in ("banded", "dotted")]
        text(root / "dtd" / "dtd" / "labels" / f"{split}1.txt", *names)
        for label, name in enumerate(names):
            paint(root / "dtd" / "dtd" / "images" / name, "test" if split == "test" else "train", label)


def flowers102(root: Path, paint: Painter) -> None:
    folder, ids = root / "flowers-102", {"trnid": [3, 1], "valid": [4, 6], "tstid": [2, 5]}
    labels = {1: 7, 2: 1, 3: 1, 4: 102, 5: 7, 6: 7}  # From 1.
    for part, images in ids.items():
        for image in images:
            split = "test" if part == "tstid" else "train"
            paint(folder / "jpg" / f"image_{image:05d}.jpg", split, labels[image] - 1)
    savemat(folder / "setid.mat", {name: np.array(images) for name, images in ids.items()})
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels[k] for k in sorted(labels)])})


def aircraft(root: Path, paint: Painter) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    text(data / "variants.txt", "A300 B4", "Boeing 717")
    for split, listing in (("train", "trainval"), ("test", "test")):
        names = {f"{k}{split}": k % 2 for k in range(3)}
        variants = ("A300 B4", "Boeing 717")
        text(data / f"images_variant_{listing}.txt", *(f"{name} {variants[k]}" for name, k in names.items()))
        for name, label in names.items():
            paint(data / "images" / f"{name}.jpg", split, label)


def pets(root: Path, paint: Painter) -> None:
    folder = root / "oxford-iiit-pet"
    for split, listing in (("train", "trainval"), ("test", "test")):
        names = {f"Bengal_{split}": 2, f"basset_hound_{split}": 1}
        text(folder / "annotations" / f"{listing}.txt", *(f"{name} {k} 1 1" for name, k in names.items()))
        for name, number in names.items():
            paint(folder / "images" / f"{name}.jpg", split, number - 1)


def cars(root: Path, paint: Painter) -> None:
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": np.array(["Audi", "BMW"], object)})
    kinds = [("fname", object), ("class", np.int64)]
    for split, place in (("train", "devkit/cars_train_annos"), ("test", "cars_test_annos_withlabels")):
        rows = [(f"{k:05d}.jpg", k % 2 + 1) for k in range(3)]
        savemat(folder / f"{place}.mat", {"annotations": np.array(rows, kinds)})
        for name, number in rows:
            paint(folder / f"cars_{split}" / name, split, number - 1)


def caltech101(root: Path, paint: Painter) -> None:
    folder = root / "caltech101" / "101_ObjectCategories"
    for label, (name, count) in enumerate((("Faces", 32), ("ant", 33))):
        for k in range(1, count + 1):
            paint(folder / name / f"image_{k:04d}.jpg", "drawn", label)
    paint(folder / "BACKGROUND_Google" / "image_0001.jpg", "nowhere", 0)


def sun397(root: Path, paint: Painter) -> None:
    folder = root / "SUN397"
    text(folder / "ClassName.txt", "/a/abbey", "/a/apartment_building/outdoor")
    for label, name in enumerate(("a/abbey", "a/apartment_building/outdoor")):
        for k in range(103):
            paint(folder / name / f"sun_{k}.jpg", "drawn", label)


Builder = Callable[[Path, Painter], None]
BUILDERS: dict[str, Builder] = {
    builder.__name__: builder
    for builder in (food101, dtd, flowers102, aircraft, pets, cars, caltech101, sun397)
}
DRAWN = {"caltech101": ((30, 30), (2, 3)), "sun397": ((50, 50), (50, 50))}
"""Where the split is drawn: images of each class for training, and for testing."""


def build(name: str, root: Path, monkeypatch) -> Painter:
    paint = Painter()
    BUILDERS[name](root, paint)
    if name == "flowers102":
        listed = dict(torchvision.datasets.Flowers102._file_dict)
        for key in ("label", "setid"):
            file = root / "flowers-102" / listed[key][0]
            listed[key] = (listed[key][0], hashlib.md5(file.read_bytes()).hexdigest())
        monkeypatch.setattr(torchvision.datasets.Flowers102, "_file_dict", listed)
    return paint


def colours(split: Split) -> list[tuple[int, tuple[int, ...]]]:
    """Label and colour of each packed image, which must be of that colour all over."""
    assert (split.images == split.images[:, :, :1, :1]).all()
    pixels = split.images[:, :, 0, 0].tolist()
    return sorted((int(label), tuple(pixel)) for label, pixel in zip(split.labels, pixels, strict=True))


@pytest.mark.parametrize("name", BUILDERS)
def test_each_is_packed_from_its_own_files(tmp_path, monkeypatch, name):
    paint = build(name, tmp_path / "files", monkeypatch)
    done = prepare(name, tmp_path / "files", image_size=SIZE)
    data = sources.load(name)
    assert isinstance(data.train, Split) and isinstance(data.test, Split)
    train, test = colours(data.train), colours(data.test)
    if name in DRAWN:
        assert sorted(train + test) == [one for one in paint.of("drawn") if one in train + test]
        assert not set(train) & set(test)
        sizes = [np.bincount([label for label, _ in part]).tolist() for part in (train, test)]
        assert tuple(map(tuple, sizes)) == DRAWN[name]
    else:
        assert (train, test) == (paint.of("train"), paint.of("test"))
    assert done.meta.shape == [3, SIZE, SIZE]
    assert sources.source(name).measure == sources.SOURCES[name].measure
    assert "its records will count as another data set" in done.message


def test_what_a_file_manager_left_in_caltech101_is_no_class_and_no_image(tmp_path, monkeypatch):
    build("caltech101", tmp_path / "files", monkeypatch)
    clean = prepare("caltech101", tmp_path / "files", image_size=SIZE)
    folder = tmp_path / "files" / "caltech101" / "101_ObjectCategories"
    for name in (".DS_Store", "notes.txt", "ant/._image_0001.jpg"):
        text(folder / name, "x")
    again = prepare("caltech101", tmp_path / "files", image_size=SIZE, force=True)
    assert again.meta == clean.meta
    assert [*clean.ignored, *again.ignored] == [
        "hidden files or folders (2, such as .DS_Store)",
        "files outside of class folders (1, such as notes.txt)",
    ]


def test_a_drawn_split_depends_on_names_alone(tmp_path, monkeypatch):
    found = []
    for place in ("here", "elsewhere"):
        build("caltech101", tmp_path / place, monkeypatch)
        listing = transfer_sets.read("caltech101", tmp_path / place, download=False)
        found.append([path.relative_to(tmp_path / place) for path in listing.paths["train"]])
    assert found[0] == found[1]
    assert found[0] != sorted(found[0])


@pytest.mark.parametrize("name", [*BUILDERS, "voc2007", "voc2007_boxes"])
def test_files_that_are_not_there_are_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        prepare(name, tmp_path / "empty")
    assert store.prepared_names() == []
    with pytest.raises(UserError, match=f"bench data prepare {name}"):
        sources.SOURCES[name].load()


def noise(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def tree(tmp_path) -> Path:
    """Three images for training, one for testing; the second has a difficult dog beside a plain one."""
    whole = (1, 1, SIZE, SIZE)
    voctree.write(tmp_path / "voc", "trainval", "a", [("cat", (2, 3, 4, 6), False)], noise(0))
    voctree.write(tmp_path / "voc", "trainval", "b", [("dog", whole, True), ("dog", whole, False)], noise(1))
    voctree.write(tmp_path / "voc", "trainval", "c", [("dog", whole, True)], noise(2))
    voctree.write(tmp_path / "voc", "test", "d", [("cat", whole, False), ("sheep", whole, False)], noise(3))
    return tmp_path / "voc"


def test_voc_has_several_labels_an_image_and_difficult_ones_apart(tree):
    prepare("voc2007", tree, image_size=SIZE)
    source = sources.source("voc2007")
    data = source.load()
    cat, dog, sheep = (voc.CLASSES.index(name) for name in ("cat", "dog", "sheep"))
    expected = np.full((3, 20), ABSENT)
    expected[0, cat], expected[1, dog], expected[2, dog] = PRESENT, PRESENT, HARD
    np.testing.assert_array_equal(data.train.labels, expected)
    assert np.flatnonzero(data.test.labels[0] == PRESENT).tolist() == sorted([cat, sheep])
    assert isinstance(data.train, Split)
    np.testing.assert_array_equal(data.train.images[1], noise(1).transpose(2, 0, 1))
    assert (source.measure, source.labels) == ("voc_map", "several")
    assert "2 + 2 labels in 20 classes" in source.summary
    assert store.verify("voc2007").endswith(data.sha256)
    with pytest.raises(UserError, match=r"no single class per image; it goes with evaluation\.transfer"):
        sources.load("voc2007")


def test_boxes_stay_where_they_are_and_changes_are_seen(tree, capsys):
    done = prepare("voc2007_boxes", tree)
    boxes = detection_sets.load("voc2007_boxes")
    image = boxes.train[0]
    # Pixels 2 … 4 and 3 … 6, counted from 1 with the last included, cover 1 … 4 and 2 … 6.
    assert image.box_G4.tolist() == [[1, 2, 4, 6]]
    assert (image.label_G.tolist(), image.difficult_G.tolist()) == ([voc.CLASSES.index("cat")], [False])
    assert boxes.train[1].difficult_G.tolist() == [True, False]
    assert [len(boxes.train), len(boxes.test)] == [3, 1]
    assert done.meta.sha256 == boxes.sha256 == voc.fingerprint(tree)
    assert store.verify("voc2007_boxes").endswith(boxes.sha256)
    assert any("4 + 2 objects in 20 classes" in line for line in data_verbs.list_lines())
    with pytest.raises(UserError, match=r"it goes with evaluation\.detection"):
        sources.load("voc2007_boxes")
    voctree.write(tree, "test", "e", [("cow", (1, 1, 3, 3), False)], noise(4))
    with pytest.raises(UserError, match="has other test objects than when voc2007_boxes was prepared"):
        detection_sets.load("voc2007_boxes")
    with pytest.raises(UserError, match="prepare it again"):
        store.verify("voc2007_boxes")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<name>cat</name>", "<name>unicorn</name>", "no annotation of VOC 2007"),
        ("<xmin>2</xmin>", "<xmin>9</xmin>", "has no area"),
        ("<ymax>6</ymax>", "", "no annotation"),
        ("</annotation>", "", "no annotation"),
    ],
)
def test_broken_annotations_are_named(tree, old, new, words):
    path = tree / "VOCdevkit" / "VOC2007" / "Annotations" / "a.xml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=f"a.xml: .*{words}"):
        prepare("voc2007_boxes", tree)


def test_digits_seen_and_unseen_are_the_digits(tmp_path):
    everything = sources.load("digits")
    seen, unseen = sources.load("digits_seen"), sources.load("digits_unseen")
    for part, first in ((seen, 0), (unseen, 5)):
        assert part.num_classes == 5
        for ours, whole in ((part.train, everything.train), (part.test, everything.test)):
            kept = np.isin(whole.labels, np.arange(first, first + 5))
            np.testing.assert_array_equal(ours.labels + first, whole.labels[kept])
            assert isinstance(ours, Split) and isinstance(whole, Split)
            np.testing.assert_array_equal(ours.images, whole.images[kept])
    assert len(seen.train.labels) + len(unseen.train.labels) == len(everything.train.labels)
    with pytest.raises(UserError, match="embedded"):
        prepare("digits_seen")
