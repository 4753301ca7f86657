"""Data sets distributed as arrays: torchvision's own download, from a server on this machine, and reading."""

import hashlib
import io
import os
import pickle
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torchvision
from checkout import pixels_of
from imagetree import STL_CLASSES, pixels, stl10_binary, stl10_folders
from PIL import Image

from clopbench.data import binaries, sources, store
from clopbench.data.dataset import Split
from clopbench.data.prepare import _version, prepare
from clopbench.data.writing import Content
from clopbench.errors import UserError


@pytest.fixture(autouse=True)
def _data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def server(tmp_path):
    """The address of a web server over tmp_path."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()
        thread.join()


def cifar_archive(folder: Path, images: dict, labels: dict, names: list[str]) -> dict:
    """An archive in CIFAR-100's own format, and the attributes that tell torchvision's class where it is."""
    files = {"meta": pickle.dumps({"fine_label_names": names})}
    for split in ("train", "test"):
        flat = images[split].reshape(len(images[split]), -1)
        files[split] = pickle.dumps({"data": flat, "fine_labels": labels[split]})
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    archive = folder / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return {
        "tgz_md5": hashlib.md5(archive.read_bytes()).hexdigest(),
        "train_list": [["train", md5["train"]]],
        "test_list": [["test", md5["test"]]],
        "meta": {"filename": "meta", "key": "fine_label_names", "md5": md5["meta"]},
    }


def test_download_and_image_folder_of_the_same_images_are_the_same_data(tmp_path, server, monkeypatch):
    """torchvision's own download and reading, from a server on this machine, in a shuffled order."""
    rng = np.random.default_rng(3)
    names, images, labels = ["ant", "bee"], {}, {}
    for split, count in (("train", 20), ("test", 8)):
        images[split] = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        labels[split] = rng.permutation(np.arange(count) % 2).tolist()
        for number, (image, label) in enumerate(zip(images[split], labels[split], strict=True)):
            save(tmp_path / "cifar" / split / names[label] / f"{99 - number}.png", image.transpose(1, 2, 0))
    for attribute, value in cifar_archive(tmp_path, images, labels, names).items():
        monkeypatch.setattr(torchvision.datasets.CIFAR100, attribute, value)
    monkeypatch.setattr(torchvision.datasets.CIFAR100, "url", f"{server}/cifar-100-python.tar.gz")
    downloaded = prepare("cifar100").meta
    assert downloaded.source == "torchvision.datasets.CIFAR100"
    data = pixels_of("cifar100")
    given = {image.tobytes(): label for image, label in zip(images["train"], labels["train"], strict=True)}
    packed = {i.tobytes(): int(y) for i, y in zip(data.train.images, data.train.labels, strict=True)}
    assert packed == given
    folder = prepare("cifar100", tmp_path / "cifar", force=True)
    assert folder.meta.sha256 == downloaded.sha256
    assert folder.meta.version == downloaded.version != sources.SOURCES["cifar100"].version
    assert "its records will count as another data set" in folder.message
    with tarfile.open(tmp_path / "cifar-100-python.tar.gz") as archive:
        archive.extractall(tmp_path / "own", filter="data")
    own = prepare("cifar100", tmp_path / "own", force=True).meta
    assert own.source == f"files of {tmp_path / 'own'}"
    assert (own.sha256, own.version) == (downloaded.sha256, downloaded.version)
    monkeypatch.setattr(torchvision.datasets.CIFAR100, "url", f"{server}/gone.tar.gz")
    with pytest.raises(UserError, match=r"cannot be downloaded .*--from DIR"):
        prepare("cifar100", force=True)
    assert os.listdir(store.root()) == ["cifar100"]


@pytest.fixture
def stl10(tmp_path, monkeypatch) -> Path:
    """Files in STL-10's own format, and torchvision told their MD5 sums."""
    root = stl10_binary(tmp_path / "files")
    for names in ("train_list", "test_list"):
        listed = [name for name, _ in getattr(torchvision.datasets.STL10, names)]
        sums = [hashlib.md5((root / "stl10_binary" / name).read_bytes()).hexdigest() for name in listed]
        monkeypatch.setattr(torchvision.datasets.STL10, names, list(map(list, zip(listed, sums, strict=True))))
    return root


