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
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch import worker
from mnist_sweep.sweeping.launch.dispatch import Dispatch
from mnist_sweep.sweeping.launch.execute import started_now
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.sweeping.launch.job_record import is_up_to_date, summary_from_record
from mnist_sweep.sweeping.launch.processes import STOP_S, context, end, ending, is_running, start

REFRESH_S = 0.25
POLL_S = 0.5


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
        for active in self._active:
            active.process.terminate()
        deadline = time.monotonic() + STOP_S
        for active in self._active:
            active.process.join(max(0.0, deadline - time.monotonic()))
            if active.process.is_alive():
                active.process.kill()
                active.process.join()
            active.pipe.close()
            if is_up_to_date(active.job) and (summary := summary_from_record(active.job)):
                # It was done but for the telling.
                self._summaries.append(summary)
        self._active.clear()

    def _start(self, job: Job) -> None:
        # Also for the record of a run that dies before it can say so itself.
        job = started_now(job)
        # Both ways only where the worker waits for an answer after each epoch.
        ours, theirs = context().Pipe(duplex=job.prune)
        process = start(worker.run, theirs, job)
        theirs.close()
        self._active.append(_Active(job, process, ours))
        self._progress.started(job)

    def _wait(self) -> None:
        """Handle what the workers have to say, for a moment."""
        if not self._active:
            time.sleep(POLL_S)
            return
        handles: list[Any] = [active.pipe for active in self._active]
        # A process that a builder left behind may hold the pipe open after its parent's death.
        handles += [active.process.sentinel for active in self._active if not active.orphaned]
        ready = set(connection.wait(handles, timeout=REFRESH_S))
        for active in list(self._active):
            if active.pipe in ready:
                self._receive(active)
            elif active.process.sentinel in ready:
                # Ready too where only the fork server died: then the pipe tells.
                active.orphaned = is_running(active.process)
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
        self._progress.epoch(active.job, epoch, figures["val_accuracy"])
        if active.job.prune:
            reason = self._scheduler.epoch(active.job, epoch, figures) if self._scheduler else None
            with suppress(OSError):  # its process died meanwhile, which is seen at its end
                active.pipe.send(reason)

    def _ended(self, active: _Active) -> None:
        end(active.process)
        active.pipe.close()
        self._active.remove(active)
        if active.answer is None:
            self._died(active)
        elif active.answer.origin is Origin.BUSY:
            self._postpone(active.job)
        else:
            self._finish(active.job, active.answer)

    def _died(self, active: _Active) -> None:
        """A process that ended without a word: once more, or a failed record in its name."""
        job = active.job
        lock = try_lock(job.lock)
        if lock is None:  # its lock went with it, and another sweep has taken the run over
            self._postpone(job)
            return
        try:
            summary = summary_from_record(job)
            if summary and summary.status is not RunStatus.FAILED and is_up_to_date(job):
                self._finish(job, summary)
            else:
                reason = f"its process {ending(active.process.exitcode)}"
                self._again_or_failed(job, reason, active.started)
        finally:
            release(lock)
