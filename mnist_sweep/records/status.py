"""How a run ended, or why there is no record of it."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of a run, in its record and in every table."""

    FINISHED = "finished"  # trained and evaluated; the only status with metrics
    FAILED = "failed"  # an error, or the death of its process
    DIVERGED = "diverged"  # the loss was not finite: running it again gives the same
    PRUNED = "pruned"  # stopped early by a search, before its last epoch
    MISSING = "missing"  # planned, and no record: not run, interrupted, or still running
    UNREADABLE = "unreadable"  # there is a record, and it is damaged

    @property
    def is_final(self) -> bool:
        """Whether running it again would give the same result."""
        return self in (RunStatus.FINISHED, RunStatus.DIVERGED)


# Missing runs that a check and the report name; of more, which may be 100,000, they tell the count.
MAX_MISSING = 200
