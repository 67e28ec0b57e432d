"""Jobs handed out, and what comes of them: what the pool and the cluster have in common.

Which run starts next, the runs that another sweep is at, retries, the failed record of a run that
died without a word of its own, fail-fast and interrupts.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, TypeVar

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.job_record import already_done, write_failure
from mnist_sweep.sweeping.launch.job_scheduler import JobScheduler
from mnist_sweep.sweeping.launch.processes import WorkerDiedError
from mnist_sweep.sweeping.launch.progress import Progress
from mnist_sweep.training.progress import History

LOG_LINES = 15
LOG_LINE_LENGTH = 300

Active = TypeVar("Active")
"""What an engine keeps of a run that is under way."""


class Dispatch(ABC, Generic[Active]):
    """Runs jobs side by side; an engine says how one starts and what it tells.

    Args:
        workers: How many at once.
        retries: How often a run is repeated whose process died without an error of its own.
        progress: Is told what happens.
        fail_fast: Start nothing more after the first failed run, and stop the running ones.
        scheduler: Says what runs after the jobs that are given, and which runs are to stop.
    """

    def __init__(
        self,
        workers: int,
        retries: int,
        progress: Progress,
        *,
        fail_fast: bool,
        scheduler: JobScheduler | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._workers = workers
        self._retries = retries
        self._fail_fast = fail_fast
        self._progress = progress
        self._active: list[Active] = []
        self._queue: deque[Job] = deque()
        self._elsewhere: list[Job] = []
        self._attempts: dict[str, int] = {}
        self._summaries: list[RunSummary] = []

    def run(self, jobs: list[Job]) -> list[RunSummary]:
        """Carry jobs out in their order and return the summary of each that came to an end.

        On KeyboardInterrupt the running ones are stopped and the exception goes on; `summaries`
        holds what was finished by then.
        """
        self._queue.extend(jobs)
        try:
            while self._fill() or self._elsewhere:
                self._wait()
                if self._fail_fast and self._failures():
                    self._queue.clear()
                    self._elsewhere.clear()
                    self.stop()
                    break
                if not self._queue and len(self._active) < self._room():
                    self._look_elsewhere()
                self._progress.refresh()
        except BaseException:
            self.stop()
            raise
        return self._summaries

    @property
    def summaries(self) -> list[RunSummary]:
        """Of the runs that came to an end so far."""
        return self._summaries

    @abstractmethod
    def stop(self) -> None:
        """End all running workers, at once."""

    @abstractmethod
    def _start(self, job: Job) -> None:
        """Start a run, which is then among the active ones."""

    @abstractmethod
    def _wait(self) -> None:
        """Handle what the active runs have to say, for a moment."""

    def _room(self) -> int:
        """How many runs may be active at once."""
        return self._workers

    def _failures(self) -> bool:
        return any(summary.failed for summary in self._summaries)

    def _fill(self) -> bool:
        """Start runs while workers are free; whether anything runs."""
        while len(self._active) < self._room():
            if self._fail_fast and self._failures():  # a run may fail without having started
                break
            if self._queue:
                job = self._queue.popleft()
            elif self._scheduler and (following := self._scheduler.next()):
                job = following
            else:
                break
            self._start(job)
        return bool(self._active)

    def _postpone(self, job: Job) -> None:
        """Another sweep is at this run: see later what became of it."""
        self._elsewhere.append(job)
        self._progress.postponed(job)

    def _again_or_failed(self, job: Job, reason: str, started: float) -> None:
        """A run that died without a word: once more, or a failed record in its name.

        Args:
            job: Whose lock this process holds.
            reason: How it died.
            started: When, by the monotonic clock.
        """
        attempts = self._attempts[job.run_id] = self._attempts.get(job.run_id, 0) + 1
        if attempts <= self._retries:
            self._progress.retrying(job, reason)
            self._queue.append(job)
            return
        error = WorkerDiedError(f"{reason}. The end of its log:\n{_tail(job)}")
        self._record_failure(job, error, reason, started)

    def _record_failure(self, job: Job, error: BaseException, message: str, started: float) -> None:
        try:
            write_failure(job, error, History(), time.monotonic() - started)
        except DirectoryError as unwritten:
            message += f". {unwritten}"
        self._finish(job, RunSummary.of(job, RunStatus.FAILED, message))

    def _finish(self, job: Job, summary: RunSummary) -> None:
        self._summaries.append(summary)
        self._progress.ended(summary)
        if self._scheduler:
            self._scheduler.ended(job)

    def _look_elsewhere(self) -> None:
        """See whether runs that another sweep is at are done, or free again."""
        waiting = []
        for job in self._elsewhere:
            lock = try_lock(job.lock)
            if lock is None:
                waiting.append(job)
                continue
            release(lock)
            if done := already_done(job):
                self._finish(job, done)
            else:
                self._queue.append(job)
        self._elsewhere = waiting


def _tail(job: Job) -> str:
    try:
        text = job.paths.log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(there is none)"
    lines = text.splitlines()
    # What a signal leaves starts with the line that it struck; its callers follow.
    crash = max((i for i, line in enumerate(lines) if line.startswith("Fatal Python")), default=-1)
    shown = lines[-LOG_LINES:] if crash < 0 else lines[crash : crash + LOG_LINES]
    return "\n".join(line[:LOG_LINE_LENGTH] for line in shown)
