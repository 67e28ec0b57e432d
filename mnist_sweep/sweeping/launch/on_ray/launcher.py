"""`hydra/launcher=ray`: Hydra's side of runs on Ray."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from rich.console import Console

from mnist_sweep.cores import cores
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.sweeping.launch.dispatch import JobScheduler
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.on_ray.connection import (
    Connection,
    Needs,
    check_installed,
    words_of,
)
from mnist_sweep.sweeping.launch.progress import Progress

if TYPE_CHECKING:
    from mnist_sweep.sweeping.launch.on_ray.dispatch import RayDispatch


@dataclass(eq=False)
class RayLauncher(SweepLauncher):
    """Runs jobs on a Ray cluster, or on a Ray started for the sweep; also its own config node."""

    _target_: str = "mnist_sweep.sweeping.launch.on_ray.launcher.RayLauncher"
    # As `ray.init` takes it: `auto`, `HOST:PORT`, `ray://HOST:PORT`; None starts one here.
    address: str | None = None
    # Of a run: what Ray books. Processors are else as many as the run's `threads`.
    num_cpus: float | None = None
    num_gpus: float = 0.0
    memory_mb: int | None = None
    resources: dict[str, float] = field(default_factory=dict)  # that an administrator named
    # How many runs are handed to a cluster beyond those that fit, for which an autoscaling one adds
    # nodes; None: as many again as fit, at least 32, and of a search 0.
    waiting: int | None = None
    runtime_env: dict[str, Any] = field(default_factory=dict)

    def setup(self, **options: Any) -> None:
        """Keep the sweep's config, and see that there is a Ray.

        Raises:
            SettingsError: A setting of its own is given among `resources`.
            UsageError: There is none, or a setting is out of its range.
        """
        super().setup(**options)
        check_installed()
        if self.config.hydra.job.chdir:
            raise UsageError(
                "hydra.job.chdir=true: not supported with hydra/launcher=ray; use pool."
            )
        for name, own in (("CPU", "num_cpus"), ("GPU", "num_gpus"), ("memory", "memory_mb")):
            if name in self.resources:
                raise SettingsError(
                    f"hydra.launcher.resources.{name}: {name} is not a resource of your own. "
                    f"Set hydra.launcher.{own} instead."
                )
        numbers = {
            "num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "memory_mb": self.memory_mb,
            "waiting": self.waiting,
            **{f"resources.{name}": amount for name, amount in self.resources.items()},
        }  # fmt: skip
        for name, number in numbers.items():
            if number is not None and number < 0:
                raise UsageError(f"hydra.launcher.{name}={number:g}: must be 0 or more.")

    def workers(self, n_jobs: int, threads: int) -> int:
        """How many runs go at once: as many as fit on the cluster now, `n_jobs` at most.

        Raises:
            UsageError: The cluster cannot be reached.
        """
        # A scheduler's jobs are not known when `dispatch` is called: this is what they may need.
        self._threads = threads
        if not self.address:
            return min(self._own_runs(threads), n_jobs)
        needs = self.needs(threads)
        fit = self._connect(threads).room(needs)
        if not fit:
            Console(stderr=True, soft_wrap=True, highlight=False).print(
                f"No node of the cluster has room for a run, which needs {words_of(needs)}: "
                "runs wait until there is one."
            )
        return max(1, min(fit, self.config.n_jobs or fit, n_jobs))

    def dispatch(
        self,
        jobs: Sequence[Job],
        workers: int,
        progress: Progress,
        scheduler: JobScheduler | None,
    ) -> RayDispatch:
        """Connect, and hand runs to Ray.

        Raises:
            UsageError: The cluster cannot be reached, or a Ray of our own has no room for one run.
        """
        from mnist_sweep.sweeping.launch.on_ray.dispatch import RayDispatch

        threads = max((job.settings["threads"] for job in jobs), default=self._threads)
        needs, connected = self.needs(threads), self._connect(threads)
        if connected.own and not connected.room(needs):
            has = "; ".join(
                f"{node.get('CPU', 0):g} CPU, {node.get('GPU', 0):g} GPU"
                for node in connected.nodes()
            )
            raise UsageError(
                f"A run needs {words_of(needs)}, which this machine does not have: "
                f"{has or 'nothing'}. Ask for less, or name a cluster by hydra.launcher.address=…"
            )
        return RayDispatch(connected, self, threads, workers, progress, scheduler=scheduler)

    def needs(self, threads: int) -> Needs:
        """The resources of a run of so many threads."""
        cpus = float(threads) if self.num_cpus is None else self.num_cpus
        memory = (self.memory_mb or 0) * 2**20
        return {"CPU": cpus, "GPU": self.num_gpus, "memory": memory, **self.resources}

    def _own_runs(self, threads: int) -> int:
        """How many runs go at once on a Ray of our own: as with the pool."""
        return int(self.config.n_jobs or max(1, cores() // threads))

    def _connect(self, threads: int) -> Connection:
        cpus = max(1, math.ceil(self._own_runs(threads) * self.needs(threads)["CPU"]))
        there = self.context.connection
        # A connection to another address, or a Ray of our own that is too small, as for a study's
        # later stage with more threads a run, is replaced; nothing runs on it at that moment.
        if there and not there.serves(self.address, cpus, self.runtime_env):
            self.context.connection = None
            there.close()
            there = None
        if there is None:
            there = self.context.connection = Connection(self.address, cpus, self.runtime_env)
            self.context.at_end(there.close)
        return there


ConfigStore.instance().store(
    group="hydra/launcher", name="ray", node=RayLauncher, provider="mnist_sweep"
)
