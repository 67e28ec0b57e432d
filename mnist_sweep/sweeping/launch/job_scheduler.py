"""What a search tells a launcher while it works: which job comes next, and which run must stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mnist_sweep.sweeping.launch.job import Job


class JobScheduler(Protocol):
    """Asked by `Dispatch` for decisions; all calls come from the launcher's own thread."""

    def next(self) -> Job | None:
        """The job to start now that a worker is free, or None where nothing more is to be run."""

    def epoch(self, job: Job, epoch: int, figures: Mapping[str, float]) -> str | None:
        """Why a run must stop after this epoch, or None to go on; its worker waits meanwhile.

        Args:
            job: The run's, which may be pruned (`Job.prune`).
            epoch: From 1.
            figures: The epoch's own of the history: loss, accuracy, val_loss, val_accuracy.
        """

    def ended(self, job: Job) -> None:
        """A run has ended; its record is there, unless it could not be written."""
