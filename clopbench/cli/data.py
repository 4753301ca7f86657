"""The verbs `bench data …`."""

import json
from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Show, prepare and verify data sets.", no_args_is_help=True)


@data_app.command("list")
def list_data(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the data sets, which of them are ready, and how to prepare the others."""
    from clopbench.cli import data_listing

    typer.echo(json.dumps(data_listing.rows(), indent=1) if as_json else "\n".join(data_listing.list_lines()))


@data_app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="A name of `bench data list`, or any with --from.")],
    folder: Annotated[
        Path | None, typer.Option("--from", help="train/<class>/* and test/<class>/*, or the set's own files.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(min=1, help="Resize all images to this side.")] = None,
    limit: Annotated[float, typer.Option(help="Largest packed size in GiB.")] = 16.0,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Pack a data set once, so that runs open it offline. Without --from, torchvision downloads it."""
    from clopbench.cli import data_listing

    typer.echo("\n".join(data_listing.prepare(name, folder, image_size, limit, force)))


@data_app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all that are prepared.")] = None,
) -> None:
    """Compute the SHA-256 of prepared data sets anew; exit 1 where one differs."""
    from clopbench.cli import data_listing

    lines, all_right = data_listing.verify(names or [])
    typer.echo("\n".join(lines))
    if not all_right:
        raise typer.Exit(1)
