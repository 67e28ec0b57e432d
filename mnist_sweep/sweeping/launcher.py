"""`hydra/launcher=pool`: Hydra's side of the pool of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from mnist_sweep.config import Plain
from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping.environment import available_cores
from mnist_sweep.sweeping.pool import Pool
from mnist_sweep.sweeping.progress import Progress


@dataclass
class PoolLauncherConf:
    """The launcher's config node; the pool's settings are the sweep's own (`n_jobs`, …)."""

    _target_: str = "hydra_plugins.mnist_sweep.PoolLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="pool", node=PoolLauncherConf, provider="mnist_sweep"
)


class PoolLauncher(Launcher):
    """Runs jobs in worker processes on this machine."""

    def __init__(self) -> None:
        self._config: DictConfig | None = None
        self._pool: Pool | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the sweep's config; Hydra calls this once."""
        self._config = config

    def workers(self, jobs: int, threads: int) -> int:
        """How many runs go at once: `n_jobs`, or one per core that `threads` leaves."""
        if self._config is None:
            raise UsageError("The pool launcher was used before Hydra set it up.")
        chosen = self._config.n_jobs or max(1, available_cores() // threads)
        return max(1, min(int(chosen), jobs))

    def launch_jobs(self, jobs: list[Plain], workers: int, progress: Progress) -> list[Plain]:
        """Run jobs and return their summaries; see `Pool.run`."""
        if self._config is None:
            raise UsageError("The pool launcher was used before Hydra set it up.")
        self._pool = Pool(workers, self._config.retries, progress, fail_fast=self._config.fail_fast)
        return self._pool.run(jobs)

    @property
    def summaries(self) -> list[Plain]:
        """Of the runs that came to an end so far, interrupted or not."""
        return self._pool.summaries if self._pool else []

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run what another sweeper asks for."""
        raise UsageError(
            "hydra/launcher=pool works with hydra/sweeper=grid. With another sweeper use "
            "hydra/launcher=basic, joblib or submitit_local."
        )
