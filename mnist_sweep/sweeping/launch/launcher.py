"""What a launcher is: it says how many runs go at a time, and what runs them.

A launcher of one's own is a class like `PoolLauncher`, in any module that Python can import, and a
config file that names it: `hydra/launcher/mine.yaml` with `_target_: my_module.MyLauncher`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from rich.console import Console

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch.dispatch import Budget, Dispatch, JobScheduler
from mnist_sweep.sweeping.launch.display import choose
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.progress import Progress
from mnist_sweep.sweeping.plan.estimate import Estimator, past_runs

if TYPE_CHECKING:
    from mnist_sweep.sweeping.result import SweepResult


class SweepLauncher(Launcher, ABC):
    """Runs the jobs of a sweep: jobs in, summaries out.

    After `setup`, `config` is the sweep's config and `context` its `SweepContext`.
    """

    reports_epochs: ClassVar[bool] = True
    """Whether running jobs report their epochs, so that they are displayed and may be pruned."""

    shares_gpus: ClassVar[bool] = False
    """Whether it gives each run its GPU, as the settings `gpus` and `runs_per_gpu` say."""

    can_leave: bool = False
    """Whether runs go on without this process, so that `wait=false` may be asked for."""

    config: DictConfig
    context: SweepContext
    budget: Budget
    _estimator: Estimator | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives.

        Raises:
            SettingsError: A setting is not one for this launcher.
        """
        if not self.shares_gpus and (config.gpus is not None or config.runs_per_gpu != 1):
            raise SettingsError(
                "gpus and runs_per_gpu are settings of hydra/launcher=pool. Other launchers have "
                "their own: hydra.launcher.num_gpus (ray), hydra.launcher.gpus_per_node (slurm); "
                "for the others set CUDA_VISIBLE_DEVICES."
            )
        self.config = config
        self.context = SweepContext.current()
        self.budget = Budget(config.get("budget_s"))

    def estimator(self, directory: Path) -> Estimator:
        """What runs should take: one for the whole command, since its budget compares with it.

        Without a budget only proportions count, and no past records are read.
        """
        if self._estimator is None:
            self._estimator = past_runs(directory) if self.budget.seconds else Estimator()
        return self._estimator

    @abstractmethod
    def workers(self, n_jobs: int, threads: int) -> int:
        """How many of `n_jobs` runs, of `threads` threads each, go at a time."""

    @abstractmethod
    def dispatch(
        self,
        jobs: Sequence[Job],
        workers: int,
        progress: Progress,
        scheduler: JobScheduler | None,
    ) -> Dispatch[Any]:
        """What runs jobs; `jobs` are those that are known already."""

    def launch_jobs(
        self,
        jobs: list[Job],
        result: SweepResult,
        progress: Progress,
        scheduler: JobScheduler | None = None,
    ) -> None:
        """Run jobs, and those that the scheduler adds; fills in the result, and ends `progress`."""
        try:
            dispatch = self.dispatch(jobs, result.workers, progress, scheduler)
            dispatch.retries = int(self.config.retries)
            dispatch.fail_fast = bool(self.config.fail_fast)
            dispatch.budget = self.budget
            result.summaries = dispatch.summaries  # grows as runs end, until an interrupt
            try:
                dispatch.run(jobs)
            finally:
                result.queued += dispatch.submitted
                result.used_up = self.budget.seconds if dispatch.not_started else None
        finally:
            progress.end()

    def progress(self) -> Progress:
        """What shows a person how this launcher's jobs go."""
        console = Console(stderr=True)
        return choose(console, self.context.verbosity, reports_epochs=self.reports_epochs)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Refuse what another program's sweeper asks for."""
        raise UsageError(
            "hydra/launcher=pool and ray work with this program's own sweepers. With another "
            "sweeper use hydra/launcher=basic, joblib or submitit_local."
        )
