"""What a sweep, a study or a search returns to its caller: the command line or Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mnist_sweep.analysis.selection import Direction, Selection
from mnist_sweep.records.plan_file import Invocation
from mnist_sweep.records.study_file import Study
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.launch.job import RunSummary
from mnist_sweep.sweeping.launch.submitted import SubmittedJob
from mnist_sweep.sweeping.plan.points import Plan, union


@dataclass
class SweepResult:
    """What one command did; it grows as runs end, and stands where the sweep is interrupted."""

    directory: Path
    plan: Plan
    invocation: Invocation = field(default_factory=Invocation)  # the command
    environment: Plain = field(default_factory=dict)  # `environment.describe`
    skipped: list[str] = field(default_factory=list)  # run ids that were done before
    summaries: list[RunSummary] = field(default_factory=list)  # of the runs that ended
    # Jobs of these points in a cluster's queue, or running there: submitted with `wait=false`, or
    # by an earlier command and left as they are.
    queued: list[SubmittedJob] = field(default_factory=list)
    leaves: bool = False  # the command does not wait for them
    used_up: float | None = None  # the sweep's `budget_s` where it was too small for all runs
    notices: list[str] = field(default_factory=list)  # what the user should know
    interrupted: bool = False
    report: bool = True  # report.html is to be written
    wall_s: float = 0.0  # from reading the grid to the end of the last run
    workers: int = 1  # the number of runs at a time, now
    study: Study | None = None  # what study.json holds; None where the sweep is no study
    selections: dict[str, Selection] = field(default_factory=dict)  # by stage
    n_requested: int | None = None  # None: as many as the plan has points
    objective: tuple[str, Direction] | None = None  # of a search: its metric and direction

    @property
    def requested(self) -> int:
        """How many runs were requested."""
        return len(self.plan.points) if self.n_requested is None else self.n_requested

    @property
    def failures(self) -> int:
        """How many of the runs that ended failed or diverged."""
        return sum(summary.failed for summary in self.summaries)

    def join(self, other: SweepResult) -> None:
        """Add the result of a further command in the same directory."""
        # Of a search more runs are requested than there are points yet.
        unplanned = sum(one.requested - len(one.plan.points) for one in (self, other))
        # What the earlier command ran was done when this one began.
        known = {*self.skipped, *(summary.run_id for summary in self.summaries)}
        self.skipped += [run_id for run_id in other.skipped if run_id not in known]
        self.summaries += other.summaries
        self.queued += [one for one in other.queued if one not in self.queued]
        self.used_up = self.used_up or other.used_up
        self.plan = union([self.plan, other.plan])
        self.n_requested = len(self.plan.points) + unplanned
        self.notices = list(dict.fromkeys([*self.notices, *other.notices]))
        self.interrupted, self.report = other.interrupted, other.report
        self.leaves = self.leaves or other.leaves
        self.wall_s += other.wall_s
        self.study = other.study or self.study
        self.selections |= other.selections
        self.objective = other.objective or self.objective
