"""Prepared data sets, image folders, sources and subsets, against torchvision, numpy and published counts."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torchvision
from checkout import ROOT, pixels_of
from PIL import Image
from scipy import stats
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader
from torchvision import transforms

from clopbench.cli import data as data_verbs
from clopbench.data import sources, store
from clopbench.data.dataset import CHUNK, sha256
from clopbench.data.imagefolder import ImageFolderSplit
from clopbench.data.prepare import prepare
from clopbench.data.subsets import UNLABELLED, flip_labels, long_tail, show_labels, thin_classes
from clopbench.data.writing import channel_statistics
from clopbench.errors import UserError

SHEETS = ROOT.parent / "shared" / "data" / "cifar100"
CLASSES = ("apple", "aquarium_fish", "baby", "bear", "beaver")


@pytest.fixture(autouse=True)
def _data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def tree(tmp_path):
    """12 + 6 random images of 8×8 in three classes; names whose order by byte, by number and by case differ."""
    rng = np.random.default_rng(0)
    for split, numbers in (("train", (9, 10, 100, 2)), ("test", (1, 11))):
        for name in ("ant", "Zebra", "bee"):
            for number in numbers:
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                save(tmp_path / "tree" / split / name / f"{number}.png", pixels)
    return tmp_path / "tree"


def test_packed_image_folder_equals_torchvisions_reading(tree):
    prepare("insects", tree)
    data = pixels_of("insects")
    for split, part in (("train", data.train), ("test", data.test)):
        peer = torchvision.datasets.ImageFolder(str(tree / split))
        assert part.labels.tolist() == peer.targets
        assert part.labels.dtype == np.int64
        expected = np.stack([np.asarray(image).transpose(2, 0, 1) for image, _ in peer])
        np.testing.assert_array_equal(part.images, expected)
        assert part.images.dtype == np.uint8
        assert not part.images.flags.writeable
    meta = store.read_meta("insects")
    assert meta is not None
    assert meta.class_names == ["Zebra", "ant", "bee"]
    assert meta.counts == {"train": [4, 4, 4], "test": [2, 2, 2]}
    assert meta.shape == [3, 8, 8]
    scaled = data.train.images.astype(np.float64) / 255
    np.testing.assert_allclose(meta.mean or [], scaled.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(meta.std or [], scaled.std((0, 2, 3)), rtol=1e-12)
    described = sources.source("insects")
    assert (described.num_classes, described.version) == (data.num_classes, data.version) == (3, meta.version)


def test_hash_is_over_type_shape_and_bytes_of_whole_arrays(tree):
    prepare("insects", tree)
    for name in ("insects", "digits"):
        data = pixels_of(name)
        state = hashlib.sha256()
        for array in (data.train.images, data.train.labels, data.test.images, data.test.labels):
            state.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
        assert data.sha256 == state.hexdigest()
    big = np.random.default_rng(0).integers(0, 256, (CHUNK + 5, 1, 2, 2), dtype=np.uint8)
    assert sha256([big]) == hashlib.sha256(f"uint8 {big.shape}".encode() + big.tobytes()).hexdigest()


def test_channel_statistics_of_more_than_one_chunk():
    images = np.random.default_rng(1).integers(0, 256, (CHUNK + 7, 3, 2, 2), dtype=np.uint8)
    images[:, 1] //= 3
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255.0).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255.0).std((0, 2, 3)), rtol=1e-12)


def test_content_that_changes_changes_the_version(tree):
    first = prepare("insects", tree).meta
    assert "is prepared already" in prepare("insects", tree).message
    assert prepare("insects", tree, force=True).meta == first
    save(tree / "train" / "bee" / "2.png", np.zeros((8, 8, 3), np.uint8))
    assert prepare("insects", tree, force=True).meta.version != first.version
    with pytest.raises(UserError, match=r"is prepared already from image folder .*; --force replaces it"):
        prepare("insects", tree, image_size=4)
    assert os.listdir(store.root()) == ["insects"]


def test_killed_preparation_leaves_nothing_half_done(tmp_path, environment):
    """SIGKILL while pixels are being written; then the same preparation succeeds and clears the rest away."""
    rng = np.random.default_rng(0)
    original = tmp_path / "noise.png"
    save(original, rng.integers(0, 256, (192, 192, 3), dtype=np.uint8))
    for place, count in (("train/a", 600), ("test/a", 1)):
        folder = tmp_path / "tree" / place
        folder.mkdir(parents=True)
        for number in range(count):
            os.link(original, folder / f"{number:03d}.png")
    script = f"from clopbench.data.prepare import *\nprepare('noise', Path({str(tmp_path / 'tree')!r}))"
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    while (
        not (begun := list(store.root().glob(".noise.*/packed/train_images.npy")))
        or not begun[0].stat().st_size
    ):
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert store.prepared_names() == []
    with pytest.raises(UserError, match="unknown data set 'noise'"):
        pixels_of("noise")
    assert len(list(store.root().iterdir())) == 1
    prepare("noise", tmp_path / "tree")
    assert [path.name for path in store.root().iterdir()] == ["noise"]
    assert pixels_of("noise").train.images.shape == (600, 3, 192, 192)
    store.verify("noise")


def test_failed_preparation_leaves_the_old_data_set(tree):
    before = prepare("insects", tree).meta
    (tree / "test" / "bee" / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"test/bee/1\.png: is no image"):
        prepare("insects", tree, force=True)
    assert os.listdir(store.root()) == ["insects"]
    assert pixels_of("insects").sha256 == before.sha256


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_hash_is_checked_once_and_again_when_a_file_changes(tree):
    prepare("insects", tree)
    victim = store.root() / "insects" / "test_images.npy"
    times = victim.stat()
    flip_a_bit(victim)
    with pytest.raises(UserError, match="pixels or labels are not those that were packed"):
        pixels_of("insects")
    # With the old time and size it is taken on trust: the hash was not computed. `verify` always computes it.
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    pixels_of("insects")
    assert data_verbs.verified(["insects"])[1] is False
    flip_a_bit(victim)
    pixels_of("insects")
    lines, right = data_verbs.verified([])
    assert right
    assert lines[0].startswith("ok  insects: SHA-256")


def test_a_folder_that_takes_no_marker_is_hashed_each_time(tree):
    """The marker's place is taken by a folder, so it can neither be read nor written: a read-only disk."""
    prepare("insects", tree)
    folder = store.root() / "insects"
    (folder / "verified.json").unlink()
    (folder / "verified.json" / "x").mkdir(parents=True)
    names = sorted(os.listdir(folder))
    pixels_of("insects")
    assert sorted(os.listdir(folder)) == names
    victim = folder / "train_labels.npy"
    times = victim.stat()
    flip_a_bit(victim)
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(UserError, match="are not those that were packed"):
        pixels_of("insects")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cifar100", "run `bench data prepare cifar100`, without a network `bench data prepare cifar100 --"),
        ("cifar10", "run `bench data prepare cifar10`, without"),
        ("imagenet", "run `bench data prepare imagenet --from DIR`, DIR being an image folder"),
        ("cifar1000", "unknown data set 'cifar1000': did you mean 'cifar100'?"),
        ("../insects", "unknown data set '../insects'"),
    ],
)  # fmt: skip
def test_data_that_is_not_there_says_what_to_do(name, text):
    with pytest.raises(UserError) as caught:
        pixels_of(name)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_data_sets_are_refused_and_listed(tree):
    prepare("insects", tree)
    folder = store.root() / "insects"
    (folder / "train_labels.npy").write_bytes(b"")
    with pytest.raises(UserError, match="is damaged"):
        pixels_of("insects")
    (folder / "meta.json").write_text('{"format": ')
    with pytest.raises(UserError, match=r"meta\.json: cannot be read"):
        sources.source("insects")
    rows = {row["name"]: row for row in data_verbs.rows()}
    assert rows["insects"]["state"] == "damaged"
    assert rows["digits"]["state"] == "embedded"
    assert rows["cifar10"]["how"] == "bench data prepare cifar10"
    json.dumps(list(rows.values()))


def break_tree(tree: Path, how: str) -> dict:
    if how == "mixed":
        save(tree / "train" / "bee" / "2.png", np.zeros((6, 8, 3), np.uint8))
    elif how == "no test":
        (tree / "test").rename(tree / "tests")
    elif how == "no class":
        (tree / "test" / "ant").rename(tree / "test" / "bug")
    elif how == "empty class":
        (tree / "train" / "wasp").mkdir()
        (tree / "test" / "wasp").mkdir()
    elif how == "no image":
        (tree / "train" / "ant" / "9.heic").write_bytes(b"a format that is not read")
    elif how == "cut off":
        path = tree / "train" / "ant" / "9.png"
        path.write_bytes(path.read_bytes()[:100])
    elif how == "16 bit":
        Image.fromarray(np.zeros((8, 8), np.uint16)).save(tree / "train" / "ant" / "9.png")
    return {"folder": tree / "gone" if how == "gone" else tree}


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("mixed", r"train/bee/2\.png: is 8×6 pixels, others are 8×8; --image-size N makes"),
        ("no test", r"has no test/<class>/\* or val/<class>/\*$"),
        ("no class", "test has no folder for class ant"),
        ("empty class", "train/wasp holds no image"),
        ("no image", r"train/ant/9\.heic: is no image \(images end in"),
        ("cut off", r"train/ant/9\.png: is no image that can be decoded"),
        ("16 bit", r"train/ant/9\.png: has pixels of mode I;16, only 8-bit"),
        ("gone", "there is no such folder"),
    ],
)
def test_wrong_trees_are_refused_by_name(tree, how, text):
    with pytest.raises(UserError, match=text):
        prepare("insects", **break_tree(tree, how))
    assert not store.root().exists() or os.listdir(store.root()) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "digits"}, "embedded"),
        ({"name": "Bad/name", "folder": Path("x")}, "lower-case"),
        ({"name": "mine"}, "add --from DIR"),
        ({"name": "imagenet"}, "has no download; add --from DIR"),
        ({"name": "cifar10", "image_size": 8}, "--image-size: goes with --from"),
        ({"name": "mine", "folder": Path("x"), "image_size": 0}, "--image-size: must be from 1 to 4096"),
        ({"name": "mine", "folder": Path("x"), "image_size": 10**9}, "--image-size: must be from 1 to 4096"),
        ({"name": "mine", "folder": Path("x"), "limit_gib": float("nan")}, "--limit: must be at least 0"),
        ({"name": "mine", "folder": Path("x"), "limit_gib": -1.0}, "--limit: must be at least 0"),
    ],
)
def test_wrong_requests_are_refused(arguments, text):
    with pytest.raises(UserError, match=text):
        prepare(**arguments)


def test_val_is_another_name_of_test_and_hidden_files_are_passed_over(tree):
    expected = prepare("insects", tree).meta.sha256
    (tree / "test").rename(tree / "val")
    (tree / "train" / "ant" / ".DS_Store").write_text("x")
    assert prepare("again", tree).meta.sha256 == expected


def test_resizing_takes_the_middle_square(tree):
    """Each image as torchvision's Resize and CenterCrop give it, also a wide one."""
    wide = np.random.default_rng(5).integers(0, 256, (10, 30, 3), dtype=np.uint8)
    save(tree / "train" / "bee" / "zz.png", wide)
    prepare("small", tree, image_size=5)
    images = pixels_of("small").train.images
    assert images.shape == (13, 3, 5, 5)
    peer = transforms.Compose(
        [transforms.Resize(5, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(5)]
    )
    expected = torchvision.datasets.ImageFolder(str(tree / "train"), peer)
    np.testing.assert_array_equal(images, np.stack([np.asarray(i).transpose(2, 0, 1) for i, _ in expected]))


def opened(name: str) -> tuple[ImageFolderSplit, ImageFolderSplit]:
    data = sources.load(name)
    assert isinstance(data.train, ImageFolderSplit) and isinstance(data.test, ImageFolderSplit)
    return data.train, data.test


def test_too_large_to_pack_is_decoded_at_run_time(tree):
    done = prepare("insects", tree, limit_gib=18 * 3 * 8 * 8 / 2**30 * 0.99)
    assert "is not packed" in done.message
    assert "decoded from" in done.message
    assert os.listdir(store.root() / "insects") == ["meta.json"]
    assert sources.source("insects").num_classes == 3
    train, test = opened("insects")
    batches = list(DataLoader(train, batch_size=5, num_workers=1))  # pyright: ignore[reportArgumentType]
    prepare("packed", tree, limit_gib=18 * 3 * 8 * 8 / 2**30)
    packed = pixels_of("packed")
    np.testing.assert_array_equal(np.concatenate([image for image, _ in batches]), packed.train.images)
    assert np.concatenate([label for _, label in batches]).tolist() == packed.train.labels.tolist()
    np.testing.assert_array_equal(np.stack([test[i][0] for i in range(len(test))]), packed.test.images)
    assert data_verbs.verified([])[1]
    save(tree / "train" / "bee" / "3.png", np.zeros((8, 8, 3), np.uint8))
    assert data_verbs.verified(["packed"])[1]
    assert not data_verbs.verified(["insects"])[1]
    with pytest.raises(UserError, match="has other train images"):
        sources.load("insects")


def test_describing_data_imports_neither_torch_nor_pillow(tree, environment):
    prepare("insects", tree)
    script = (
        "import sys; from clopbench.data import sources; from clopbench.cli import data\n"
        "print([sources.source(n).num_classes for n in ('cifar100', 'imagenet', 'insects')])\n"
        "sources.load('insects'); data.list_lines(); data.verified([])\n"
        "print(sorted({'torch', 'torchvision', 'PIL', 'sklearn', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[100, 1000, 3]", "[]"]


@pytest.mark.skipif(not SHEETS.exists(), reason="needs the class sheets of CIFAR-100 beside the checkout")
def test_real_cifar100_images_survive_packing(tmp_path):
    """Five classes, 60 + 20 images each, cut from the sheets (20 images to a row)."""
    cut: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    for split, rows in (("train", 3), ("test", 1)):
        for name in CLASSES:
            sheet = np.asarray(Image.open(SHEETS / split / f"{name}.webp").convert("RGB"))
            for number in range(rows * 20):
                y, x = 32 * (number // 20), 32 * (number % 20)
                cut[split].append(sheet[y : y + 32, x : x + 32])
                save(tmp_path / "tree" / split / name / f"{number:03d}.png", cut[split][-1])
    prepare("five", tmp_path / "tree")
    data = pixels_of("five")
    for split, part in (("train", data.train), ("test", data.test)):
        np.testing.assert_array_equal(part.images, np.stack(cut[split]).transpose(0, 3, 1, 2))
        assert part.labels.tolist() == [c for c in range(5) for _ in range(len(part.labels) // 5)]
    assert 0.2 < data.train.images.std() / 255 < 0.35


# Images in the long-tailed CIFARs of Cao et al. 2019: classes, images of the largest, factor, total.
LONG_TAILED = [(10, 5000, 100, 12406), (10, 5000, 10, 20431), (100, 500, 100, 10847), (100, 500, 50, 12608)]


@pytest.mark.parametrize(("classes", "each", "factor", "total"), LONG_TAILED)
def test_long_tail_has_the_published_sizes(classes, each, factor, total):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(classes), each))
    kept = thin_classes(labels, long_tail(classes, factor), np.random.default_rng(1))
    counts = np.bincount(labels[kept], minlength=classes)
    assert len(kept) == len(set(kept.tolist())) == total
    assert counts[0] == each
    assert counts[-1] == each // factor
    assert counts.tolist() == [int(each * (1 / factor) ** (c / (classes - 1))) for c in range(classes)]


def test_long_tail_at_its_edges():
    assert long_tail(1, 10.0) == {0: 1.0}
    assert long_tail(2, 4.0) == {0: 1.0, 1: 0.25}
    assert long_tail(3, 1.0) == {0: 1.0, 1: 1.0, 2: 1.0}
    assert long_tail(3, 16.0) == pytest.approx({0: 1, 1: 1 / 4, 2: 1 / 16})
    for factor in (0.5, float("nan"), float("inf")):
        with pytest.raises(UserError, match=r"data\.imbalance_factor: must be at least 1"):
            long_tail(10, factor)
    with pytest.raises(UserError, match=r"data\.imbalance_factor: needs at least one class \(got 0\)"):
        long_tail(0, 10.0)


def test_thinning_by_hand():
    labels = np.repeat([4, 0, 2, 1], [100, 10, 7, 3])
    shares = {4: 0.29, 0: 0.05, 2: 0.5}
    kept = thin_classes(labels, shares, np.random.default_rng(0))
    assert np.bincount(labels[kept], minlength=5).tolist() == [1, 3, 3, 0, 29]
    assert (np.diff(kept) > 0).all()
    again = thin_classes(labels, shares, np.random.default_rng(0))
    other = thin_classes(labels, shares, np.random.default_rng(1))
    assert kept.tolist() == again.tolist() != other.tolist()
    more = thin_classes(labels, {4: 0.6, 0: 0.05, 2: 0.9}, np.random.default_rng(0))
    assert set(kept) < set(more)
    for wrong, text in (({9: 0.5}, "no image is of class 9"), ({0: 0.0}, "class 0 must be"), ({0: 1.5}, "1.5")):
        with pytest.raises(UserError, match=rf"data\.class_fractions: .*{text}"):
            thin_classes(labels, wrong, np.random.default_rng(0))


def test_thinning_is_a_uniform_draw():
    """How often each of 8 images is among the 2 kept of its class, over 2000 seeds (chi-squared)."""
    labels = np.zeros(8, np.int64)
    draws = [thin_classes(labels, {0: 0.25}, np.random.default_rng(seed)) for seed in range(2000)]
    counts = np.bincount(np.concatenate(draws), minlength=8)
    # Two of eight without replacement: counts vary 6/7 as much as a multinomial's, which is on the safe side.
    assert stats.chisquare(counts).pvalue > 0.001


def test_label_noise_is_symmetric():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 8000)
    labels[::4] = UNLABELLED
    before = labels.copy()
    noisy = flip_labels(labels, 0.3, 5, rng)
    np.testing.assert_array_equal(labels, before)
    assert (noisy[labels == UNLABELLED] == UNLABELLED).all()
    shown = labels != UNLABELLED
    changed = shown & (noisy != labels)
    assert stats.binomtest(int(changed.sum()), int(shown.sum()), 0.3).pvalue > 0.001
    for number in range(5):
        replaced = np.bincount(noisy[changed & (labels == number)], minlength=5)
        assert replaced[number] == 0
        assert stats.chisquare(np.delete(replaced, number)).pvalue > 0.001


def test_label_noise_at_its_edges():
    labels = show_labels(np.arange(300) % 3, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(flip_labels(labels, 0.0, 3, np.random.default_rng(1)), labels)
    everything = flip_labels(labels, 1.0, 3, np.random.default_rng(1))
    assert (everything[labels >= 0] != labels[labels >= 0]).all()
    assert set(everything[labels >= 0]) == {0, 1, 2}
    some = flip_labels(labels, 0.2, 3, np.random.default_rng(1))
    more = flip_labels(labels, 0.5, 3, np.random.default_rng(1))
    assert set(np.flatnonzero(some != labels)) < set(np.flatnonzero(more != labels))
    assert (more[some != labels] == some[some != labels]).all()
    assert flip_labels(np.array([0, 1, -1]), 1.0, 2, np.random.default_rng(0)).tolist() == [1, 0, -1]
    assert flip_labels(np.zeros(3, np.int64), 0.0, 1, np.random.default_rng(0)).tolist() == [0, 0, 0]
    for rate, classes, text in ((1.1, 3, "must be from 0 to 1"), (0.1, 1, "at least two classes")):
        with pytest.raises(UserError, match=rf"data\.label_noise: .*{text}"):
            flip_labels(labels, rate, classes, np.random.default_rng(0))


def test_digits_are_those_of_scikit_learn():
    flat, target = load_digits(return_X_y=True)
    data = pixels_of("digits")
    images = np.concatenate([data.train.images, data.test.images])
    assert np.array_equal(images.reshape(len(images), -1), np.rint(flat * 255 / 16))
    assert np.array_equal(np.concatenate([data.train.labels, data.test.labels]), target)
