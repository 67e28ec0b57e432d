"""What a sweep, a study or a search returns to its caller: the command line or Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mnist_sweep.analysis.selection import Direction
from mnist_sweep.analysis.uncertainty import UncertainSelection
from mnist_sweep.records.study_file import Study
from mnist_sweep.sweeping.launch.job import RunSummary
from mnist_sweep.sweeping.plan.points import Plan


@dataclass
class SweepResult:
    """What one command did.

    Attributes:
        directory: The sweep's; with `plan=true` it may not exist.
        plan: The points asked for.
        skipped: Run ids that were done before.
        summaries: Of the runs that ended.
        notices: What the user should know.
        interrupted: Whether it was stopped before all runs ended.
        planned_only: Whether nothing was to be run (`plan=true`).
        report: Whether report.html is to be written.
        wall_s: Seconds from reading the grid to the end of the last run.
        workers: The number of runs at a time.
        study: What study.json holds; None where the sweep is no study.
        selections: Stage -> what it selected.
        deferred_stages: With `plan=true`, of a study: what its later stages depend on, in words.
        n_requested: The number of runs asked for; None: as many as the plan has points.
        objective: Metric and direction of a search; None where the sweep is no search.
        plan_text: With `plan=true`, of a search: what it would do, in words.
    """

    directory: Path
    plan: Plan
    skipped: list[str] = field(default_factory=list)
    summaries: list[RunSummary] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    interrupted: bool = False
    planned_only: bool = False
    report: bool = True
    wall_s: float = 0.0
    workers: int = 1
    study: Study | None = None
    selections: dict[str, UncertainSelection] = field(default_factory=dict)
    deferred_stages: list[str] = field(default_factory=list)
    n_requested: int | None = None
    objective: tuple[str, Direction] | None = None
    plan_text: list[str] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """Runs that failed or diverged, in this invocation."""
        return sum(summary.failed for summary in self.summaries)