def as_pairs(images: np.ndarray, labels) -> list[tuple[int, bytes]]:
    return sorted((int(label), image.tobytes()) for image, label in zip(images, labels, strict=True))


def test_stl10_as_its_authors_distribute_it(bench, stl10):
    done = bench("data", "prepare", "stl10", "--from", stl10)
    assert done.code == 0, done.err
    assert "  12 + 11 images in 10 classes and 7 unlabelled for training, 3×96×96" in done.out.splitlines()
    assert "its records will count as another data set" in done.out
    data = pixels_of("stl10")
    parts = {"train": (data.train, 0), "test": (data.test, 100), "unlabeled": (data.unlabelled, 200)}
    for split, (part, first) in parts.items():
        assert isinstance(part, Split)
        peer = torchvision.datasets.STL10(str(stl10), split)
        images = [np.asarray(peer[i][0]).transpose(2, 0, 1) for i in range(len(peer))]
        assert as_pairs(part.images, part.labels) == as_pairs(np.stack(images), peer.labels)
        # And apart from torchvision: what was drawn.
        drawn = [pixels(7 * number % 10, first + number, 96) for number in range(len(peer))]
        assert sorted(image.transpose(2, 0, 1).tobytes() for image in drawn) == sorted(map(bytes, part.images))
    meta = store.read_meta("stl10")
    assert meta is not None and meta.class_names == list(STL_CLASSES)


def test_stl10_from_files_from_folders_and_downloaded_is_the_same_data_set(
    tmp_path, stl10, server, monkeypatch
):
    own = prepare("stl10", stl10).meta
    folders = prepare("stl10", stl10_folders(tmp_path / "folders"), force=True).meta
    with tarfile.open(tmp_path / "stl10_binary.tar.gz", "w:gz") as archive:
        archive.add(stl10 / "stl10_binary", "stl10_binary")
    md5 = hashlib.md5((tmp_path / "stl10_binary.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(torchvision.datasets.STL10, "tgz_md5", md5)
    monkeypatch.setattr(torchvision.datasets.STL10, "url", f"{server}/stl10_binary.tar.gz")
    downloaded = prepare("stl10", force=True).meta
    assert own.sha256 == folders.sha256 == downloaded.sha256
    assert own.version == folders.version == downloaded.version != sources.SOURCES["stl10"].version
    assert [meta.source.split(" ")[0] for meta in (own, folders, downloaded)] == [
        "files", "image", "torchvision.datasets.STL10",
    ]  # fmt: skip


def test_stl10_at_another_size_and_with_damaged_files(stl10):
    prepare("stl10", stl10, image_size=32)
    data = pixels_of("stl10")
    assert data.train.images.shape == (12, 3, 32, 32)
    assert isinstance(data.unlabelled, Split)
    assert data.unlabelled.images.shape == (7, 3, 32, 32)
    path = stl10 / "stl10_binary" / "unlabeled_X.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        UserError, match=r"stl10: is not in .*/files as its authors distribute it \(Dataset not"
    ):
        prepare("stl10", stl10, force=True)


def test_whatever_torchvision_downloads_as_arrays_has_a_reader_that_knows_its_folder():
    known = {name for name, source in sources.SOURCES.items() if source.download and not source.own_files}
    assert known == binaries.FOLDERS.keys() == binaries.READERS.keys()
    for name, folder in binaries.FOLDERS.items():
        assert getattr(torchvision.datasets, str(sources.SOURCES[name].download)).base_folder == folder


@pytest.mark.parametrize(
    ("train", "unlabelled", "version"),
    [(5_000, 100_000, 1), (5_000, 0, 0xFFFFFFF), (4_999, 100_000, 0xFFFFFFF)],
)
def test_the_real_stl10_is_known_by_its_counts(train, unlabelled, version):
    """As distributed: 5,000 + 8,000 images of 96×96, and 100,000 without a label (Coates, Ng & Lee 2011)."""
    labels = {"train": np.zeros(train, np.int64), "test": np.zeros(8_000, np.int64)}
    content = Content(STL_CLASSES, labels, (3, 96, 96), lambda split: (), "", unlabelled)
    assert _version("stl10", "f" * 64, content) == version
