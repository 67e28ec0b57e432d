"""How a run ended, or why there is no record of it."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of a run, in its record and in every table."""

    FINISHED = "finished"
    """Trained and evaluated; the only status with metrics."""
    FAILED = "failed"
    """An error, or the death of its process."""
    DIVERGED = "diverged"
    """The loss was not finite: running it again gives the same."""
    PRUNED = "pruned"
    """Stopped early by a search, before its last epoch."""
    MISSING = "missing"
    """Planned, and no record: not run, interrupted, or still running."""
    UNREADABLE = "unreadable"
    """There is a record, and it is damaged."""

    @property
    def is_final(self) -> bool:
        """Whether running it again would give the same result."""
        return self in (RunStatus.FINISHED, RunStatus.DIVERGED)


# Missing runs that a check and the report name; of more, which may be 100,000, they tell the count.
MAX_MISSING = 200
