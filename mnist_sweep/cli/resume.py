"""The subcommand `resume`: all of the directory's commands, again."""

from __future__ import annotations

from pathlib import Path

import click

from mnist_sweep.cli.sweep import sweep
from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping.context import SweepContext, Verbosity
from mnist_sweep.sweeping.plan.commands import commands_of


@click.command("resume")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--trust",
    is_flag=True,
    help="Run commands that load code (a network, config files) even if somebody else gave them.",
)
@click.option(
    "--quiet", "verbosity", flag_value=Verbosity.QUIET, help="Print only totals and failures."
)
@click.option(
    "--verbose", "verbosity", flag_value=Verbosity.VERBOSE, help="Print every run and all tables."
)
def resume(
    directory: Path, overrides: tuple[str, ...], *, trust: bool, verbosity: Verbosity | None
) -> int:
    """Resume a sweep: repeat its directory's commands and run the points that are not finished.

    If the data have changed since, nothing is run. Settings after DIR replace those of each command
    or are added: seed=0,1,2 for more repeats, n_jobs=1.
    """
    if Path.cwd().resolve().is_relative_to(directory.resolve()):
        raise UsageError(
            f"Python would import modules from {directory}, a sweep's directory, because it is "
            "the working directory. Resume from the directory where the sweep was started."
        )
    with SweepContext(verbosity or Verbosity.NORMAL) as context:
        return sweep(context, commands_of(directory, overrides, trust=trust))
