"""What a person sees while a sweep runs: a live display, or a line per finished run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mnist_sweep.config import Plain


class Progress(Protocol):
    """Is told by a launcher what happens to its runs."""

    def begin(self, total: int, workers: int) -> None:
        """A launcher takes on `total` runs."""

    def started(self, job: Plain) -> None:
        """A run's worker has started."""

    def epoch(self, job: Plain, epoch: int, accuracy: float) -> None:
        """A run has finished an epoch (from 1) with this validation accuracy."""

    def postponed(self, job: Plain) -> None:
        """Another sweep is at this run; it is waited for."""

    def retrying(self, job: Plain, reason: str) -> None:
        """A run's process died; it is run once more."""

    def ended(self, summary: Plain) -> None:
        """A run has come to an end."""

    def refresh(self) -> None:
        """Some time has passed."""

    def end(self) -> None:
        """Nothing more runs."""


class Lines:
    """One plain line per run that ended: for logs, pipes and CI.

    Args:
        console: Where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = 0
        self._ended = 0

    def begin(self, total: int, workers: int) -> None:
        """Say what is coming."""
        self._total = total
        side_by_side = f", {workers} at a time" if workers > 1 else ""
        self._say(f"running {_count(total)}{side_by_side}")

    def started(self, job: Plain) -> None:
        """Nothing: a line at the end is enough."""

    def epoch(self, job: Plain, epoch: int, accuracy: float) -> None:
        """Nothing."""

    def postponed(self, job: Plain) -> None:
        """Say that another sweep is at it."""
        self._say(f"waiting: {job['label']} is being run by another sweep")

    def retrying(self, job: Plain, reason: str) -> None:
        """Say why a run starts again."""
        self._say(f"again: {job['label']}: {reason}")

    def ended(self, summary: Plain) -> None:
        """Say how a run ended."""
        self._ended += 1
        self._say(f"[{self._ended}/{self._total}] {_ending(summary)}")

    def refresh(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


@dataclass
class _Row:
    job: Plain
    started: float
    epoch: int = 0
    accuracy: float | None = None


class Display:
    """A live table of what every worker is doing, over one line per failed run.

    Args:
        console: A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._rows: dict[str, _Row] = {}
        self._counts = {"finished": 0, "failed": 0, "diverged": 0, "done": 0}
        self._total = 0
        self._workers = 1
        self._began = time.monotonic()
        self._seconds = 0.0
        self._waiting: set[str] = set()

    def begin(self, total: int, workers: int) -> None:
        """Start the display."""
        self._total, self._workers = total, workers
        self._began = time.monotonic()
        self._live.start()
        self.refresh()

    def started(self, job: Plain) -> None:
        """Give a run its row."""
        self._waiting.discard(job["run_id"])
        self._rows[job["run_id"]] = _Row(job, time.monotonic())

    def epoch(self, job: Plain, epoch: int, accuracy: float) -> None:
        """Show how far a run is."""
        row = self._rows[job["run_id"]]
        row.epoch, row.accuracy = epoch, accuracy

    def postponed(self, job: Plain) -> None:
        """Show that another sweep is at it."""
        self._rows.pop(job["run_id"], None)
        self._waiting.add(job["run_id"])

    def retrying(self, job: Plain, reason: str) -> None:
        """Say why a run starts again."""
        self._rows.pop(job["run_id"], None)
        self._console.print(Text(f"again: {job['label']}: {reason}", style="yellow"))

    def ended(self, summary: Plain) -> None:
        """Count a run, and say it if it failed."""
        row = self._rows.pop(summary["run_id"], None)
        self._waiting.discard(summary["run_id"])
        if row is not None and summary["outcome"] != "done":
            self._seconds += time.monotonic() - row.started
        self._counts[summary["outcome"]] += 1
        if summary["outcome"] in ("failed", "diverged"):
            self._console.print(Text(_ending(summary), style="red"))

    def refresh(self) -> None:
        """Draw again."""
        self._live.update(self._picture())

    def end(self) -> None:
        """Take the display away."""
        self._live.stop()

    def _picture(self) -> Table:
        ended = sum(self._counts.values())
        left = self._total - ended
        failed = self._counts["failed"] + self._counts["diverged"]
        words = [f"{ended - failed} done", f"{left} left"]
        words[1:1] = [f"{failed} failed"] if failed else []
        words += [f"{_clock(time.monotonic() - self._began)} elapsed"]
        remaining = self._remaining(left)
        words += [f"about {_clock(remaining)} remaining"] if remaining is not None else []
        words += [f"{len(self._waiting)} run elsewhere"] if self._waiting else []
        table = Table(box=None, pad_edge=False, caption=", ".join(words), caption_justify="left")
        table.add_column("run", ratio=1, overflow="ellipsis", no_wrap=True)
        table.add_column("epoch", justify="right", no_wrap=True)
        table.add_column("validation accuracy", justify="right", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        for row in self._rows.values():
            accuracy = "" if row.accuracy is None else f"{row.accuracy:.2%}"
            epochs = f"{row.epoch}/{row.job['settings']['epochs']}"
            spent = _clock(time.monotonic() - row.started)
            table.add_row(Text(row.job["label"]), epochs, accuracy, spent)
        return table

    def _remaining(self, left: int) -> float | None:
        """Seconds left, from the mean of the runs that ended; None before the first has."""
        ran = self._counts["finished"] + self._counts["failed"] + self._counts["diverged"]
        if not ran:
            return None
        mean = self._seconds / ran
        spent = sum(min(mean, time.monotonic() - row.started) for row in self._rows.values())
        return max(0.0, (mean * left - spent) / min(self._workers, max(left, 1)))


def choose(console: Console) -> Progress:
    """A live display on a terminal, lines elsewhere and in CI."""
    if console.is_terminal and not os.environ.get("CI"):
        return Display(console)
    return Lines(console)


def _ending(summary: Plain) -> str:
    label: Any = summary["label"]
    match summary["outcome"]:
        case "finished":
            accuracy, seconds = summary["accuracy"], summary["total_s"]
            return f"{label}: test accuracy {accuracy:.2%} in {seconds:.1f} s"
        case "done":
            return f"{label}: was done already"
        case outcome:
            return f"{label} {outcome}: {summary['message']}"


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
