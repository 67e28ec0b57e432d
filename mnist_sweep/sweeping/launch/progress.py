"""What is shown of a sweep while it runs: plain lines, or a live table on a terminal."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mnist_sweep.errors import harmless
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import epochs_of, is_task
from mnist_sweep.sweeping.context import Verbosity
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary

MAX_LINES = 5
"""Lines about runs that ended; as many runs have a line each."""
MAX_FAILURES = 3
DRAW_S = 0.2
FIGURES_WIDTH = 33
"""Of the columns right of a run's label: accuracy, time, and the space around them."""


def choose(
    console: Console, verbosity: Verbosity = Verbosity.NORMAL, *, reports_epochs: bool = True
) -> Progress:
    """What shows a sweep on a console; without `reports_epochs` that is only how runs end."""
    if verbosity is Verbosity.QUIET:
        return Progress(Console(quiet=True))
    if verbosity is Verbosity.VERBOSE:
        return Progress(console)
    # A command after `!` in a notebook has a terminal that shows every frame below the last.
    is_plain = any(map(os.environ.get, ("CI", "JPY_PARENT_PID")))
    is_live = console.is_jupyter or (console.is_terminal and not is_plain)
    return Progress(console, MAX_LINES, live=is_live and reports_epochs)


@dataclass
class _Row:
    job: Job
    started: float
    epochs: int | None
    epoch: int = 0
    figure: str = ""
    epoch_at: float = 0.0

    @property
    def done_s(self) -> float:
        """The part of the job's `expected_s` that the epochs done so far stand for."""
        return self.job.expected_s * min(1.0, self.epoch / (self.epochs or math.inf))

    def reached_s(self, pace: float) -> float:
        """The part of `expected_s` that should be done by now, at `pace` real seconds each."""
        since = time.monotonic() - (self.epoch_at if self.epoch else self.started)
        return min(self.job.expected_s, self.done_s + since / max(pace, 1e-9))


class _NotebookLive:
    """As Rich's `Live`, which in a notebook needs ipywidgets."""

    def __init__(self, picture: RenderableType) -> None:
        self._picture = picture

    def start(self) -> None:
        self._notebook = import_module("IPython.display")
        self._handle = self._notebook.display(self._notebook.HTML(""), display_id=True)

    def refresh(self) -> None:
        page = Console(file=io.StringIO(), record=True, width=100, force_jupyter=False)
        page.print(self._picture)
        text = page.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
        self._handle.update(self._notebook.HTML(text))

    stop = refresh


