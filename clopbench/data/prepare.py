"""Preparing a data set: from files or by torchvision's download, packed or left to be decoded.

Shapes: N images, C channels, H × W pixels. Pillow and torchvision are imported when they are needed.
"""

from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from math import prod
from pathlib import Path

import numpy as np

from clopbench.data import binaries, sources, store, transfer_sets, voc, writing
from clopbench.data.dataset import FORMAT, Meta
from clopbench.data.walking import shown
from clopbench.data.writing import Content
from clopbench.errors import UserError, unknown

GIB = 2**30
LIMIT_GIB = 16.0
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Prepared:
    """The data set as it is now, and what to tell the user. ignored: what of an image folder is not used."""

    meta: Meta
    message: str
    ignored: Sequence[str] = field(default=())


def prepare(
    name: str,
    folder: Path | None = None,
    image_size: int | None = None,
    limit_gib: float = LIMIT_GIB,
    force: bool = False,
) -> Prepared:
    """Pack a data set under store.root(), or note where to decode it from if it is larger than limit_gib.

    folder: an image-folder tree, or the files of a data set as its authors distribute it; None downloads.
    image_size: bring all images to that many pixels square. A data set of boxes is not packed: its files are
    used where they are. A data set that is there already is left alone, unless it was made from something else,
    which is refused, or `force` is given. Raises UserError.
    """
    _check(name, folder, image_size, limit_gib)
    known = sources.SOURCES.get(name)
    own_files = known is not None and known.own_files
    binary = name in binaries.FOLDERS and (folder is None or binaries.lies_in(name, folder))
    kind = "files of" if own_files or binary else "image folder"
    where = f"{kind} {shown(folder.resolve())}" if folder else f"torchvision.datasets.{_download_of(name)}"
    source = where + (f", resized to {image_size}×{image_size}" if image_size else "")
    if not force and (meta := store.read_meta(name)):
        if meta.source != source:
            raise UserError(
                f"data set {name}: is prepared already from {meta.source}; --force replaces it by {source}"
            )
        return Prepared(meta, f"{name} is prepared already in {store.root() / name}; --force does it again")
    ignored: Sequence[str] = ()
    with writing.workspace(name) as work:
        if known and known.labels == "boxes":
            return _boxes(name, folder, work / "tree", source)
        if own_files:
            content, ignored = _own_files(name, folder, work / "download", image_size, source)
        elif binary:
            content = binaries.read(name, folder or work / "download", folder is None, image_size, source)
        else:
            assert folder is not None  # Whatever has a download was dealt with.
            tree, content = _from_folder(name, folder, image_size, source)
            ignored = tree.ignored
            size = prod(content.shape) * content.images_in_all
            if size > limit_gib * GIB:
                return _leave(name, tree, content, work / "decoded", size, limit_gib)
        if name in binaries.FOLDERS:
            content = binaries.sorted_by_content(content)
        meta = writing.pack(work / "packed", name, content, partial(_version, name))
        writing.publish(work / "packed", name)
    return Prepared(meta, f"packed {name} into {store.root() / name}{_remark(meta)}", ignored)


def _check(name: str, folder: Path | None, image_size: int | None, limit_gib: float) -> None:
    if name in sources.EMBEDDED:
        raise UserError(f"data set {name}: is embedded in scikit-learn, there is nothing to prepare")
    if not store.is_name(name):
        raise UserError(f"data set '{name}': a name is made of lower-case letters, digits, '_' and '-'")
    if image_size is not None and name in sources.SOURCES and sources.SOURCES[name].labels == "boxes":
        raise UserError(f"--image-size: images of {name} keep their sizes")
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE:
        raise UserError(f"--image-size: must be from 1 to {LARGEST_SIDE} (got {image_size})")
    if not limit_gib >= 0:
        raise UserError(f"--limit: must be at least 0 (got {limit_gib})")
    if folder is None:
        if name not in sources.SOURCES:
            error = unknown("data set", name, sources.SOURCES)
            raise UserError(f"{error}; for your own images add --from DIR")
        if not _download_of(name):
            layout = "a folder with its files" if sources.SOURCES[name].own_files else "an image folder"
            raise UserError(f"data set {name}: has no download; add --from DIR, {layout}")
        if image_size is not None:
            raise UserError("--image-size: goes with --from DIR only")


def _download_of(name: str) -> str | None:
    return sources.SOURCES[name].download


