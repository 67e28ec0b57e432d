"""A pool of workers on this machine: one process a run, started by a fork server.

A process of its own for every run, and not one for many, because (tests/benchmarks/
worker_processes.py measures it):

- Time: the server has TensorFlow and Keras imported, so a new process costs a run less than 0.1 s.
  A reused one saves nothing else: each network is a program of its own, to be traced and compiled
  or fetched from disk (training/programs.py) all the same. There it even loses: the names in its
  second and later programs count on, so that only a process that ran the same networks in the same
  order finds them again; a fresh process always does, and that saves three quarters of compiling.
- Memory: what a run leaves behind (programs, Keras's graphs) stays with a reused process: its own
  memory grew from 81 to 190 MB over six runs on MNIST, where fresh ones had 81 to 93 MB, each
  after its run. The data are mapped: 45 to 50 MB of a worker's memory are pages of files, shared by
  all, and with MNIST instead of the bundled digits its own grew by 3 MB, for the larger network.
- Isolation: a crash, an out-of-memory kill or a leak costs that run alone.

Where there is no fork server (Windows) processes are spawned, which takes seconds each.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from hydra.core.config_store import ConfigStore

from mnist_sweep.cores import cores
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch import processes, worker
from mnist_sweep.sweeping.launch.dispatch import Dispatch
from mnist_sweep.sweeping.launch.execute import started_now
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.sweeping.launch.job_record import done_summary
from mnist_sweep.sweeping.launch.job_scheduler import JobScheduler
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.progress import Progress

REFRESH_S = 0.25
POLL_S = 0.5


@dataclass
class PoolLauncherConf:
    """The launcher's config node; the pool's settings are the sweep's own (`n_jobs`, …)."""

    _target_: str = "mnist_sweep.sweeping.launch.pool.PoolLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="pool", node=PoolLauncherConf, provider="mnist_sweep"
)


class PoolLauncher(SweepLauncher):
    """`hydra/launcher=pool`: runs jobs in worker processes on this machine."""

    def workers(self, n_jobs: int, threads: int) -> int:
        """How many runs go at a time: `n_jobs`, or one per core that `threads` leaves."""
        chosen = self.config.n_jobs or max(1, cores() // threads)
        return max(1, min(int(chosen), n_jobs))

    def dispatch(
        self,
        jobs: Sequence[Job],  # noqa: ARG002  (any job fits)
        workers: int,
        progress: Progress,
        scheduler: JobScheduler | None,
    ) -> Pool:
        """A pool of workers."""
        return Pool(
            workers,
            progress,
            retries=int(self.config.retries),
            fail_fast=bool(self.config.fail_fast),
            scheduler=scheduler,
        )


@dataclass
class _Active:
    job: Job
    process: BaseProcess
    pipe: Connection
    started: float = field(default_factory=time.monotonic)
    answer: RunSummary | None = None
    orphaned: bool = False


class Pool(Dispatch[_Active]):
    """Runs jobs side by side, each in a process of its own; see `Dispatch`."""

    def stop(self) -> None:
        """End all running workers, at once."""
        for active in self.active:
            active.process.terminate()
        deadline = time.monotonic() + processes.STOP_S
        for active in self.active:
            active.process.join(max(0.0, deadline - time.monotonic()))
            if active.process.is_alive():
                active.process.kill()
                active.process.join()
            active.pipe.close()
            if summary := done_summary(active.job, Origin.RAN):
                # It had ended, and only its message was still to come.
                self.summaries.append(summary)
        self.active.clear()

    def start(self, job: Job) -> None:
        """Start a worker."""
        # For the failed record, too, of a run that dies before it writes one.
        job = started_now(job)
        # Both ways only where the worker waits for an answer after each epoch.
        ours, theirs = processes.context().Pipe(duplex=job.prune)
        process = processes.start(worker.run, theirs, job)
        theirs.close()
        self.active.append(_Active(job, process, ours))
        self.progress.started(job)

    def wait(self) -> None:
        """Handle messages and ends of workers, for a moment."""
        if not self.active:
            time.sleep(POLL_S)
            return
        handles: list[Any] = [active.pipe for active in self.active]
        # A process that a builder left behind may hold the pipe open after its parent's death.
        handles += [active.process.sentinel for active in self.active if not active.orphaned]
        ready = set(connection.wait(handles, timeout=REFRESH_S))
        for active in list(self.active):
            if active.pipe in ready:
                self._receive(active)
            elif active.process.sentinel in ready:
                # Ready too where only the fork server died: then the pipe tells.
                active.orphaned = processes.is_running(active.process)
                if not active.orphaned:
                    self._ended(active)

    def _receive(self, active: _Active) -> None:
        try:
            message = active.pipe.recv()
        except (EOFError, OSError):
            self._ended(active)
            return
        if message[0] == "epoch":
            self._after_epoch(active, message[1], message[2])
        elif message[0] == "done":
            active.answer = message[1]
        else:
            active.answer = RunSummary.of(active.job, RunStatus.FAILED, message[1])

    def _after_epoch(self, active: _Active, epoch: int, figures: dict[str, float]) -> None:
        self.progress.epoch(active.job, epoch, figures["val_accuracy"])
        if active.job.prune:
            reason = self.scheduler.epoch(active.job, epoch, figures) if self.scheduler else None
            with suppress(OSError):  # its process died meanwhile, which is seen at its end
                active.pipe.send(reason)

    def _ended(self, active: _Active) -> None:
        processes.end(active.process)
        active.pipe.close()
        self.active.remove(active)
        if active.answer is None:
            self._died(active)
        elif active.answer.origin is Origin.BUSY:
            self.postpone(active.job)
        else:
            self.finish(active.job, active.answer)

    def _died(self, active: _Active) -> None:
        """Finish, repeat or fail a run whose process ended without sending a result."""
        job = active.job
        lock = try_lock(job.lock)
        if lock is None:  # its lock was freed with it, and another sweep runs the job now
            self.postpone(job)
            return
        try:
            summary = done_summary(job, Origin.RAN)
            if summary and summary.status is not RunStatus.FAILED:
                self.finish(job, summary)
            else:
                reason = f"its process {processes.ending(active.process.exitcode)}"
                self.retry_or_fail(job, reason, active.started)
        finally:
            release(lock)
