"""What a person sees while a sweep runs: a live table on a terminal and in a notebook, else lines.

The table shows what every worker is doing. Elsewhere (pipes, logs, CI) there are a few lines,
however many runs there are.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mnist_sweep.errors import harmless
from mnist_sweep.settings import epochs_of, is_task
from mnist_sweep.sweeping.context import Verbosity
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.sweeping.launch.progress import Lines, Progress, ending

DRAW_S = 0.2
MAX_LINES = 5
"""Lines about runs that ended, on no terminal; as many runs have a line each."""
MAX_FAILURES = 3
FIGURES_WIDTH = 33
"""Of the columns right of a run's label: accuracy, time, and the space around them."""


def choose(
    console: Console, verbosity: Verbosity = Verbosity.NORMAL, *, reports_epochs: bool = True
) -> Progress:
    """A live display on a terminal and in a notebook, a few lines elsewhere and in CI.

    Args:
        console: Where to write.
        verbosity: Quiet shows nothing, verbose a line for every run.
        reports_epochs: Whether there is more to see of a run than its end.
    """
    if verbosity is Verbosity.QUIET:
        return Progress()
    if verbosity is Verbosity.VERBOSE:
        return Lines(console)
    is_live = console.is_jupyter or (console.is_terminal and not os.environ.get("CI"))
    return Display(console) if is_live and reports_epochs else Summary(console)


class Summary(Lines):
    """A few plain lines however many runs there are: the first failures, and how far it is.

    Args:
        console: Where to write.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._failed = self._failures_said = 0
        self._began = time.monotonic()

    def ended(self, summary: RunSummary) -> None:
        """Say a run's end where there are few, or how far the sweep is after every fifth."""
        if self._total <= MAX_LINES:
            super().ended(summary)
            return
        self._ended += 1
        self._failed += summary.failed
        if summary.failed and self._failures_said < MAX_FAILURES:
            self._failures_said += 1
            self._say(ending(summary))
        before = (self._ended - 1) * MAX_LINES // self._total
        if self._ended * MAX_LINES // self._total > before:
            spent = time.monotonic() - self._began
            left = self._total - self._ended
            failed = f"{self._failed} failed, " if self._failed else ""
            ahead = f", about {_clock(spent / self._ended * left)} remaining" if left else ""
            self._say(f"[{self._ended}/{self._total}] {failed}{_clock(spent)} elapsed{ahead}")


@dataclass
class _Row:
    job: Job
    started: float
    epoch: int = 0
    figure: str = ""
    epoch_at: float = 0.0

    @property
    def epochs(self) -> int | None:
        return epochs_of(self.job.settings)

    @property
    def progress(self) -> str:
        return f"{self.epoch}/{self.epochs}" if self.epochs else f"{self.epoch or ''}"

    @property
    def expected_s(self) -> float:
        return self.job.expected_s

    @property
    def done_s(self) -> float:
        """The part of `expected_s` that the epochs done so far stand for."""
        return self.expected_s * min(1.0, self.epoch / (self.epochs or math.inf))

    def reached_s(self, pace: float) -> float:
        """The part of `expected_s` that should be done by now, at `pace` real seconds each."""
        since = time.monotonic() - (self.epoch_at if self.epoch else self.started)
        return min(self.expected_s, self.done_s + since / max(pace, 1e-9))


@dataclass
class _Sized:
    """What is drawn as wide and as high as the terminal allows."""

    draw: Callable[[int, int], Group]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.draw(options.max_width, console.size.height)


class _NotebookLive:
    """The part of Rich's `Live` that is used here, as a notebook's own output."""

    def start(self) -> None:
        """Make the output that is updated from then on."""
        self._notebook = import_module("IPython.display")
        self._handle = self._notebook.display(self._notebook.HTML(""), display_id=True)

    def update(self, picture: RenderableType, *, refresh: bool) -> None:  # noqa: ARG002
        """Draw it in place of what was drawn before."""
        page = Console(file=io.StringIO(), record=True, width=100, force_jupyter=False)
        page.print(picture)
        text = page.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
        self._handle.update(self._notebook.HTML(text))

    def stop(self) -> None:
        """Take it away."""
        self._handle.update(self._notebook.HTML(""))


