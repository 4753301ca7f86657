"""Data sets of boxes, on which a trained encoder is tested for detection.

They are not packed: images keep their sizes and are decoded at run time, so the tree must stay where it is.
"""

from dataclasses import dataclass
from pathlib import Path

from clopbench.data import sources, store, voc
from clopbench.data.dataset import Meta
from clopbench.data.voc import Annotated
from clopbench.errors import UserError, unknown


@dataclass(frozen=True)
class Boxes:
    """Both splits of a prepared data set of boxes."""

    train: list[Annotated]
    test: list[Annotated]
    sha256: str


def version(name: str) -> int:
    """The version of a prepared data set of boxes. Raises UserError where it is not one."""
    return _meta(name).version


def load(name: str) -> Boxes:
    """A prepared data set of boxes. Raises UserError where it is not one, or its tree has changed."""
    meta = _meta(name)
    root = Path(str(meta.folder))
    train, test = voc.read(root, "train"), voc.read(root, "test")
    for split, images in (("train", train), ("test", test)):
        if voc.counts(images) != meta.counts[split]:
            raise UserError(f"{root}: has other {split} objects than when {name} was prepared from it")
    return Boxes(train, test, meta.sha256)


def _meta(name: str) -> Meta:
    meta = store.read_meta(name)
    if meta is None:
        known = {key: source for key, source in sources.SOURCES.items() if source.labels == "boxes"}
        raise sources.missing(name) if name in known else unknown("data set of boxes", name, known)
    if meta.labels != "boxes":
        raise UserError(f"data set {name}: has no boxes (voc2007_boxes has)")
    return meta
