"""`hydra/launcher=ray`: its settings, and the driver's side of runs on Ray.

Only the driver writes into the sweep's directory, and it holds a run's lock from when the run is
handed to Ray until its record is written. So sweeps can share a directory as usual, and nodes need
no access to it.
"""

from __future__ import annotations

import importlib.util
import json
import math
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from rich.console import Console

from mnist_sweep.cores import cores
from mnist_sweep.errors import MnistSweepError, SettingsError, UsageError
from mnist_sweep.records import store
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch.execute import claim
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.on_ray.connection import Connection, Needs, words_of
from mnist_sweep.sweeping.launch.worker import write_hydra_files

if TYPE_CHECKING:
    from mnist_sweep.sweeping.launch.on_ray.node import TaskResult

REFRESH_S = 0.25
MIN_WAITING = 32


class RunError(MnistSweepError):
    """A node could not run a job."""


@dataclass
class RayRun:
    """A run that was handed to Ray."""

    job: Job
    task: Any  # Ray's reference to what it returns
    ticket: str  # names this attempt in reports
    unlock: Callable[[], None]  # frees the run's lock
    started: float = field(default_factory=time.monotonic)
    shown: bool = False  # whether it has reported, or ended; until then it may wait for a node


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
        """Keep the sweep's config, and see that there is a Ray and each setting in its range."""
        super().setup(**options)
        if importlib.util.find_spec("ray") is None:
            raise UsageError(
                "hydra/launcher=ray needs Ray, which is not installed: "
                "pip install 'mnist-sweep[ray]'. Without it hydra/launcher=pool runs on this "
                "machine."
            )
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
        numbers = {name: getattr(self, name) for name in ("num_cpus", "num_gpus", "memory_mb")}
        numbers |= {f"resources.{name}": amount for name, amount in self.resources.items()}
        for name, number in {**numbers, "waiting": self.waiting}.items():
            if number is not None and number < 0:
                raise UsageError(f"hydra.launcher.{name}={number:g}: must be 0 or more.")

    def workers(self, n_jobs: int, threads: int) -> int:
        """How many runs go at once: as many as fit on the cluster now, `n_jobs` at most."""
        # A scheduler's jobs are not known to `begin`: this is what they may need.
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

    def begin(self, jobs: Sequence[Job], *arguments: Any, **options: Any) -> None:
        """Connect, and prepare to hand runs to Ray."""
        super().begin(jobs, *arguments, **options)
        self._threads = max((job.settings["threads"] for job in jobs), default=self._threads)
        self._connection, needs = self._connect(self._threads), self.needs(self._threads)
        self._reports: Any = None
        if self._connection.own and not self._connection.room(needs):
            nodes = self._connection.nodes()
            has = "; ".join(f"{n.get('CPU', 0):g} CPU, {n.get('GPU', 0):g} GPU" for n in nodes)
            raise UsageError(
                f"A run needs {words_of(needs)}, which this machine does not have: "
                f"{has or 'nothing'}. Ask for less, or name a cluster by hydra.launcher.address=…"
            )

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

    def stop(self) -> None:
        """End all tasks at once, with their processes; results that have come back are kept."""
        import ray

        try:
            if self.active:
                self.wait(timeout=0)
        finally:
            for run in self.active:
                ray.cancel(run.task, force=True)
                run.unlock()
            self.active.clear()

    def room(self) -> int:
        """As many as fit, and on a cluster some that wait for a node."""
        limit, budget = self.config.n_jobs, self.budget.seconds
        if limit is not None and not budget:
            return int(limit)
        fitting = self._connection.room(self.needs(self._threads))
        if self._connection.own:
            # It may have room for more, of another stage's needs.
            return max(1, min(fitting, self.n_workers))
        waiting = self.waiting
        if budget:
            # Nothing waits on the cluster, where it would start whenever it could.
            waiting = 0
        elif waiting is None:
            # What a search decides later rests on more results.
            waiting = 0 if self.scheduler else max(fitting, MIN_WAITING)
        # Never 0: a cluster without a node now may get one, and is waited for.
        return max(1, min(fitting + waiting, limit or fitting + waiting))

    def start(self, job: Job) -> None:
        """Lock a job and give it to Ray, which starts it when there is room."""
        try:
            with ExitStack() as lock:
                if summary := claim(job, lock):
                    self.finish(job, summary)
                else:
                    # The start is for the failed record of a run that dies before it writes one.
                    job, ticket = job.started_now(), uuid.uuid4().hex
                    task = self._connection.hand_out(
                        job, ticket, self.needs(job.settings["threads"])
                    )
                    # From here on the lock is the run's, until it has ended.
                    self.active.append(RayRun(job, task, ticket, lock.pop_all().close))
        except MnistSweepError as error:
            self.finish(job, RunSummary.of(job, RunStatus.FAILED, str(error)))

    def wait(self, timeout: float = REFRESH_S) -> None:
        """Take results and epochs, waiting for them for a moment; a run that ended is unlocked."""
        import ray

        if self._reports is None:
            self._reports = self._connection.mailbox.take.remote()
        tasks = [self._reports, *(run.task for run in self.active)]
        # The first call waits for anything, the second takes all that is there.
        ray.wait(tasks, num_returns=1, timeout=timeout)
        ready = set(ray.wait(tasks, num_returns=len(tasks), timeout=0)[0])
        if self._reports in ready:
            self._listen()
        for run in [run for run in self.active if run.task in ready]:
            self.active.remove(run)
            self._show(run)
            try:
                self._take(run, ray.get(run.task))
            except (MnistSweepError, ray.exceptions.RayTaskError) as error:  # not of the run's own
                self._failed(run, str(error))
            except ray.exceptions.RayError as error:
                self.retry_or_fail(run.job, _reason(error), run.started)
            finally:
                run.unlock()

    def _listen(self) -> None:
        """Show the epochs that runs reported, and answer them."""
        import ray

        try:
            reports = ray.get(self._reports)
        except ray.exceptions.RayError:  # its node died; it restarts on another
            reports = {}
            time.sleep(REFRESH_S)
        self._reports = None
        for run in self.active:
            if epoch := reports.get(run.ticket):
                self._show(run)
                reason = self.epoch(run.job, *epoch) if epoch.number else None
                if epoch.number and run.job.prune:
                    self._connection.mailbox.answer.remote(run.ticket, reason)

    def _show(self, run: RayRun) -> None:
        if not run.shown:
            run.shown, run.started = True, time.monotonic()
            self.progress.started(run.job)

    def _take(self, run: RayRun, answer: TaskResult) -> None:
        """Write what a run left, its record last."""
        job, files, paths = run.job, dict(answer.files), run.job.paths
        write_hydra_files(job)
        if log := files.pop(paths.log.name, None):
            before = paths.log.read_bytes() if paths.log.exists() else b""  # an earlier attempt's
            store.write_bytes(paths.log, before + log)
        record = files.pop(paths.record.name, None)
        if answer.summary is None:
            self.retry_or_fail(job, answer.died, run.started, late=answer.late)
        elif record is None:
            self._failed(run, answer.summary.message)
        else:
            for name, content in files.items():
                path = paths.directory / name
                if path in paths.artefacts or paths.files in path.parents:
                    store.write_bytes(path, content)
            store.write_record(paths.record, json.loads(record))
            self.finish(job, answer.summary)

    def _failed(self, run: RayRun, message: str) -> None:
        first = message.strip().splitlines()[0]
        self.fail(run.job, RunError(message), run.started, first)


def _reason(error: BaseException) -> str:
    """How a task died, in a line."""
    words = {
        "WorkerCrashedError": "the process of its task died",
        "NodeDiedError": "its node died",
        "OutOfMemoryError": "Ray ended it, for its node ran out of memory",
        "ObjectLostError": "its node died with the result",
        "OwnerDiedError": "its node died with the result",
        "ObjectFetchTimedOutError": "its result could not be fetched",
        "RuntimeEnvSetupError": f"its environment could not be created: {error}",
    }
    name = type(error).__name__
    return " ".join(words.get(name, f"{name}: {error}").split())[:500]


ConfigStore.instance().store(
    group="hydra/launcher", name="ray", node=RayLauncher, provider="mnist_sweep"
)