class Display(Progress):
    """A live table of what every worker is doing, below one line per run that failed.

    Args:
        console: A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        # Only `refresh` draws: Rich's own thread would draw while rows change.
        self._live: Live | _NotebookLive = _NotebookLive()
        if not console.is_jupyter:
            self._live = Live(console=console, auto_refresh=False, transient=True)
        self._rows: dict[str, _Row] = {}
        self._ended = self._failed = self._pruned = 0
        self._total = 0
        self._workers = 1
        self._began = time.monotonic()
        self._drawn = -math.inf
        self._expected_s = 0.0
        self._ended_expected_s = 0.0
        self._ended_s = 0.0
        self._waiting: set[str] = set()
        self._widest = 0

    def begin(self, total: int, workers: int, expected_s: float = 0.0) -> None:
        """Start the display."""
        self._total, self._workers = total, workers
        self._expected_s = expected_s or float(total)
        self._began = time.monotonic()
        self._live.start()
        self.refresh()

    def started(self, job: Job) -> None:
        """Give a run its row."""
        self._waiting.discard(job.run_id)
        self._rows[job.run_id] = _Row(job, time.monotonic())

    def epoch(self, job: Job, epoch: int, figures: Mapping[str, float]) -> None:
        """Show how far a run is."""
        row = self._rows[job.run_id]
        row.epoch, row.figure, row.epoch_at = epoch, _figure(figures), time.monotonic()

    def postponed(self, job: Job) -> None:
        """Show that another sweep is running it."""
        self._rows.pop(job.run_id, None)
        self._waiting.add(job.run_id)

    def retrying(self, job: Job, reason: str) -> None:
        """Say why a run starts again."""
        self._rows.pop(job.run_id, None)
        self._say(f"again: {job.label}: {reason}", "yellow")

    def ended(self, summary: RunSummary) -> None:
        """Count a run, and say it if it failed."""
        row = self._rows.pop(summary.run_id, None)
        self._waiting.discard(summary.run_id)
        if row is None or summary.origin is Origin.ALREADY_DONE:
            # Another sweep ran it, so its time here is unknown.
            self._expected_s -= self._expected_s / max(self._total, 1)
        else:
            self._ended_s += time.monotonic() - row.started
            self._ended_expected_s += row.expected_s
        self._ended += 1
        self._failed += summary.failed
        self._pruned += summary.pruned
        if summary.failed:
            self._say(ending(summary), "red")

    def refresh(self) -> None:
        """Draw again, a few times a second at most."""
        if time.monotonic() - self._drawn >= DRAW_S:
            self._drawn = time.monotonic()
            self._live.update(self._picture(), refresh=True)

    def end(self) -> None:
        """Take the display away."""
        self._live.stop()

    def _say(self, text: str, style: str) -> None:
        # Whole words on lines of their own, above the table.
        self._console.print(Text(harmless(text), style=style))

    def _picture(self) -> _Sized:
        return _Sized(self._draw)

    def _draw(self, width: int, height: int) -> Group:
        rows = list(self._rows.values())
        table = Table(box=None, pad_edge=False, header_style="bold")
        # As wide as the widest so far: columns that jump as runs come and go are hard to read.
        self._widest = max([self._widest, *(len(row.job.label) for row in rows)])
        longest = max((2 * len(f"{row.epochs or 10}") + 1 for row in rows), default=5)
        label_width = max(3, min(self._widest, width - FIGURES_WIDTH - longest))
        table.add_column("run", width=label_width, overflow="ellipsis", no_wrap=True)
        table.add_column("epoch", justify="right", no_wrap=True)
        accuracy = all(not is_task(row.job.settings) for row in rows)
        heading = "validation accuracy" if accuracy else "last epoch"
        table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        # A table higher than the terminal would be cut from below, totals first.
        room = max(1, height - 5)
        for row in rows[:room]:
            spent = _clock(time.monotonic() - row.started)
            table.add_row(Text(row.job.label), row.progress, row.figure, spent)
        more = [Text(f"and {len(rows) - room} more")] if len(rows) > room else []
        return Group(table, *more, Text(self._totals(), style="bold"))

    def _totals(self) -> str:
        ended, failed, pruned = self._ended, self._failed, self._pruned
        words = [f"{ended - failed - pruned} done"]
        words += [f"{pruned} pruned"] if pruned else []
        words += [f"{failed} failed"] if failed else []
        words += [f"{self._total - ended} left"]
        words += [f"{len(self._waiting)} run elsewhere"] if self._waiting else []
        words += [f"{_clock(time.monotonic() - self._began)} elapsed"]
        remaining = self._remaining(self._total - ended)
        words += [f"about {_clock(remaining)} remaining"] if remaining is not None else []
        return ", ".join(words)

    def _remaining(self, left: int) -> float | None:
        """Seconds left: the expected ones, at the pace of what was seen so far.

        None before the first epoch has ended.
        """
        rows = self._rows.values()
        done = self._ended_expected_s + sum(row.done_s for row in rows)
        spent = self._ended_s + sum(row.epoch_at - row.started for row in rows if row.epoch)
        if not done:
            return None
        pace = spent / done
        ahead = self._expected_s - self._ended_expected_s
        ahead -= sum(row.reached_s(pace) for row in rows)
        return max(0.0, ahead) * pace / min(self._workers, max(left, 1))


def _figure(figures: Mapping[str, float]) -> str:
    """The accuracy, validation's if it has any, or the first figure with its name."""
    accuracy = figures.get("val_accuracy", figures.get("accuracy"))
    if accuracy is not None:
        return f"{accuracy:.2%}"
    return next((f"{name} {value:.4g}" for name, value in figures.items()), "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
