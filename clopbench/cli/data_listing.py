"""What `bench data list | prepare | verify` do."""

from pathlib import Path
from typing import Any

from clopbench.data import sources, store
from clopbench.data.dataset import COUNTED
from clopbench.errors import UserError, unknown


def rows() -> list[dict[str, Any]]:
    """All known and all prepared data sets, as plain data, sorted by name.

    state: embedded, packed, decoded (at run time), missing or damaged; how: the command that prepares it.
    """
    return [_row(name) for name in sorted({*sources.SOURCES, *store.prepared_names()})]


def _row(name: str) -> dict[str, Any]:
    try:
        meta, known = store.read_meta(name), sources.source(name)
    except UserError as error:
        return {"name": name, "state": "damaged", "version": None, "num_classes": None, "summary": str(error)}
    row = {"name": name, "version": known.version, "num_classes": known.num_classes, "summary": known.summary}
    if name in sources.EMBEDDED:
        return row | {"state": "embedded"}
    if meta is None:
        return row | {"state": "missing", "how": sources.command(name)}
    return row | {
        "state": "decoded" if meta.folder else "packed",
        "folder": str(store.root() / name),
        "sha256": meta.sha256,
        "shape": meta.shape,
        "counts": {split: sum(counts) for split, counts in meta.counts.items()},
        "unlabelled": meta.unlabelled,
        "mean": meta.mean,
        "std": meta.std,
    }


def list_lines() -> list[str]:
    """`rows` as text: one line each."""
    lines = []
    for row in rows():
        state = row["state"] + (f", `{row['how']}`" if "how" in row else "")
        lines.append(f"{row['name']}  {row['summary']} ({state})")
    return [*lines, f"folder: {store.root()}"]


def prepare(name: str, folder: Path | None, image_size: int | None, limit_gib: float, force: bool) -> list[str]:
    """Prepare a data set and say what it is now. Raises UserError."""
    from clopbench.data.prepare import prepare as do

    done = do(name, folder, image_size, limit_gib, force)
    meta = done.meta
    train, test = (sum(meta.counts[split]) for split in ("train", "test"))
    lines = [
        done.message,
        f"  {train} + {test} {COUNTED[meta.labels]} in {meta.num_classes} classes"
        + (f" and {meta.unlabelled} unlabelled for training" if meta.unlabelled else "")
        + (f", {'×'.join(map(str, meta.shape))}" if meta.shape else ""),
        f"  SHA-256 {meta.sha256}",
    ]
    if meta.mean and meta.std:
        mean, std = (" ".join(f"{value:.4f}" for value in values) for values in (meta.mean, meta.std))
        lines.append(f"  channel means {mean}, standard deviations {std}")
    return lines + [f"  ignored: {line}" for line in done.ignored]


def verify(names: list[str]) -> tuple[list[str], bool]:
    """Hash data sets afresh; no names: all that are prepared. Returns lines to show, and whether all are right.

    Raises UserError for a name that is not prepared.
    """
    prepared = store.prepared_names()
    for name in names:
        if name not in prepared:
            raise sources.missing(name) if name in sources.SOURCES else unknown("data set", name, prepared)
    lines, right = [], True
    for name in names or prepared:
        try:
            lines.append(f"ok  {name}: {store.verify(name)}")
        except UserError as error:
            right = False
            lines.append(f"BAD {name}: {error}")
    return lines or [f"no data set is prepared in {store.root()}"], right
