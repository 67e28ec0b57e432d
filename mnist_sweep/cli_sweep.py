"""`python -m mnist_sweep [-m] …`: runs a sweep and prints what came of it."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from mnist_sweep.cli import INTERRUPTED
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.reporting import tables
from mnist_sweep.sweeping import entry
from mnist_sweep.sweeping.outcome import Outcome


def sweep(words: list[str]) -> int:
    """Run what Hydra's command line asks for; returns the exit code.

    Raises:
        MnistSweepError: Nothing was run.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        outcome = entry.run(words)
    except SystemExit as request:
        if isinstance(request.code, int) or request.code is None:
            return int(request.code or 0)
        raise UsageError(str(request.code)) from request
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(_reason(error)) from error
    return show(outcome) if outcome is not None else 0


def show(outcome: Outcome) -> int:
    """Print what came of a sweep; returns the exit code."""
    say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for notice in outcome.notices:
        say.print(f"Note: {notice}")
    return 0


def _reason(error: BaseException) -> str:
    """The innermost cause's words, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())


def _shown(path: Path) -> str:
    """A path as people write it: relative where it lies below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


__all__ = ["INTERRUPTED", "show", "sweep", "sys", "tables"]
