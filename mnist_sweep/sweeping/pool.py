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
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from mnist_sweep.config import Plain
from mnist_sweep.errors import DirectoryError
from mnist_sweep.results.locks import release, try_lock
from mnist_sweep.results.paths import RunPaths
from mnist_sweep.sweeping import execute, worker
from mnist_sweep.sweeping.processes import WorkerDiedError, context, ending, running, start
from mnist_sweep.sweeping.progress import Progress
from mnist_sweep.training.progress import History

REFRESH_S = 0.25
POLL_S = 0.5
STOP_S = 2.0
LOG_LINES = 15
LOG_LINE_LENGTH = 300


@dataclass
class _Active:
    job: Plain
    process: BaseProcess
    pipe: Connection
    started: float = field(default_factory=time.monotonic)
    answer: Plain | None = None
    orphaned: bool = False


class Pool:
    """Runs jobs side by side.

    Args:
        workers: How many at once.
        retries: How often a run is repeated whose process died without an error of its own.
        progress: Is told what happens.
        fail_fast: Start nothing more after the first failed run, and stop the running ones.
    """

    def __init__(self, workers: int, retries: int, progress: Progress, *, fail_fast: bool) -> None:
        self._workers = workers
        self._retries = retries
        self._fail_fast = fail_fast
        self._progress = progress
        self._context = context()
        self._active: list[_Active] = []
        self._queue: deque[Plain] = deque()
        self._elsewhere: list[Plain] = []
        self._attempts: dict[str, int] = {}
        self._summaries: list[Plain] = []

    def run(self, jobs: list[Plain]) -> list[Plain]:
        """Carry jobs out in their order and return the summary of each that came to an end.

        On KeyboardInterrupt the running ones are stopped and the exception goes on; `summaries`
        holds what was finished by then.
        """
        self._queue.extend(jobs)
        try:
            while self._queue or self._active or self._elsewhere:
                while self._queue and len(self._active) < self._workers:
                    self._start(self._queue.popleft())
                self._wait()
                if self._fail_fast and self._failures():
                    self._queue.clear()
                    self._elsewhere.clear()
                    self.stop()
                elif not self._queue and len(self._active) < self._workers:
                    self._look_elsewhere()
                self._progress.refresh()
        except BaseException:
            self.stop()
            raise
        return self._summaries

    @property
    def summaries(self) -> list[Plain]:
        """Of the runs that came to an end so far."""
        return self._summaries

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
            if execute.settled(active.job) and (summary := execute.recorded(active.job)):
                # It was done but for the telling.
                self._summaries.append(summary)
        self._active.clear()

    def _failures(self) -> list[Plain]:
        return [s for s in self._summaries if s["outcome"] in ("failed", "diverged")]

    def _start(self, job: Plain) -> None:
        # Also for the record of a run that dies before it can say so itself.
        job["environment"]["started_at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        ours, theirs = self._context.Pipe(duplex=False)
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
                active.orphaned = running(active.process)
                if not active.orphaned:
                    self._ended(active)

    def _receive(self, active: _Active) -> None:
        try:
            message = active.pipe.recv()
        except (EOFError, OSError):
            self._ended(active)
            return
        if message[0] == "epoch":
            self._progress.epoch(active.job, message[1], message[2])
        elif message[0] == "done":
            active.answer = message[1]
        else:
            active.answer = {
                "run_id": active.job["run_id"], "label": active.job["label"],
                "outcome": "failed", "message": message[1],
            }  # fmt: skip

    def _ended(self, active: _Active) -> None:
        active.process.join(STOP_S)
        if active.process.is_alive():  # it closed its pipe and goes on: nothing can come of it
            active.process.kill()
            active.process.join()
        active.pipe.close()
        self._active.remove(active)
        if active.answer is None:
            self._died(active)
        elif active.answer["outcome"] == "busy":
            self._elsewhere.append(active.job)
            self._progress.postponed(active.job)
        else:
            self._finish(active.answer)

    def _died(self, active: _Active) -> None:
        """A process that ended without a word: once more, or a failed record in its name."""
        job = active.job
        lock = try_lock(Path(job["lock"]))
        if lock is None:  # its lock went with it, and another sweep has taken the run over
            self._elsewhere.append(job)
            self._progress.postponed(job)
            return
        try:
            summary = execute.recorded(job)
            if summary is not None and summary["outcome"] in execute.DONE:
                self._finish(summary)
            else:
                self._again_or_failed(active)
        finally:
            release(lock)

    def _again_or_failed(self, active: _Active) -> None:
        job = active.job
        attempts = self._attempts[job["run_id"]] = self._attempts.get(job["run_id"], 0) + 1
        reason = f"its process {ending(active.process.exitcode)}"
        if attempts <= self._retries:
            self._progress.retrying(job, reason)
            self._queue.append(job)
            return
        error = WorkerDiedError(f"{reason}. The end of its log:\n{_tail(job)}")
        summary = execute.summary(job, "failed", reason)
        try:
            execute.record_failure(job, error, History(), time.monotonic() - active.started)
        except DirectoryError as unwritten:
            summary["message"] += f". {unwritten}"
        self._finish(summary)

    def _finish(self, summary: Plain) -> None:
        self._summaries.append(summary)
        self._progress.ended(summary)

    def _look_elsewhere(self) -> None:
        """See whether runs that another sweep is at are done, or free again."""
        waiting = []
        for job in self._elsewhere:
            lock = try_lock(Path(job["lock"]))
            if lock is None:
                waiting.append(job)
                continue
            release(lock)
            if execute.settled(job):
                self._finish(execute.summary(job, "done", ""))
            else:
                self._queue.append(job)
        self._elsewhere = waiting


def _tail(job: Plain) -> str:
    try:
        text = RunPaths(job["directory"]).log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(there is none)"
    lines = text.splitlines()
    # What a signal leaves starts with the line that it struck; its callers follow.
    crash = max((i for i, line in enumerate(lines) if line.startswith("Fatal Python")), default=-1)
    shown = lines[-LOG_LINES:] if crash < 0 else lines[crash : crash + LOG_LINES]
    return "\n".join(line[:LOG_LINE_LENGTH] for line in shown)
