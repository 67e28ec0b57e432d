"""What came of a sweep, handed from Hydra's inside to the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mnist_sweep.analysis.selection import Direction
from mnist_sweep.analysis.uncertainty import UncertainSelection
from mnist_sweep.records.study_file import Study
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.points import Plan


@dataclass
class Outcome:
    """What came of one invocation.

    Attributes:
        directory: The sweep's; for a mere plan it may not exist.
        plan: The points asked for.
        skipped: Run ids that had been done before.
        summaries: Of the runs that came to an end (see `execute.summary`).
        notices: What the user should know.
        interrupted: Whether it was stopped before all was done.
        planned_only: Whether nothing was to be run (`plan=true`).
        report: Whether report.html is to be written.
        wall_s: Seconds from the reading of the grid to the last run.
        workers: How many runs went at once.
        study: What study.json holds; None where the sweep is no study.
        selections: Stage -> what it selected.
        later: Of a mere plan of a study: what later stages depend on, in words.
        asked: How many runs were asked for; None: as many as the plan has points.
        by: Metric and direction that a search went by; None where the sweep is no search.
        told: Of a mere plan of a search: what it would do, in words.
    """

    directory: Path
    plan: Plan
    skipped: list[str] = field(default_factory=list)
    summaries: list[Plain] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    interrupted: bool = False
    planned_only: bool = False
    report: bool = True
    wall_s: float = 0.0
    workers: int = 1
    study: Study | None = None
    selections: dict[str, UncertainSelection] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)
    asked: int | None = None
    by: tuple[str, Direction] | None = None
    told: list[str] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """How many runs ended so."""
        return sum(summary["outcome"] == outcome for summary in self.summaries)

    @property
    def failures(self) -> int:
        """Runs that failed or diverged, in this invocation."""
        return self.count("failed") + self.count("diverged")


_delivered: list[Outcome] = []


def deliver(outcome: Outcome) -> Outcome:
    """Leave an outcome for `collect`: Hydra does not hand on what a sweeper returns."""
    _delivered.append(outcome)
    return outcome


def collect() -> Outcome | None:
    """Take the outcome that was delivered, if a sweep came to its end."""
    return _delivered.pop() if _delivered else None
