"""`python -m mnist_sweep [-m] …`: runs a sweep, or prints what Hydra's options ask for."""

from __future__ import annotations

from mnist_sweep.cli.preview import preview_lines
from mnist_sweep.cli.sweep_summary import show
from mnist_sweep.reporting import preimport
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.plan.preview import Preview


def sweep(words: list[str], context: SweepContext) -> int:
    """Run what Hydra's command line asks for; returns the exit code.

    Raises:
        MnistSweepError: Nothing was run.
    """
    context.while_waiting(preimport.start)
    result = app.run(words, context)
    if result is None:
        return 0
    if isinstance(result, Preview):
        print("\n".join(preview_lines(result)))
        return 0
    return show(result)
