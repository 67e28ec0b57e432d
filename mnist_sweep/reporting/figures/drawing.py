"""Figures drawn on two cores: a forked process draws most of them while the page is written."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from mnist_sweep.cores import cores
from mnist_sweep.reporting.figures.all_figures import Planned, files, write_figures

_FEW = 4
"""Fewer figures than this are drawn sooner than a process is worth."""


class Drawing:
    """Figures on their way to files.

    A forked process has Matplotlib imported and the records read, so it starts at once. Where
    processes cannot be forked (Windows, macOS), or there is one core, `finish` draws them all.

    Args:
        plans: What to draw.
        directory: Where the files go.
    """

    def __init__(self, plans: Sequence[Planned], directory: Path) -> None:
        self._plans = list(plans)
        self._directory = directory
        self._helper: BaseProcess | None = None
        if len(self._plans) >= _FEW and _two_cores():
            # Two thirds: this process writes the page meanwhile, and what remains after it.
            theirs = [plan for i, plan in enumerate(self._plans) if i % 3 != 2]
            self._left = [plan for i, plan in enumerate(self._plans) if i % 3 == 2]
            self._helper = _forked(theirs, directory)
        else:
            self._left = self._plans

    def finish(self) -> list[Path]:
        """Draw what is left and wait for the rest; returns all files.

        Raises:
            DirectoryError: A file cannot be written.
        """
        try:
            if self._left:
                write_figures(self._left, self._directory)
            if self._helper is not None:
                self._helper.join()
        finally:
            self.stop()
        found = [path for plan in self._plans for path in files(plan, self._directory)]
        if self._helper is not None and self._helper.exitcode:
            # It could not: what was wrong is told by doing the same here.
            write_figures(self._plans, self._directory)
        return found

    def stop(self) -> None:
        """End the other process if it is still at work."""
        if self._helper is not None and self._helper.is_alive():
            self._helper.kill()
            self._helper.join()


def _two_cores() -> bool:
    return sys.platform == "linux" and cores() > 1


def _forked(plans: Sequence[Planned], directory: Path) -> BaseProcess:
    import matplotlib.figure  # noqa: F401  (imported here once, for both)

    process = multiprocessing.get_context("fork").Process(
        target=_draw, args=(plans, directory), daemon=True
    )
    with warnings.catch_warnings():
        # Threads of numerical libraries, which put themselves right after a fork.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        process.start()
    return process


def _draw(plans: Sequence[Planned], directory: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stderr = sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  (its own end is near)
    write_figures(plans, directory)
