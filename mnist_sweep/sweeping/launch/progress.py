"""What is told of a sweep while it runs, and plain lines of it: for logs, pipes and CI.

On a terminal there is more to see, see `display`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from mnist_sweep.errors import harmless
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary

MAX_LINES = 5
"""Lines about runs that ended; as many runs have a line each."""
MAX_FAILURES = 3


class Progress:
    """Told by a launcher what happens to its runs; this one shows nothing."""

    def begin(self, total: int, workers: int, expected_s: float = 0.0) -> None:
        """`total` runs are about to start, which should take `expected_s` together."""

    def started(self, job: Job) -> None:
        """A run's worker has started."""

    def epoch(self, job: Job, epoch: int, figures: Mapping[str, float]) -> None:
        """A run has finished an epoch (from 1); `figures` are what it reported of it, by name."""

    def postponed(self, job: Job) -> None:
        """Another sweep is running this job; it is waited for."""

    def retrying(self, job: Job, reason: str) -> None:
        """A run's process died; it is run once more."""

    def ended(self, summary: RunSummary) -> None:
        """A run has ended."""

    def refresh(self) -> None:
        """Some time has passed."""

    def end(self) -> None:
        """Nothing more runs."""


class Lines(Progress):
    """One plain line per run that ended: for logs, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = self._ended = 0

    def begin(self, total: int, workers: int, expected_s: float = 0.0) -> None:  # noqa: ARG002
        """Say what is coming."""
        self._total = total
        side_by_side = f", {workers} at a time" if workers > 1 else ""
        self._say(f"running {total} run{'s' * (total != 1)}{side_by_side}")

    def postponed(self, job: Job) -> None:
        """Say that another sweep is running it."""
        self._say(f"waiting: {job.label} is being run by another sweep")

    def retrying(self, job: Job, reason: str) -> None:
        """Say why a run starts again."""
        self._say(f"again: {job.label}: {reason}")

    def ended(self, summary: RunSummary) -> None:
        """Say how a run ended."""
        self._ended += 1
        self._say(f"[{self._ended}/{self._total}] {ending(summary)}")

    def _say(self, text: str) -> None:
        self._console.print(Text(harmless(text)), soft_wrap=True)


class Summary(Lines):
    """A few plain lines however many runs there are: the first failures, and how far it is."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._failed = 0
        self._began = time.monotonic()

    def ended(self, summary: RunSummary) -> None:
        """Say a run's end where there are few, or how far the sweep is after every fifth."""
        if self._total <= MAX_LINES:
            super().ended(summary)
            return
        self._ended += 1
        self._failed += summary.failed
        if summary.failed and self._failed <= MAX_FAILURES:
            self._say(ending(summary))
        before = (self._ended - 1) * MAX_LINES // self._total
        if self._ended * MAX_LINES // self._total > before:
            spent = time.monotonic() - self._began
            left = self._total - self._ended
            failed = f"{self._failed} failed, " if self._failed else ""
            ahead = f", about {clock(spent / self._ended * left)} remaining" if left else ""
            self._say(f"[{self._ended}/{self._total}] {failed}{clock(spent)} elapsed{ahead}")


def ending(summary: RunSummary) -> str:
    """How a run ended, in a line."""
    if summary.origin is Origin.ALREADY_DONE:
        return f"{summary.label}: was done already"
    match summary.status:
        case RunStatus.FINISHED:
            return f"{summary.label}: {summary.headline} in {summary.total_s or 0.0:.1f} s"
        case RunStatus.PRUNED:
            return f"{summary.label}: {summary.message}"
        case status:
            return f"{summary.label} {status}: {summary.message}"


def clock(seconds: float) -> str:
    """1:01, or 1:00:00 from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
