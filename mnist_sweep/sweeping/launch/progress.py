"""What is told of a sweep while it runs, and plain lines of it: for logs, pipes and CI.

On a terminal there is more to see, see `display`.
"""

from __future__ import annotations

import math
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
    """Told by a launcher what happens to its runs; says it in plain lines, and counts them.

    Args:
        console: Where to write.
        max_lines: More runs than this have no line each, but a line after each fifth of the runs,
            and the first failures have one.
    """

    def __init__(self, console: Console, max_lines: float = math.inf) -> None:
        self.console = console
        self.max_lines = max_lines
        self.total = self.n_ended = self.n_failed = self.n_pruned = 0
        self.began = time.monotonic()

    def begin(self, total: int, workers: int, expected_s: float = 0.0) -> None:  # noqa: ARG002
        """`total` runs are about to start, which should take `expected_s` together."""
        self.total, self.began = total, time.monotonic()
        side_by_side = f", {workers} at a time" if workers > 1 else ""
        self.say(f"running {total} run{'s' * (total != 1)}{side_by_side}")

    def started(self, job: Job) -> None:
        """A run's worker has started."""

    def epoch(self, job: Job, epoch: int, figures: Mapping[str, float]) -> None:
        """A run has finished an epoch (from 1); `figures` are what it reported of it, by name."""

    def postponed(self, job: Job) -> None:
        """Another sweep is running this job; it is waited for."""
        self.say(f"waiting: {job.label} is being run by another sweep")

    def retrying(self, job: Job, reason: str) -> None:
        """A run's process died; it is run once more."""
        self.say(f"again: {job.label}: {reason}")

    def ended(self, summary: RunSummary) -> None:
        """A run has ended."""
        self.count(summary)
        count = f"[{self.n_ended}/{self.total}]"
        if self.total <= self.max_lines:
            self.say(f"{count} {ending(summary)}")
            return
        if summary.failed and self.n_failed <= MAX_FAILURES:
            self.say(ending(summary))
        parts_before = (self.n_ended - 1) * MAX_LINES // self.total
        if self.n_ended * MAX_LINES // self.total > parts_before:
            spent = time.monotonic() - self.began
            left = self.total - self.n_ended
            failed = f"{self.n_failed} failed, " if self.n_failed else ""
            ahead = f", about {clock(spent / self.n_ended * left)} remaining" if left else ""
            self.say(f"{count} {failed}{clock(spent)} elapsed{ahead}")

    def count(self, summary: RunSummary) -> None:
        """Add a run that has ended to the totals."""
        self.n_ended += 1
        self.n_failed += summary.failed
        self.n_pruned += summary.pruned

    def refresh(self) -> None:
        """Some time has passed."""

    def end(self) -> None:
        """Nothing more runs."""

    def say(self, text: str) -> None:
        """Write a line."""
        self.console.print(Text(harmless(text)), soft_wrap=True)


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
