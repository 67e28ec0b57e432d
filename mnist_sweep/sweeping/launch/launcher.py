"""`hydra/launcher=pool`: Hydra's side of the pool of workers, and what such a launcher is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from mnist_sweep.cores import cores
from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch.dispatch import Dispatch
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.job_scheduler import JobScheduler
from mnist_sweep.sweeping.launch.pool import Pool
from mnist_sweep.sweeping.launch.progress import Progress


@dataclass
class PoolLauncherConf:
    """The launcher's config node; the pool's settings are the sweep's own (`n_jobs`, …)."""

    _target_: str = "hydra_plugins.mnist_sweep.PoolLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="pool", node=PoolLauncherConf, provider="mnist_sweep"
)


class SweepLauncher(Launcher, ABC):
    """What a sweep asks of a launcher of this program's own: jobs in, summaries out.

    Hydra's own launchers are reached by `foreign`.
    """

    def __init__(self) -> None:
        self._config: DictConfig | None = None
        self._engine: Dispatch[Any] | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the sweep's config; Hydra calls this once."""
        self._config = config
        self.context = SweepContext.current()

    @property
    def config(self) -> DictConfig:
        """The sweep's."""
        if self._config is None:
            raise UsageError("The launcher was used before Hydra set it up.")
        return self._config

    @abstractmethod
    def workers(self, jobs: int, threads: int) -> int:
        """How many of `jobs` runs, of `threads` threads each, go at once."""

    @abstractmethod
    def launch_jobs(
        self,
        jobs: list[Job],
        workers: int,
        progress: Progress,
        scheduler: JobScheduler | None = None,
    ) -> list[RunSummary]:
        """Run jobs, and what a scheduler adds, and return their summaries; see `Dispatch.run`."""

    @property
    def summaries(self) -> list[RunSummary]:
        """Of the runs that came to an end so far, interrupted or not."""
        return self._engine.summaries if self._engine else []

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run what another sweeper asks for."""
        raise UsageError(
            "hydra/launcher=pool and ray work with this program's own sweepers. With another "
            "sweeper use hydra/launcher=basic, joblib or submitit_local."
        )


class PoolLauncher(SweepLauncher):
    """Runs jobs in worker processes on this machine."""

    def workers(self, jobs: int, threads: int) -> int:
        """How many runs go at once: `n_jobs`, or one per core that `threads` leaves."""
        chosen = self.config.n_jobs or max(1, cores() // threads)
        return max(1, min(int(chosen), jobs))

    def launch_jobs(
        self,
        jobs: list[Job],
        workers: int,
        progress: Progress,
        scheduler: JobScheduler | None = None,
    ) -> list[RunSummary]:
        """Run jobs, and what a scheduler adds, and return their summaries; see `Dispatch.run`."""
        retries, fail_fast = int(self.config.retries), bool(self.config.fail_fast)
        self._engine = Pool(workers, retries, progress, fail_fast=fail_fast, scheduler=scheduler)
        return self._engine.run(jobs)
