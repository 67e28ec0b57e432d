"""The subcommand `resume`: the directory's last command, again."""

from __future__ import annotations

from pathlib import Path

import click

from mnist_sweep.cli.sweep import sweep
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.plan.directory import last_command


@click.command("resume")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
def resume(directory: Path, overrides: tuple[str, ...]) -> int:
    """Repeat the last command of a sweep's directory: finished runs are kept, the rest is run.

    With other data than that command had, nothing is run. Further settings (n_jobs=1,
    rerun_failed=false) are added to that command.
    """
    words = [*last_command(directory), "hydra.sweeper.same_data=true", *overrides]
    with SweepContext() as context:
        return sweep(words, context)
