"""What a sweep, a study or a search returns to its caller: the command line or Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mnist_sweep.analysis.selection import Direction
from mnist_sweep.analysis.uncertainty import UncertainSelection
from mnist_sweep.records.plan_file import Invocation
from mnist_sweep.records.study_file import Study
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.launch.job import Origin, RunSummary
from mnist_sweep.sweeping.launch.submitted import SubmittedJob
from mnist_sweep.sweeping.plan.points import Plan, union


@dataclass
class SweepResult:
    """What one command did; it grows as runs end, and stands where the sweep is interrupted.

    Attributes:
        invocation: The command, as sweep.json has it.
        environment: What records say of versions, code and machine (`environment.describe`).
        skipped: Run ids that were done before.
        summaries: Of the runs that ended.
        queued: Jobs of these points in a cluster's queue, or running there: submitted with
            `wait=false`, or by an earlier command and left as they are.
        leaves: Whether the command does not wait for them.
        used_up: The sweep's `budget_s` where it was too small for all runs; None: it was not.
        notices: What the user should know.
        report: Whether report.html is to be written.
        wall_s: Seconds from reading the grid to the end of the last run.
        study: What study.json holds; None where the sweep is no study.
        selections: Stage -> what it selected.
        n_requested: The number of requested runs; None: as many as the plan has points.
        objective: Metric and direction of a search; None where the sweep is no search.
    """

    directory: Path
    plan: Plan
    invocation: Invocation = field(default_factory=Invocation)
    environment: Plain = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    summaries: list[RunSummary] = field(default_factory=list)
    queued: list[SubmittedJob] = field(default_factory=list)
    leaves: bool = False
    used_up: float | None = None
    notices: list[str] = field(default_factory=list)
    interrupted: bool = False
    report: bool = True
    wall_s: float = 0.0
    workers: int = 1
    study: Study | None = None
    selections: dict[str, UncertainSelection] = field(default_factory=dict)
    n_requested: int | None = None
    objective: tuple[str, Direction] | None = None

    @property
    def requested(self) -> int:
        """How many runs were requested."""
        return len(self.plan.points) if self.n_requested is None else self.n_requested

    @property
    def ran(self) -> list[RunSummary]:
        """Of the runs that this command carried out."""
        return [summary for summary in self.summaries if summary.origin is Origin.RAN]

    @property
    def failures(self) -> int:
        """How many of them failed or diverged."""
        return sum(summary.failed for summary in self.summaries)

    def add(self, part: SweepResult) -> None:
        """Add the result of some of its points."""
        # A run of an earlier part was done when this one began, and is no skipped run of the sweep.
        known = {*self.skipped, *(summary.run_id for summary in self.summaries)}
        self.skipped += [run_id for run_id in part.skipped if run_id not in known]
        self.summaries += part.summaries
        self.queued += [one for one in part.queued if one not in self.queued]
        self.used_up = self.used_up or part.used_up
        self.workers = max(self.workers, part.workers)

    def join(self, other: SweepResult) -> None:
        """Add the result of a further command in the same directory."""
        # Of a search more runs are requested than there are points yet.
        unplanned = sum(one.requested - len(one.plan.points) for one in (self, other))
        self.add(other)
        self.plan = union([self.plan, other.plan])
        self.n_requested = len(self.plan.points) + unplanned
        self.notices = list(dict.fromkeys([*self.notices, *other.notices]))
        self.interrupted, self.report = other.interrupted, other.report
        self.leaves = self.leaves or other.leaves
        self.wall_s += other.wall_s
        self.study = other.study or self.study
        self.selections |= other.selections
        self.objective = other.objective or self.objective
