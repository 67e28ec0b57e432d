"""The subcommand `ui`: shows sweeps in the browser."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from mnist_sweep.cli.options import PATH, option
from mnist_sweep.command import command
from mnist_sweep.errors import DirectoryError, UsageError


@click.command("ui")
@click.argument("directory", metavar="[DIR]", default="outputs", type=PATH)
@option(
    "--port",
    "Port to listen on; if it is in use, another one is chosen.",
    type=click.IntRange(0, 65535),
    default=8707,
    show_default=True,
)
def ui(directory: Path, port: int) -> None:
    """Show all sweeps below DIR (default: outputs) in the browser, live while they run.

    The page shows progress, ranked tables, learning curves, comparisons and reports. It
    changes no results, and it can be opened only from this machine. Ctrl-C ends it.
    """
    if not directory.is_dir():
        raise DirectoryError(
            f"Expected a directory with sweeps at {directory}, but there is none. Name one: "
            f"{command('ui')} DIR."
        )
    try:
        from mnist_sweep.ui.app import serve
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("mnist_sweep"):
            raise
        raise UsageError(
            f"`ui` needs {error.name}, which is not installed: pip install 'mnist-sweep[ui]'."
        ) from error

    def started(address: str) -> None:
        click.echo(f"Sweeps below {directory}: {address}   (press Ctrl-C to stop)")

    with suppress(KeyboardInterrupt):
        serve(directory, port, started)
