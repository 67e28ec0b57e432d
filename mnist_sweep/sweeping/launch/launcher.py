"""What a launcher is, and the loop that all launchers share: hand jobs out, collect their results.

Which job starts next, jobs that another sweep is running, retries, the failed record of a run whose
process died, fail-fast, the budget and interrupts are dealt with here. A launcher says how many
runs go at a time, how a run is started, and how its end is noticed.

A launcher of one's own is a subclass of `SweepLauncher`, in any module that Python can import, and
a config file that names it: `hydra/launcher/mine.yaml` with `_target_: my_module.MyLauncher`.
"""

from __future__ import annotations

import math
import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from rich.console import Console

from mnist_sweep.errors import DirectoryError, SettingsError, UsageError
from mnist_sweep.records.locks import is_held
from mnist_sweep.records.progress_file import add_epoch
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import epochs_of
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch.execute import RunTimeoutError, death, write_failure
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary, done_summary
from mnist_sweep.sweeping.launch.progress import Progress, choose
from mnist_sweep.sweeping.plan.estimate import Estimator, past_runs

if TYPE_CHECKING:
    from mnist_sweep.sweeping.launch.submitted import SubmittedJob
    from mnist_sweep.sweeping.result import SweepResult
    from mnist_sweep.sweeping.search.search import Search

POLL_S = 0.5
"""How often runs of other sweeps are looked at where none of one's own runs."""


