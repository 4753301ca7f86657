"""The verbs `bench data …`: the data sets that are known, and what is prepared of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from clopbench.cli.terminal import EXIT_FAILED, print_json, say
from clopbench.errors import UserError, unknown

app = typer.Typer(help="Show, prepare and verify data sets.", no_args_is_help=True)


@app.command("list")
def list_data(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the data sets, which of them are ready, and how to prepare the others."""
    if as_json:
        print_json(rows())
        return
    for line in list_lines():
        say(line)


@app.command()
def prepare(
    *,
    name: Annotated[str, typer.Argument(help="A name of `bench data list`, or any with --from.")],
    folder: Annotated[
        Path | None, typer.Option("--from", help="train/<class>/* and test/<class>/*, or the set's own files.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(min=1, help="Resize all images to this side.")] = None,
    limit: Annotated[float, typer.Option(help="Largest packed size in GiB.")] = 16.0,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Pack a data set once, so that runs open it offline. Without --from, torchvision downloads it."""
    from clopbench.data import prepare
    from clopbench.data.dataset import COUNTED

    done = prepare.prepare(name, folder, image_size, limit, force)
    meta = done.meta
    train, test = (sum(meta.counts[split]) for split in ("train", "test"))
    shape = f", {'×'.join(map(str, meta.shape))}" if meta.shape else ""
    say(done.message)
    without = f" and {meta.unlabelled} unlabelled for training" if meta.unlabelled else ""
    say(f"  {train} + {test} {COUNTED[meta.labels]} in {meta.num_classes} classes{without}{shape}")
    say(f"  SHA-256 {meta.sha256}")
    if meta.mean and meta.std:
        mean, std = (" ".join(f"{value:.4f}" for value in values) for values in (meta.mean, meta.std))
        say(f"  channel means {mean}, standard deviations {std}")
    for line in done.ignored:
        say(f"  ignored: {line}")


@app.command()
def verify(
    *, names: Annotated[list[str] | None, typer.Argument(help="Default: all that are prepared.")] = None
) -> None:
    """Compute the SHA-256 of prepared data sets anew; exit 1 where one differs."""
    lines, all_right = verified(names or [])
    for line in lines:
        say(line)
    if not all_right:
        raise typer.Exit(EXIT_FAILED)


def rows() -> list[dict[str, Any]]:
    """All known and all prepared data sets, as plain data, sorted by name.

    state: embedded, packed, decoded (at run time), missing or damaged; how: the command that prepares it.
    """
    from clopbench.data import sources, store

    return [_row(name) for name in sorted({*sources.SOURCES, *store.prepared_names()})]


def _row(name: str) -> dict[str, Any]:
    from clopbench.data import sources, store

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
    from clopbench.data import store

    lines = []
    for row in rows():
        state = row["state"] + (f", `{row['how']}`" if "how" in row else "")
        lines.append(f"{row['name']}  {row['summary']} ({state})")
    return [*lines, f"folder: {store.root()}"]


def verified(names: list[str]) -> tuple[list[str], bool]:
    """Hash data sets afresh; no names: all that are prepared. Returns lines to show, and whether all are right.

    Raises UserError for a name that is not prepared.
    """
    from clopbench.data import sources, store

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
