"""What steers a pool while it works: which run comes next, and which one is to stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mnist_sweep.settings import Plain


class Guide(Protocol):
    """Is asked by a pool what to do; all calls come from the pool's own thread."""

    def next(self) -> Plain | None:
        """The job to start now that a worker is free, or None where nothing more is to be run."""

    def epoch(self, job: Plain, epoch: int, figures: Mapping[str, float]) -> str | None:
        """Why a run is to stop after this epoch, or None to go on; its worker waits meanwhile.

        Args:
            job: The run's, which asked for it (`prune`).
            epoch: From 1.
            figures: The epoch's own of the history: loss, accuracy, val_loss, val_accuracy.
        """

    def ended(self, job: Plain, summary: Plain) -> None:
        """A run has come to an end; its record is there, unless it could not be written."""