class Progress:
    """Told by a launcher what happens to its runs; says it in plain lines, or in a live table.

    Above the table there is a line for each of the first failures. Without one, more runs than
    `max_lines` have no line each, but a line after each fifth of the runs and the first failures.
    """

    def __init__(
        self, console: Console, max_lines: float = math.inf, *, live: bool = False
    ) -> None:
        self.console, self.max_lines = console, max_lines
        self.live: Live | _NotebookLive | None = None
        if live and console.is_jupyter:
            self.live = _NotebookLive(self)
        elif live:
            # Only `refresh` draws: Rich's own thread would draw while rows change.
            self.live = Live(self, console=console, auto_refresh=False, transient=True)
        self.total = self.n_ended = self.n_failed = self.n_pruned = 0
        self._workers, self._is_over, self._widest = 1, False, 0
        self._began, self._drawn = time.monotonic(), -math.inf
        self._rows: dict[str, _Row] = {}
        self._elsewhere: set[str] = set()
        self._expected_s = self._ended_expected_s = self._ended_s = 0.0

    def begin(self, total: int, workers: int, expected_s: float = 0.0) -> None:
        """`total` runs are about to start, which should take `expected_s` together."""
        self.total, self._workers, self._began = total, workers, time.monotonic()
        self._expected_s = expected_s or float(total)
        if self.live:
            self.live.start()
            self.refresh()
        else:
            side_by_side = f", {workers} at a time" if workers > 1 else ""
            self.say(f"running {total} run{'s' * (total != 1)}{side_by_side}")

    def started(self, job: Job) -> None:
        """A run's worker has started."""
        self._elsewhere.discard(job.run_id)
        self._rows[job.run_id] = _Row(job, time.monotonic(), epochs_of(job.settings))

    def epoch(self, job: Job, epoch: int, figures: Mapping[str, float]) -> None:
        """A run has finished an epoch (from 1), of which it reported these figures."""
        if row := self._rows.get(job.run_id):
            row.epoch, row.figure, row.epoch_at = epoch, _figure(figures), time.monotonic()

    def postponed(self, job: Job) -> None:
        """Another sweep is running this job; it is waited for."""
        self._rows.pop(job.run_id, None)
        self._elsewhere.add(job.run_id)
        if not self.live:
            self.say(f"waiting: {job.label} is being run by another sweep")

    def retrying(self, job: Job, reason: str) -> None:
        """A run's process died; it is run once more."""
        self._rows.pop(job.run_id, None)
        self.say(f"again: {job.label}: {reason}", "yellow")

    def ended(self, summary: RunSummary) -> None:
        """A run has ended."""
        self.n_ended += 1
        self.n_failed += summary.failed
        self.n_pruned += summary.pruned
        row = self._rows.pop(summary.run_id, None)
        self._elsewhere.discard(summary.run_id)
        if row is None or summary.origin is Origin.ALREADY_DONE:
            # Another sweep ran it, so its time here is unknown.
            self._expected_s -= self._expected_s / max(self.total, 1)
        else:
            self._ended_s += time.monotonic() - row.started
            self._ended_expected_s += row.job.expected_s
        count = f"[{self.n_ended}/{self.total}]"
        if self.total <= self.max_lines and not self.live:
            self.say(f"{count} {ending(summary)}")
            return
        if summary.failed and self.n_failed <= MAX_FAILURES:
            self.say(ending(summary), "red")
        parts_before = (self.n_ended - 1) * MAX_LINES // self.total
        if not self.live and self.n_ended * MAX_LINES // self.total > parts_before:
            spent = time.monotonic() - self._began
            left = self.total - self.n_ended
            failed = f"{self.n_failed} failed, " if self.n_failed else ""
            ahead = f", about {clock(spent / self.n_ended * left)} remaining" if left else ""
            self.say(f"{count} {failed}{clock(spent)} elapsed{ahead}")

    def refresh(self) -> None:
        """Some time has passed: the table is drawn again, a few times a second at most."""
        if self.live and time.monotonic() - self._drawn >= DRAW_S:
            self._drawn = time.monotonic()
            self.live.refresh()

    def end(self) -> None:
        """Nothing more runs: the table goes away; a notebook keeps the totals."""
        self._rows.clear()
        self._is_over = True
        if self.live:
            self.live.stop()

    def say(self, text: str, style: str = "") -> None:
        """Write a line; above the table it is cut, since the summary has the whole text."""
        if self.live:
            line = Text(harmless(text).partition("\n")[0], style=style)
            self.console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            self.console.print(Text(harmless(text)), soft_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = list(self._rows.values())
        # As wide as the widest so far: columns that jump as runs come and go are hard to read.
        self._widest = max([self._widest, *(len(row.job.label) for row in rows)])
        longest = max((2 * len(f"{row.epochs or 10}") + 1 for row in rows), default=5)
        table = Table(box=None, pad_edge=False, header_style="bold")
        width = max(3, min(self._widest, options.max_width - FIGURES_WIDTH - longest))
        table.add_column("run", width=width, overflow="ellipsis", no_wrap=True)
        accuracy = all(not is_task(row.job.settings) for row in rows)
        for heading in ("epoch", "validation accuracy" if accuracy else "last epoch", "time"):
            table.add_column(heading, justify="right", no_wrap=True)
        # A table higher than the terminal would be cut from below, totals first.
        room = max(1, console.size.height - 5)
        for row in rows[:room]:
            epoch = f"{row.epoch}/{row.epochs}" if row.epochs else f"{row.epoch or ''}"
            spent = clock(time.monotonic() - row.started)
            table.add_row(Text(row.job.label), epoch, row.figure, spent)
        if rows:
            yield table
        elif not (self.n_ended or self._elsewhere or self._is_over):
            yield Text("starting worker processes")  # TensorFlow's import takes seconds
        if len(rows) > room:
            yield Text(f"and {len(rows) - room} more")
        yield Text(self._totals(), style="bold")

    def _totals(self) -> str:
        left = self.total - self.n_ended
        words = [f"{self.n_ended - self.n_failed - self.n_pruned} done"]
        words += [f"{self.n_pruned} pruned"] if self.n_pruned else []
        words += [f"{self.n_failed} failed"] if self.n_failed else []
        words += [f"{left} left"]
        words += [f"{len(self._elsewhere)} run elsewhere"] if self._elsewhere else []
        words += [f"{clock(time.monotonic() - self._began)} elapsed"]
        if not self._is_over and (remaining := self._remaining(left)) is not None:
            words += [f"about {clock(remaining)} remaining"]
        return ", ".join(words)

    def _remaining(self, left: int) -> float | None:
        """Seconds left at the pace of what was seen so far; None before any epoch has ended."""
        rows = self._rows.values()
        done = self._ended_expected_s + sum(row.done_s for row in rows)
        if not done:
            return None
        spent = self._ended_s + sum(row.epoch_at - row.started for row in rows if row.epoch)
        pace = spent / done
        ahead = self._expected_s - self._ended_expected_s
        ahead -= sum(row.reached_s(pace) for row in rows)
        return max(0.0, ahead) * pace / min(self._workers, max(left, 1))


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


def _figure(figures: Mapping[str, float]) -> str:
    """The accuracy, validation's if it has any, or the first figure with its name."""
    accuracy = figures.get("val_accuracy", figures.get("accuracy"))
    if accuracy is not None:
        return f"{accuracy:.2%}"
    return next((f"{name} {value:.4g}" for name, value in figures.items()), "")