class Budget:
    """Seconds that a sweep may take from now on (None: no limit), and which runs end in time."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + (math.inf if seconds is None else seconds)
        self._paces: list[float] = []
        self._pace: float | None = None

    @property
    def left_s(self) -> float:
        """What is left of it."""
        return self._end - time.monotonic()

    def learn(self, job: Job, summary: RunSummary) -> None:
        """Note how long a run took, compared with what was expected."""
        if summary.total_s and summary.status is RunStatus.FINISHED:
            self._paces.append(summary.total_s / job.expected_s)
            self._pace = statistics.median(self._paces)  # `fits` is asked for each waiting job

    def fits(self, job: Job, ahead_s: float = 0.0) -> bool:
        """Whether a run would end in time, after others whose `expected_s` are `ahead_s`."""
        if self.seconds is None:
            return True
        # How long a run takes is known from the sweep's own runs, or from earlier ones.
        pace = self._pace or (1.0 if job.estimated else None)
        if pace is None or self.left_s <= 0:
            return self.left_s > 0  # of runs that nothing is known of, one must show the pace
        own_s = min(pace * job.expected_s, job.timeout_s or math.inf)
        return pace * ahead_s + own_s <= self.left_s


class SweepLauncher(Launcher, ABC):
    """Runs jobs, several at a time; `active` are those that were started and have not ended.

    After `setup`, `config` is the sweep's config and `context` its `SweepContext`.
    """

    # Whether running jobs report their epochs, so that they are displayed and may be pruned.
    reports_epochs: ClassVar[bool] = True
    # Whether it gives each run its GPU, as the settings `gpus` and `runs_per_gpu` say.
    shares_gpus: ClassVar[bool] = False
    # Whether runs go on without this process, so that `wait=false` may be asked for.
    can_leave: bool = False

    config: DictConfig
    context: SweepContext
    budget: Budget
    _estimator: Estimator | None = None

    @abstractmethod
    def workers(self, n_jobs: int, threads: int) -> int:
        """How many of `n_jobs` runs, of `threads` threads each, go at a time."""

    @abstractmethod
    def start(self, job: Job) -> None:
        """Start a job and add it to `active`; or finish or postpone it at once."""

    @abstractmethod
    def wait(self) -> None:
        """Wait a moment for what active runs report; finish, postpone or retry those that ended."""

    @abstractmethod
    def stop(self) -> None:
        """End all active runs at once."""

    def room(self) -> int:
        """How many runs may be active at a time."""
        return self.n_workers

    def ahead_s(self) -> float:
        """The `expected_s` of jobs that would run before one that is started now."""
        return 0.0

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives; SettingsError where a setting is not one for this launcher."""
        if not self.shares_gpus and (config.gpus is not None or config.runs_per_gpu != 1):
            raise SettingsError(
                "gpus and runs_per_gpu are settings of hydra/launcher=pool. Other launchers have "
                "their own: hydra.launcher.num_gpus (ray), hydra.launcher.gpus_per_node (slurm); "
                "for the others set CUDA_VISIBLE_DEVICES."
            )
        self.config = config
        self.context = SweepContext.current()
        self.budget = Budget(config.get("budget_s"))

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Refuse what another program's sweeper asks for."""
        raise UsageError(
            "hydra/launcher=pool and ray work with this program's own sweepers. With another "
            "sweeper use hydra/launcher=basic, joblib or submitit_local."
        )

    def estimator(self, directory: Path) -> Estimator:
        """What runs should take: one for the whole command, since its budget compares with it."""
        if self._estimator is None:
            # Without a budget only proportions count, and no past records need be read.
            self._estimator = past_runs(directory) if self.budget.seconds else Estimator()
        return self._estimator

    def make_progress(self) -> Progress:
        """What shows a person how jobs go; nothing where the command leaves them."""
        console = Console(stderr=True, quiet=not self.config.wait)
        return choose(console, self.context.verbosity, reports_epochs=self.reports_epochs)

    def launch_jobs(
        self,
        jobs: list[Job],
        result: SweepResult,
        progress: Progress,
        scheduler: Search | None = None,
    ) -> None:
        """Run jobs, and those that the scheduler adds; fills in the result, and ends `progress`."""
        try:
            self.begin(jobs, result.workers, progress, scheduler)
            self.run(jobs)
        finally:
            result.summaries += self.summaries
            result.queued += self.submitted
            result.used_up = self.budget.seconds if self.not_started else result.used_up
            progress.end()

    def begin(
        self,
        jobs: Sequence[Job],
        workers: int,
        progress: Progress,
        scheduler: Search | None = None,
    ) -> None:
        """Prepare to run these jobs, and those that the scheduler adds; once a stage of a study."""
        self.n_workers, self.progress, self.scheduler = workers, progress, scheduler
        self.active: list[Any] = []  # what a launcher keeps of each run that is under way
        self.summaries: list[RunSummary] = []
        self.not_started: list[Job] = []  # those for which the budget was too small
        self.submitted: list[SubmittedJob] = []  # those that were left in a cluster's queue
        self.queue: list[Job] = []
        self._elsewhere: list[Job] = []  # another sweep is running them
        self._attempts: dict[str, int] = {}

    def run(self, jobs: list[Job]) -> list[RunSummary]:
        """Run jobs in turn, and those of the scheduler; return a summary of each."""
        self.queue.extend(jobs)
        try:
            while self._fill() or (self._elsewhere and self.budget.left_s > 0):
                if self.active:
                    self.wait()
                else:
                    time.sleep(POLL_S)
                if self._has_failed():
                    self.stop()
                    break
                # As long as own jobs wait and run, the others' records need not be read.
                if not (self.queue and self.active) and len(self.active) < self.room():
                    self._look_elsewhere()
                self.progress.refresh()
        except BaseException:
            self.stop()
            raise
        if not self._has_failed():
            self.not_started = [*self.queue, *self._elsewhere]
        return self.summaries

    def epoch(self, job: Job, number: int, figures: Mapping[str, float]) -> str | None:
        """Show an epoch (from 1) of a run; returns why it must stop there, or None to go on."""
        self.progress.epoch(job, number, figures)
        add_epoch(job.paths.progress, number, epochs_of(job.settings), figures)
        if job.prune and self.scheduler:
            return self.scheduler.epoch(job, number, figures)
        return None

    def finish(self, job: Job, summary: RunSummary) -> None:
        """Note the end of a run, unless it did not start, since another sweep is running it."""
        if summary.origin is Origin.BUSY:
            self.postpone(job)
            return
        self._keep(job, summary)
        self.budget.learn(job, summary)
        self.progress.ended(summary)
        if self.scheduler:
            self.scheduler.ended(job)

    def finish_unreported(self, jobs: Iterable[Job]) -> None:
        """Keep the results of stopped runs that had ended, and only their message was to come."""
        for job in jobs:
            if done := done_summary(job, Origin.RAN):
                self._keep(job, done)

    def _keep(self, job: Job, summary: RunSummary) -> None:
        self.summaries.append(summary)
        with suppress(OSError):
            job.paths.progress.unlink(missing_ok=True)

    def postpone(self, job: Job) -> None:
        """Check a job again later: another sweep is running it."""
        self._elsewhere.append(job)
        self.progress.postponed(job)

    def retry_or_fail(self, job: Job, reason: str, started: float, *, late: str = "") -> None:
        """Repeat a run whose process died, or write its failed record; so if it came too `late`."""
        attempts = self._attempts[job.run_id] = self._attempts.get(job.run_id, 0) + 1
        if late:
            self.fail(job, RunTimeoutError(late), started)
        elif attempts <= self.config.retries:
            self.progress.retrying(job, reason)
            self.queue.append(job)
        else:
            self.fail(job, death(reason, job.paths.log), started, reason)

    def fail(self, job: Job, error: BaseException, started: float, message: str = "") -> None:
        """Write a failed record for a run that cannot; `message` is the summary's, else error's."""
        try:
            summary = write_failure(job, error, time.monotonic() - started)
        except DirectoryError as unwritten:
            message = f"{message or error}. {unwritten}"
            summary = RunSummary.of(job, RunStatus.FAILED)
        self.finish(job, replace(summary, message=message or summary.message))

    def _has_failed(self) -> bool:
        return self.config.fail_fast and any(summary.failed for summary in self.summaries)

    def _fill(self) -> bool:
        """Start runs while there is room; whether anything runs."""
        while len(self.active) < self.room():
            if self._has_failed():  # a run may fail without having started
                break
            if not self.queue and self.scheduler and (following := self.scheduler.next()):
                self.queue.append(following)
            # Where the next job would end too late, a shorter one behind it may still fit.
            fitting = (one for one in self.queue if self.budget.fits(one, self.ahead_s()))
            job = next(fitting, None)
            if job is None:
                break
            self.queue.remove(job)
            self.start(job)
        return bool(self.active)

    def _look_elsewhere(self) -> None:
        """See which jobs that another sweep was running are done, or free again."""
        waiting = []
        for job in self._elsewhere:
            if is_held(job.lock):
                waiting.append(job)
            elif done := done_summary(job):
                self.finish(job, done)
            else:
                self.queue.append(job)
        self._elsewhere = waiting
