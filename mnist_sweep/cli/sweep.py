"""`python -m mnist_sweep [-m] …` runs a sweep; the subcommand `resume` continues one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mnist_sweep.cli.options import directory_argument, flag, option
from mnist_sweep.cli.output import ExitCode, wrap
from mnist_sweep.cli.preview import preview_lines
from mnist_sweep.cli.sweep_summary import show
from mnist_sweep.errors import UsageError
from mnist_sweep.reporting.report import start_imports
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import Command, SweepContext, Verbosity
from mnist_sweep.sweeping.plan.commands import commands_of
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.result import SweepResult


def sweep(context: SweepContext, commands: Sequence[Command]) -> int:
    """Run what command lines of one directory ask for; returns the exit code."""
    context.while_waiting = start_imports
    if len(commands) > 1:  # whatever is wrong with one of them is found before any runs
        for one in commands:
            words = [word for word in one.words if not word.startswith("plan=")]
            app.run([*words, "plan=true"], context, one.repeats)
    results: list[SweepResult] = []
    for one in commands:
        found = app.run(one.words, context, one.repeats)
        if isinstance(found, Preview):
            whole = context.verbosity is Verbosity.VERBOSE
            print(wrap("\n".join(preview_lines(found, whole=whole))))
        elif found:
            results.append(found)
            if found.interrupted:
                break
    context.end_processes()  # the summary needs the cores
    for further in results[1:]:
        results[0].join(further)
    return show(results[0], context.verbosity) if results else ExitCode.DONE


@click.command("resume")
@directory_argument
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
@flag(
    "--trust",
    "Run commands that load code (a network, config files) even if somebody else gave them.",
)
@option("--quiet verbosity", "Print only totals and failures.", flag_value=Verbosity.QUIET)
@option("--verbose verbosity", "Print every run and all tables.", flag_value=Verbosity.VERBOSE)
def resume(
    directory: Path, overrides: tuple[str, ...], *, trust: bool, verbosity: Verbosity | None
) -> int:
    """Resume a sweep: repeat its directory's commands and run the points that are not finished.

    If the data have changed since, nothing is run. Settings after DIR replace those of each command
    or are added: seed=0,1,2 for more repeats, n_jobs=1.
    """
    # The working directory is on Python's path, and a sweep's directory may be anybody's.
    if Path.cwd().resolve().is_relative_to(directory.resolve()):
        raise UsageError(
            f"Python would import modules from {directory}, a sweep's directory, because it is "
            "the working directory. Resume from the directory where the sweep was started."
        )
    with SweepContext(verbosity or Verbosity.NORMAL) as context:
        return sweep(context, commands_of(directory, overrides, trust=trust))
