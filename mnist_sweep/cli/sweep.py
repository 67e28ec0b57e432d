"""`python -m mnist_sweep [-m] …`: runs a sweep, or prints what Hydra's options ask for."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_sweep.cli.output import ExitCode, wrap
from mnist_sweep.cli.preview import preview_lines
from mnist_sweep.cli.sweep_summary import show
from mnist_sweep.reporting import preimport
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import Command, SweepContext, Verbosity
from mnist_sweep.sweeping.plan.preview import Preview
from mnist_sweep.sweeping.result import SweepResult


def sweep(context: SweepContext, commands: Sequence[Command]) -> int:
    """Run what command lines of one directory ask for; returns the exit code.

    Raises:
        MnistSweepError: Nothing was run.
    """
    context.while_waiting(preimport.start)
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
    context.end_processes()
    for further in results[1:]:
        results[0].join(further)
    return show(results[0], context.verbosity) if results else ExitCode.DONE