def _from_folder(name: str, folder: Path, image_size: int | None, source: str):
    """The tree, and its content to pack. Its first image says the size where no image_size is given."""
    from clopbench.data.decoding import decode, decode_all
    from clopbench.data.imagefolder import scan

    tree = scan(folder)
    if image_size is None and name in sources.SOURCES:
        image_size = sources.SOURCES[name].image_size
    first = decode(tree.paths["train"][0], image_size)
    shape = (first.shape[0], first.shape[1], first.shape[2])

    def images(split: str) -> Iterator[np.ndarray]:
        return decode_all(tree.unlabelled if split == "unlabelled" else tree.paths[split], image_size, shape)

    return tree, Content(tree.class_names, tree.labels, shape, images, source, len(tree.unlabelled))


def _own_files(name: str, folder: Path | None, download: Path, image_size: int | None, source: str):
    """Content by the data set's own lists, images of mixed sizes brought to one; and what is ignored."""
    from clopbench.data.decoding import decode_all

    size = image_size or sources.SOURCES[name].image_size or 224
    listing = transfer_sets.read(name, folder or download, folder is None)

    def images(split: str) -> Iterator[np.ndarray]:
        return decode_all(listing.paths[split], size, (3, size, size))

    content = Content(listing.class_names, listing.labels, (3, size, size), images, source)
    return content, listing.ignored


def _boxes(name: str, folder: Path | None, tree: Path, source: str) -> Prepared:
    """Note where the annotated images are: in `folder`, or beside the note where they are downloaded."""
    tree.mkdir()
    if folder is None:
        try:
            with redirect_stdout(StringIO()):
                transfer_sets.download_voc(tree)
        except (OSError, RuntimeError) as error:
            raise UserError(f"data set {name}: cannot be downloaded ({error})") from error
    root = folder or tree
    images = {split: voc.read(root, split) for split in voc.IMAGE_SETS}
    counts = {split: voc.counts(found) for split, found in images.items()}
    digest = voc.fingerprint(root)
    known = sources.SOURCES[name]
    version = known.version if known.layout == (*map(len, images.values()), 0) else int(digest[:7], 16)
    place = str(folder.resolve() if folder else store.root() / name)
    meta = Meta(
        FORMAT, name, version, digest, [], list(voc.CLASSES), counts, None, None, source, place, labels="boxes"
    )
    writing.write_meta(tree, meta)
    writing.publish(tree, name)
    return Prepared(
        meta, f"{name} is decoded from {shown(place)} at run time, so keep its files{_remark(meta)}"
    )


def _leave(name: str, tree, content: Content, folder: Path, size: int, limit_gib: float) -> Prepared:
    """Note where the images are, for ImageFolderSplit, instead of packing them."""
    shape, digest = content.shape, tree.fingerprint()
    if shape[1] != shape[2]:
        raise UserError(f"--image-size: is needed, as {name} is decoded at run time ({size / GIB:.1f} GiB)")
    folder.mkdir()
    meta = Meta(
        FORMAT, name, _version(name, digest, content), digest, list(shape), list(content.class_names),
        writing.class_counts(content), None, None, content.source, str(tree.root.resolve()),
        unlabelled=content.unlabelled,
    )  # fmt: skip
    writing.write_meta(folder, meta)
    writing.publish(folder, name)
    return Prepared(
        meta,
        f"{name} is not packed: {size / GIB:.1f} GiB at {shape[1]}×{shape[2]} is more than the limit of "
        f"{limit_gib:g} GiB; its images are decoded from {shown(str(meta.folder))} at run time, so keep them"
        f"{_remark(meta)}",
        tree.ignored,
    )


def _version(name: str, digest: str, content: Content) -> int:
    """A known data set's version if counts and sizes say that this is it, else a number from its content."""
    known = sources.SOURCES.get(name)
    kinds = (len(content.class_names), content.unlabelled)
    if known and kinds == (known.num_classes, known.unlabelled):
        counts = (len(content.labels["train"]), len(content.labels["test"]))
        side = known.layout[2] if known.layout else known.image_size
        if content.shape == (3, side, side) and (known.layout is None or counts == known.layout[:2]):
            return known.version
    return int(digest[:7], 16)


def _remark(meta: Meta) -> str:
    known = sources.SOURCES.get(meta.name)
    if known is None or known.version == meta.version:
        return ""
    return f"; it is not {known.summary}: its records will count as another data set, version {meta.version}"
