"""The driver's side of runs on Ray: hands them out, writes what comes back, retries what died.

Only the driver writes into the sweep's directory, and it holds a run's lock from when the run is
handed to Ray until its record is written. So sweeps can share a directory as usual, and nodes need
no access to it.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records import store
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch.dispatch import Dispatch
from mnist_sweep.sweeping.launch.execute import started_now
from mnist_sweep.sweeping.launch.job import Job, RunSummary, done_summary
from mnist_sweep.sweeping.launch.on_ray.connection import Connection, options_of
from mnist_sweep.sweeping.launch.on_ray.node import TaskResult, run_job
from mnist_sweep.sweeping.launch.worker import write_hydra_files

if TYPE_CHECKING:
    from mnist_sweep.sweeping.launch.on_ray.launcher import RayLauncher

REFRESH_S = 0.25
MIN_WAITING = 32
RECORD = RunPaths("").record.name


class RunError(MnistSweepError):
    """A node could not run a job."""


@dataclass
class _Active:
    job: Job
    ref: Any
    lock: int
    ticket: str
    started: float = field(default_factory=time.monotonic)
    shown: bool = False


class RayDispatch(Dispatch[_Active]):
    """Runs jobs on a cluster; see `Dispatch`. `threads` are the most of any run."""

    def __init__(
        self, connection: Connection, launcher: RayLauncher, threads: int, *arguments: Any,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(*arguments, **options)
        self._connection = connection
        self._launcher = launcher
        self._threads = threads
        self._reports: Any = None

    def stop(self) -> None:
        """End all tasks at once, with their processes; results that have come back are kept."""
        import ray

        try:
            if self.active:
                self.wait(timeout=0)
        finally:
            for active in self.active:
                ray.cancel(active.ref, force=True)
                release(active.lock)
            self.active.clear()

    def room(self) -> int:
        """As many as fit, and on a cluster some that wait for a node."""
        limit, budget = self._launcher.config.n_jobs, self.budget.seconds
        if limit is not None and not budget:
            return int(limit)
        fitting = self._connection.room(self._launcher.needs(self._threads))
        if self._connection.own:
            # It may have room for more, of another stage's needs.
            return max(1, min(fitting, self.workers))
        waiting = self._launcher.waiting
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
        lock = None
        try:
            lock = try_lock(job.lock)
            if lock is None:
                self.postpone(job)
            elif done := done_summary(job):
                self.finish(job, done)
            else:
                self.active.append(self._handed_out(job, lock))
                lock = None  # it is released when the run has ended
        except MnistSweepError as error:
            self.finish(job, RunSummary.of(job, RunStatus.FAILED, str(error)))
        finally:
            if lock is not None:
                release(lock)

    @cached_property
    def _task(self) -> Any:
        import ray

        return ray.remote(run_job)  # once: each such object sends the function's code again

    def _handed_out(self, job: Job, lock: int) -> _Active:
        store.make_directory(job.paths.directory)
        store.clean_temporary(job.paths.directory)
        # For the failed record of a run that dies before it writes one.
        job, ticket = started_now(job), uuid.uuid4().hex
        data = self._connection.data(job.data)
        needs = options_of(self._launcher.needs(job.settings["threads"]))
        # Ray's own retries would repeat a run without our count of them.
        task = self._task.options(max_retries=0, **needs)
        ref = task.remote(replace(job, hydra={}), ticket, data, self._connection.mailbox)
        return _Active(job, ref, lock, ticket)

    def wait(self, timeout: float = REFRESH_S) -> None:
        """Take results and epochs, waiting for them for a moment."""
        import ray

        if self._reports is None:
            self._reports = self._connection.mailbox.take.remote()
        refs = [self._reports, *(active.ref for active in self.active)]
        # The first call waits for anything, the second takes all that is there.
        ray.wait(refs, num_returns=1, timeout=timeout)
        ready = set(ray.wait(refs, num_returns=len(refs), timeout=0)[0])
        if self._reports in ready:
            self._listen()
        for active in [active for active in self.active if active.ref in ready]:
            self._returned(active)

    def _listen(self) -> None:
        """Show the epochs that runs reported, and answer them."""
        import ray

        try:
            reports = ray.get(self._reports)
        except ray.exceptions.RayError:  # its node died; it restarts on another
            reports = {}
            time.sleep(REFRESH_S)
        self._reports = None
        for active in self.active:
            if epoch := reports.get(active.ticket):
                self._show(active)
                reason = self.epoch(active.job, *epoch) if epoch.number else None
                if epoch.number and active.job.prune:
                    self._connection.mailbox.answer.remote(active.ticket, reason)

    def _show(self, active: _Active) -> None:
        if not active.shown:
            active.shown, active.started = True, time.monotonic()
            self.progress.started(active.job)

    def _returned(self, active: _Active) -> None:
        """A task has ended, one way or another: write its result, and free its lock."""
        import ray

        self.active.remove(active)
        self._show(active)
        try:
            self._take(active, ray.get(active.ref))
        except (MnistSweepError, ray.exceptions.RayTaskError) as error:  # of the task, no run's
            self._failed(active, str(error))
        except ray.exceptions.RayError as error:
            self.retry_or_fail(active.job, _reason(error), active.started)
        finally:
            release(active.lock)

    def _take(self, active: _Active, answer: TaskResult) -> None:
        """Write what a run left, its record last."""
        job, files, paths = active.job, dict(answer.files), active.job.paths
        write_hydra_files(job)
        if log := files.pop(paths.log.name, None):
            before = paths.log.read_bytes() if paths.log.exists() else b""  # an earlier attempt's
            store.write_bytes(paths.log, before + log)
        record = files.pop(RECORD, None)
        if answer.summary is None:
            self.retry_or_fail(job, answer.died, active.started, late=answer.late)
        elif record is None:
            self._failed(active, answer.summary.message)
        else:
            for name, content in files.items():
                path = paths.directory / name
                if path in paths.artefacts or paths.files in path.parents:
                    store.write_bytes(path, content)
            store.write_record(paths.record, json.loads(record))
            self.finish(job, answer.summary)

    def _failed(self, active: _Active, message: str) -> None:
        first = message.strip().splitlines()[0]
        self.fail(active.job, RunError(message), active.started, first)


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
